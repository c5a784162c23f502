internal import HoldfastBasics

extension LittleWorld {
  /// How often each kind of document stands in the pretraining text, per hundred.
  static let mixture: [(family: Family, share: Int)] = [
    (.facts, 34), (.sums, 20), (.counting, 14), (.stories, 16), (.sorting, 8), (.reversal, 8),
  ]

  /// Documents of what a base model is trained on: questions of every skill, answered.
  ///
  /// The train split is an endless stream; a document of another split stands in neither of the others.
  public func pretrainingText(_ split: Split = .train, count: Int, from: Int = 0) -> [String] {
    pretrainingItems(split, count: count, from: from).map { $0.prompt + $0.completion }
  }

  /// The same documents with prompt and completion apart.
  public func pretrainingItems(_ split: Split = .train, count: Int, from: Int = 0) -> [Item] {
    (from..<(from + count)).map { index in
      var generator = CounterGenerator(seed: seed, "text", split.rawValue, index)
      var place = generator.below(100)
      for (family, share) in Self.mixture {
        place -= share
        if place < 0 { return draw(family, split, index) }
      }
      preconditionFailure("the mixture adds up to less than 100")
    }
  }
}
