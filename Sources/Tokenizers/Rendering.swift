/// An example as a model sees it: token ids, and which of them it learns.
public struct Rendering: Sendable, Hashable {
  /// Token ids in order.
  public var ids: [Int]
  /// For every token whether it is learnt; a learnt token at `i` becomes the label at `i - 1`.
  public var isTrained: [Bool]

  public init(ids: [Int], isTrained: [Bool]) {
    precondition(ids.count == isTrained.count, "\(ids.count) ids and \(isTrained.count) marks")
    self.ids = ids
    self.isTrained = isTrained
  }
}
