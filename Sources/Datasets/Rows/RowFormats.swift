internal import HoldfastBasics

/// The forms that rows are rendered from; every other format is read as one of them.
package enum PlainFormat: Sendable, Hashable {
  case text, promptCompletion, messages
}

extension DataFormat {
  /// The members a row must have, each by one of several names.
  private var members: [[String]] {
    switch self {
    case .text: [["text"]]
    case .promptCompletion: [["prompt"], ["completion"]]
    case .messages: [["messages"]]
    case .sharegpt: [["conversations"]]
    case .alpaca: [["instruction"], ["output"]]
    case .preference: [["chosen"], ["rejected"]]
    case .multipleChoice: [["prompt", "question"], ["choices", "options"], ["answer", "answerKey"]]
    }
  }

  /// What a row holds, judged by its members.
  init(of row: JSONObject) throws(RowError) {
    var found = DataFormat.allCases.filter { $0.members.allSatisfy { $0.contains { row[$0] != nil } } }
    // A pair whose conversation stands beside it is one thing, and so is a question with its answer written out.
    if found.contains(.preference) { found.removeAll { $0 == .sharegpt } }
    if found.contains(.promptCompletion) { found.removeAll { $0 == .multipleChoice } }
    guard let format = found.first else {
      let keys = row.keys.prefix(8).map { "`\($0.prefix(40))`" }.joined(separator: ", ")
      throw RowError(
        "it has \(keys.isEmpty ? "no member" : keys), but needs `text`, `prompt` and `completion`, or `messages` (or another format of Docs/data.md); `fields:` maps other names")
    }
    guard found.count == 1 else {
      throw RowError("it fits the formats \(found.map(\.rawValue).joined(separator: " and ")): name one with `format:`")
    }
    self = format
  }

  /// The row in one of the three plain forms. Members that the format does not know are left as they are.
  func plain(_ row: JSONObject, template: PromptTemplate) throws(RowError) -> (JSONObject, PlainFormat) {
    switch self {
    case .text: return (row, .text)
    case .promptCompletion:
      if row["prompt"]?.array != nil || row["completion"]?.array != nil {
        return (try Conversation.of(prompt: row["prompt"], answer: row["completion"], in: row), .messages)
      }
      if template == .plain { return (row, .promptCompletion) }
      return (try Conversation.of(prompt: row["prompt"], answer: row["completion"], in: row), .messages)
    case .messages: return (try Conversation.tidy(row), .messages)
    case .sharegpt: return (try Conversation.sharegpt(row), .messages)
    case .alpaca:
      let alpaca = try AlpacaRow(row)
      return template == .plain ? (try alpaca.text(), .promptCompletion) : (alpaca.messages, .messages)
    case .multipleChoice:
      let choice = try ChoiceRow(row)
      let plain: JSONObject = ["prompt": .string(choice.prompt), "completion": .string(choice.options[choice.correct])]
      if template == .plain { return (plain, .promptCompletion) }
      let bare: JSON = .string(choice.options[choice.correct].trimmingSpaces())
      return (try Conversation.of(prompt: plain["prompt"], answer: bare, in: JSONObject()), .messages)
    case .preference:
      throw RowError("a preference pair has two answers; it is learnt from by objectives over pairs (dpo)")
    }
  }
}

extension JSONObject {
  /// The row with the names that the format has for its members.
  ///
  /// - Parameter fields: by the format's name, the row's own.
  func renamed(_ fields: [String: String]) throws(RowError) -> JSONObject {
    if fields.isEmpty { return self }
    var row = self
    for (name, own) in fields.sorted(by: { $0.key < $1.key }) where name != own {
      guard let value = self[own] else { throw RowError("`\(own)`, which `fields` names for `\(name)`, is missing") }
      row[name] = value
      if fields[own] == nil { row[own] = nil }
    }
    return row
  }

  /// The row with what the chat template is told, where the row itself does not say it.
  func with(_ variables: JSONObject) -> JSONObject {
    if variables.isEmpty { return self }
    var all = variables, row = self
    for (name, value) in row["variables"]?.object?.members ?? JSONObject().members { all[name] = value }
    row["variables"] = .object(all)
    return row
  }

  /// A member that must be a text.
  func text(_ field: String) throws(RowError) -> String {
    guard let value = self[field] else { throw RowError("`\(field)` is missing") }
    guard let text = value.string else { throw RowError("`\(field)` is not a text") }
    return text
  }
}

extension String {
  /// Without spaces and line breaks at both ends.
  func trimmingSpaces() -> String {
    let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
    guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(scalars[...last])
  }
}
