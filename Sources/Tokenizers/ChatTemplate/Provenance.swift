// Every text of the interpreter knows where its characters come from, through filters, slices and concatenation.

/// Where a printed character comes from.
public enum TextSource: UInt8, Sendable, Hashable {
  /// Written in the template itself.
  case template
  /// Any value that no message holds: a special token, a tool, a number, a date.
  case variable
  /// Fields of a message.
  case role, content, reasoning, toolCalls, otherField

  /// The source of what stands under a message's key.
  init(key: String) {
    switch key {
    case "role": self = .role
    case "content": self = .content
    case "reasoning_content", "reasoning", "thinking": self = .reasoning
    case "tool_calls", "function_call": self = .toolCalls
    default: self = .otherField
    }
  }
}

/// A stretch of the rendered text with one origin.
public struct TextSpan: Sendable, Hashable {
  /// Unicode scalars of the rendered text.
  public let range: Range<Int>
  public let source: TextSource
  /// The message whose field this is; nil for template text and other values.
  public let message: Int?
  /// The message it was printed for: the one whose loop iteration was running. Nil outside the messages' loop.
  public let turn: Int?
}

/// The origin of a text, without its place.
struct Origin: Sendable, Hashable {
  var source: TextSource = .template
  /// -1: of no message.
  var message: Int32 = -1
  /// -1: not printed yet, or outside the messages' loop.
  var turn: Int32 = -1
  /// Which `{% generation %}` block printed it, from 1; 0: none.
  var generation: Int32 = 0

  static let template = Origin()
  static let variable = Origin(source: .variable)
}

/// Bytes up to `end` (and from the run before) have one origin.
struct Run: Sendable, Hashable {
  var end: Int32
  var origin: Origin
}
