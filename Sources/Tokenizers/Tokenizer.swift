public import HoldfastBasics

/// Text to token ids and back, as a Hugging Face `tokenizer.json` says.
public final class Tokenizer: Sendable {
  /// tokenizer_config.json, for special tokens as template variables; nil when there is none.
  public let configuration: JSON?
  /// Paths that were read, for hashing and for copying along into an export.
  public let files: [String]
  /// The chat template of chat_template.jinja or tokenizer_config.json.
  public let chatTemplate: String?
  /// The token that begins a text, by tokenizer_config.json.
  public let beginningID: Int?
  /// The token that ends a text.
  public let endID: Int?
  public let unknownID: Int?
  public let padID: Int?

  /// Reads tokenizer.json and, when present, tokenizer_config.json, special_tokens_map.json and chat_template.jinja.
  public convenience init(folder: String) throws {
    let path = folder + "/tokenizer.json"
    try self.init(tokenizer: MappedFile(path: path).json(), configuration: nil, path: path)
  }

  public init(tokenizer: JSON, configuration: JSON?, path: String) throws {
    throw Problems(path, ["tokenizers are being built"])
  }

  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int] { [] }
  public func encodeWithOffsets(_ text: String, addSpecialTokens: Bool = true) -> Encoding { Encoding() }
  public func decode(_ ids: some Sequence<Int>, skipSpecialTokens: Bool = false) -> String { "" }
  /// The highest id + 1, added tokens included.
  public var vocabularySize: Int { 0 }
  public func id(of token: String) -> Int? { nil }
  public func token(_ id: Int) -> String? { nil }
}
