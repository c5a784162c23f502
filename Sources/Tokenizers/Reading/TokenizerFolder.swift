internal import HoldfastBasics

/// The files of a tokenizer beside tokenizer.json.
struct TokenizerFolder {
  let tokenizer: JSON
  let configuration: JSON?
  /// special_tokens_map.json, which older folders have for what tokenizer_config.json lacks.
  let specialTokens: JSON?
  let templateFile: String?
  /// Paths that were read.
  let files: [String]

  init(_ folder: String) throws {
    var files: [String] = []
    func json(_ name: String) throws -> JSON {
      let path = folder + "/" + name
      files.append(path)
      return try MappedFile(path: path).json()
    }
    func present(_ name: String) -> Bool { Files.exists(folder + "/" + name) }
    tokenizer = try json("tokenizer.json")
    configuration = present("tokenizer_config.json") ? try json("tokenizer_config.json") : nil
    specialTokens = present("special_tokens_map.json") ? try json("special_tokens_map.json") : nil
    if present("chat_template.jinja") {
      let path = folder + "/chat_template.jinja"
      files.append(path)
      templateFile = try MappedFile(path: path).text()
    } else {
      templateFile = nil
    }
    self.files = files
  }
}

extension JSON {
  /// The text of a special token: `"<s>"`, or an object with `content`.
  func specialToken(_ key: String) -> String? { self[key]?.string ?? self[key]?["content"]?.string }

  /// The chat template of tokenizer_config.json; of several named ones the one called "default".
  var chatTemplate: String? {
    if let text = self["chat_template"]?.string { return text }
    return self["chat_template"]?.array?.first { $0["name"]?.string == "default" }?["template"]?.string
  }
}
