public import HoldfastBasics
public import HoldfastTokenizers

/// Prints conversations with the tokenizer's own chat template.
public struct TemplateMessages: MessageRenderer {
  private let template: ChatTemplate
  /// Special tokens by the names that templates know.
  private let variables: JSONObject

  /// nil where the tokenizer brings no template.
  public init?(_ tokenizer: Tokenizer) throws {
    guard let source = tokenizer.chatTemplate else { return nil }
    template = try ChatTemplate(source)
    var variables = JSONObject()
    for name in ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"] {
      let value = tokenizer.configuration?[name]
      if let text = value?.string ?? value?["content"]?.string { variables[name] = .string(text) }
    }
    self.variables = variables
  }

  public func render(_ row: JSONObject) throws -> RenderedMessages {
    let rendered = try template.render(
      messages: row["messages"] ?? .null, tools: row["tools"] ?? .null, documents: row["documents"] ?? .null, variables: variables)
    return RenderedMessages(text: rendered.text, assistant: rendered.trainedRanges())
  }
}
