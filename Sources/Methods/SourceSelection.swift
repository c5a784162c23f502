internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastTraining

/// Some of a recipe's sources, named by a method's knob.
struct SourceSelection: Sendable {
  /// Empty: all.
  let names: [String]

  init(_ reader: KeyReader, _ key: String, doc: String) {
    names = reader.value(key, default: [String](), doc: doc)
  }

  /// Indices of the sources that are meant; nil: all of them.
  /// - Throws: `Problems` with the names that no source has.
  func indices(in sources: [String], method: String) throws(Problems) -> Set<Int>? {
    if names.isEmpty { return nil }
    var problems = Problems(method), found: Set<Int> = []
    for name in names {
      if let index = sources.firstIndex(of: name) {
        found.insert(index)
      } else {
        let near = nearestName(to: name, among: sources).map { "; did you mean \($0)?" } ?? ""
        problems.add("no source of the data is called \(name)\(near)")
      }
    }
    try problems.check()
    return found
  }
}

extension LabelScores {
  /// `value` at the labels of these sources and 0 at others, f32 [labels].
  func values(_ value: Double, at chosen: Set<Int>?) throws(EngineError) -> Tensor {
    guard let chosen else { return try Tensor.full([count], value, device: device) }
    return try Tensor(places.sources.map { chosen.contains($0) ? Float(value) : 0 }, device: device)
  }
}
