/// An example as a model sees it: token ids, and which of them are learnt.
///
/// A trained token i becomes the label at position i − 1. The first token is nobody's label, so it is never trained.
public struct Rendering: Sendable, Hashable {
  public let ids: [Int]
  /// As long as `ids`.
  public let isTrained: [Bool]
  /// Tokens with characters on both sides of where the learnt text begins or ends; their first character decides.
  public let edgeTokens: Int
  /// Factors on the losses of trained tokens, as long as `ids`; empty where all are 1. They never change a count.
  public let weights: [Float]

  public init(ids: [Int], isTrained: [Bool], edgeTokens: Int = 0, weights: [Float] = []) {
    precondition(ids.count == isTrained.count, "\(ids.count) ids but \(isTrained.count) marks")
    precondition(weights.isEmpty || weights.count == ids.count, "\(ids.count) ids but \(weights.count) weights")
    self.ids = ids
    self.edgeTokens = edgeTokens
    self.weights = weights
    var marks = isTrained
    if !marks.isEmpty { marks[0] = false }
    self.isTrained = marks
  }

  /// Tokens that are learnt: the labels this example yields.
  public var trainedCount: Int { isTrained.count { $0 } }

  /// The first `count` tokens.
  public func prefix(_ count: Int) -> Rendering {
    Rendering(ids: Array(ids.prefix(count)), isTrained: Array(isTrained.prefix(count)), edgeTokens: edgeTokens, weights: Array(weights.prefix(count)))
  }
}
