internal import HoldfastBasics

/// A few examples of a dataset, and whether others hold the same.
extension Dataset {
  /// At most so many examples, the same ones whenever they are asked for: drawn over all sources, each as likely, in the order of the files.
  /// Shares and budgets of sources say nothing here. With their numbers in this dataset.
  public func slice(of count: Int) -> (dataset: Dataset, numbers: [Int]) {
    precondition(!isPairs, "pairs are not sliced")
    var order = Array(0..<UInt32(itemCount))
    if count < order.count {
      var generator = CounterGenerator(seed: 0, "slice")
      generator.shuffle(&order)
      order = order.prefix(count).sorted()
    }
    // Sources that nothing is drawn of stay, with no example: names and numbers of the others do not change.
    let examples = examples
    var blocks = [ExampleBlock](repeating: ExampleBlock(), count: stores.count)
    for index in order {
      let example = examples[Int(index)]
      blocks[example.source].append(example.rendering, line: example.line)
    }
    let facts = sources.map { source in
      var source = source
      source.share = nil
      source.examplesPerEpoch = nil
      source.tokensPerEpoch = nil
      return source
    }
    return (Dataset(stores: blocks.map(ExampleStore.init), sources: facts), order.map(Int.init))
  }

  /// Numbers of those examples that another dataset holds too, token for token.
  public func examples(alsoIn other: Dataset) -> [Int] {
    func ids(_ store: ExampleStore, _ index: Int) -> [Int] { store.range(index).map(store.id) }
    var wanted: [[Int]: [Int]] = [:], lengths: Set<Int> = []
    for number in 0..<itemCount * itemSize {
      let (source, index) = place(number), own = ids(stores[source], index)
      wanted[own, default: []].append(number)
      lengths.insert(own.count)
    }
    var found: Set<Int> = []
    // Most differ in length already.
    for store in other.stores {
      for index in 0..<store.count where lengths.contains(store.length(index)) { found.formUnion(wanted[ids(store, index)] ?? []) }
    }
    return found.sorted()
  }
}
