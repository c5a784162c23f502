public import HoldfastBasics

/// A conversation printed by a chat template.
public struct RenderedMessages: Sendable, Hashable {
  public let text: String
  /// What is learnt, ends of turns included: ranges of Unicode scalars of `text`, ascending, disjoint.
  public let trained: [Range<Int>]

  public init(text: String, trained: [Range<Int>]) {
    self.text = text
    self.trained = trained
  }
}

/// Prints rows of `messages` with a model's chat template.
public protocol MessageRenderer: Sendable {
  /// The whole conversation.
  /// - Parameters:
  ///   - row: `messages`, and `tools` and the like where it has them.
  ///   - isTrained: which of the messages are learnt.
  func render(_ row: JSONObject, training isTrained: [Bool]) throws -> RenderedMessages

  /// The conversation up to message `turn`, which alone is learnt: what stands before it as it stands at inference.
  func render(_ row: JSONObject, turn: Int) throws -> RenderedMessages

  /// The first of the trained messages up to whose end ``render(_:training:)`` prints something else than stands there
  /// when the model is asked for it; nil where there is none.
  func historyDifference(_ row: JSONObject, training isTrained: [Bool]) throws -> HistoryDifference?
}

extension MessageRenderer {
  /// For templates that print a message the same wherever it stands.
  public func render(_ row: JSONObject, turn: Int) throws -> RenderedMessages {
    try render(row.upTo(message: turn), training: (0...turn).map { $0 == turn })
  }

  /// For templates that print a message the same wherever it stands.
  public func historyDifference(_ row: JSONObject, training isTrained: [Bool]) throws -> HistoryDifference? { nil }
}

extension JSONObject {
  /// The row with its messages up to `message`, this one included or not.
  func upTo(message: Int, including: Bool = true) -> JSONObject {
    var row = self
    row["messages"] = .array(Array((self["messages"]?.array ?? []).prefix(including ? message + 1 : message)))
    return row
  }
}

/// A template prints an answer and what stands before it otherwise when the whole conversation is printed, as for training,
/// than when the model is asked for that answer: it strips old reasoning, say, or moves the system's text.
public struct HistoryDifference: Sendable, Hashable, CustomStringConvertible {
  /// The answer, counted from 0.
  public let message: Int
  /// From shortly before the first difference to shortly after it.
  public let training: String
  public let inference: String

  init(message: Int, training: [Unicode.Scalar], inference: [Unicode.Scalar]) {
    self.message = message
    let same = zip(training, inference).prefix { $0 == $1 }.count
    func excerpt(_ scalars: [Unicode.Scalar]) -> String {
      let start = max(0, same - 16), end = min(scalars.count, same + 32)
      let text = String(String.UnicodeScalarView(scalars[start..<end]))
      return (start > 0 ? "…" : "") + text + (end < scalars.count ? "…" : "")
    }
    self.training = excerpt(training)
    self.inference = excerpt(inference)
  }

  public var description: String {
    "the template prints the conversation up to message \(message + 1) otherwise than at inference: "
      + "\(training.debugDescription) in the whole conversation, \(inference.debugDescription) when the model is asked"
  }
}
