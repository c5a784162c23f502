public import HoldfastBasics

/// A conversation printed by a chat template.
public struct RenderedMessages: Sendable, Hashable {
  public let text: String
  /// What the assistant printed, end of turn included: ranges of Unicode scalars of `text`, ascending, disjoint.
  public let assistant: [Range<Int>]

  public init(text: String, assistant: [Range<Int>]) {
    self.text = text
    self.assistant = assistant
  }
}

/// Prints rows of `messages` with a model's chat template.
public protocol MessageRenderer: Sendable {
  /// - Parameter row: the whole row: `messages`, and `tools` and the like where it has them.
  func render(_ row: JSONObject) throws -> RenderedMessages
}
