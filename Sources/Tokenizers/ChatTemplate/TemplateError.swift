/// Why a chat template could not be read or rendered.
public struct TemplateError: Error, Hashable, CustomStringConvertible {
  public enum Kind: String, Sendable, Hashable {
    /// The template is not Jinja.
    case syntax
    /// Jinja that this interpreter does not know: a tag, filter, test, method or number it lacks.
    case unsupported
    /// Something was asked of an undefined value.
    case undefined
    /// An operation met a value of the wrong type.
    case type
    /// The type was right and the value was not: an index, a division by zero, a failed unpacking.
    case value
    /// An attribute that the sandbox refuses.
    case refused
    /// The template itself called `raise_exception`; `message` is its text.
    case raised
    /// Steps, depth, output or memory beyond ``ChatTemplate/Limits``.
    case limit
  }

  public let kind: Kind
  public let message: String
  /// Line of the template, from 1.
  public let line: Int

  public var description: String {
    kind == .raised ? "the chat template refuses this conversation: \(message)"
      : "chat template, line \(line): \(message)"
  }
}
