internal import HoldfastBasics

/// Rows of several dialects as `messages` that a chat template prints.
enum Conversation {
  /// ShareGPT's names for who speaks.
  private static let roles = [
    "human": "user", "gpt": "assistant", "bing": "assistant", "chatgpt": "assistant", "bard": "assistant", "observation": "tool",
    "function_response": "tool",
  ]

  /// `messages` as they stand; tools written as a text of JSON are read.
  static func tidy(_ row: JSONObject) throws(RowError) -> JSONObject {
    guard let text = row["tools"]?.string else { return row }
    var row = row
    if text.trimmingSpaces().isEmpty {
      row["tools"] = nil
    } else {
      do throws(JSONError) { row["tools"] = try JSON(text: text) } catch { throw RowError("`tools` is a text, but \(error)") }
    }
    return row
  }

  /// `conversations` of `from` and `value`, or of `role` and `content`.
  static func sharegpt(_ row: JSONObject) throws(RowError) -> JSONObject {
    var result = row
    var messages = try turns(row["conversations"], "conversations")
    if let system = row["system"]?.string, !system.isEmpty, messages.first?["role"] != "system" {
      messages.insert(message("system", system), at: 0)
    }
    result["conversations"] = nil
    result["system"] = nil
    result["messages"] = .array(messages)
    return try tidy(result)
  }

  /// A prompt and an answer, each a text, a message or a list of messages. Only the answer is learnt.
  static func of(prompt: JSON?, answer: JSON?, in row: JSONObject) throws(RowError) -> JSONObject {
    var messages: [JSON] = []
    switch prompt {
    case nil, .null?: break
    case .string(let text)?: messages.append(message("user", text))
    case let turns?:
      for turn in try self.turns(turns, "prompt") {
        guard var object = turn.object else { continue }
        if object["role"] == "assistant", object["train"] == nil { object["train"] = .bool(false) }
        messages.append(.object(object))
      }
    }
    switch answer {
    case .string(let text)?:
      if text.isEmpty { throw RowError("the answer is empty") }
      messages.append(message("assistant", text))
    case let turns?: messages += try self.turns(turns, "the answer")
    case nil: throw RowError("`completion` is missing")
    }
    var result = row
    for name in ["prompt", "completion", "chosen", "rejected", "conversations"] { result[name] = nil }
    if let system = row["system"]?.string, !system.isEmpty, messages.first?["role"] != "system" {
      messages.insert(message("system", system), at: 0)
      result["system"] = nil
    }
    result["messages"] = .array(messages)
    return try tidy(result)
  }

  static func message(_ role: String, _ content: String) -> JSON { ["role": .string(role), "content": .string(content)] }

  /// A list of turns, or one alone, as messages.
  static func turns(_ value: JSON?, _ name: String) throws(RowError) -> [JSON] {
    guard let value else { throw RowError("`\(name)` is missing") }
    guard let turns = value.array ?? (value.object == nil ? nil : [value]), !turns.isEmpty else {
      throw RowError("`\(name)` must be a list of objects with `from` and `value`, or `role` and `content`, not empty")
    }
    var messages: [JSON] = []
    for (number, turn) in turns.enumerated() {
      guard var message = turn.object else { throw RowError("turn \(number + 1) of `\(name)` is no object") }
      if let role = message["from"] ?? message["role"] {
        guard let word = role.string else { throw RowError("turn \(number + 1) of `\(name)` has a role that is no text") }
        message["from"] = nil
        message["role"] = .string(roles[word] ?? word)
      } else {
        throw RowError("turn \(number + 1) of `\(name)` has neither `from` nor `role`")
      }
      if let value = message["value"], message["content"] == nil {
        message["value"] = nil
        message["content"] = value
      }
      if message["role"] == "function_call" { message = try calls(message, number + 1) }
      messages.append(.object(message))
    }
    return messages
  }

  /// ShareGPT writes a call as its JSON in the turn's text; templates want it as `tool_calls`.
  private static func calls(_ message: JSONObject, _ number: Int) throws(RowError) -> JSONObject {
    let content: JSON
    if let text = message["content"]?.string {
      do throws(JSONError) { content = try JSON(text: text) } catch { throw RowError("the function call of turn \(number) is not JSON") }
    } else {
      content = message["content"] ?? .null
    }
    var calls: [JSON] = []
    for call in content.array ?? [content] {
      guard let name = call["name"]?.string else { throw RowError("the function call of turn \(number) has no `name`") }
      calls.append(["type": "function", "function": ["name": .string(name), "arguments": call["arguments"] ?? .object(JSONObject())]])
    }
    var result = message
    result["role"] = "assistant"
    result["content"] = ""
    result["tool_calls"] = .array(calls)
    return result
  }
}

/// An instruction, perhaps with an input, and the answer to it.
struct AlpacaRow {
  private let instruction, input, output: String
  private let system: String?
  private let history: [(String, String)]
  private let row: JSONObject

  init(_ row: JSONObject) throws(RowError) {
    self.row = row
    instruction = try row.text("instruction")
    input = row["input"] == nil || row["input"] == .null ? "" : try row.text("input")
    output = try row.text("output")
    if output.isEmpty { throw RowError("`output` is empty") }
    let system = row["system"] == nil || row["system"] == .null ? "" : try row.text("system")
    self.system = system.isEmpty ? nil : system
    var history: [(String, String)] = []
    for turn in row["history"]?.array ?? [] {
      guard let pair = turn.array, pair.count == 2, let said = pair[0].string, let answer = pair[1].string else {
        throw RowError("`history` must be a list of pairs of texts")
      }
      history.append((said, answer))
    }
    self.history = history
  }

  /// Prompt and completion, in the words that Alpaca was trained on. A system text stands in place of the first sentence.
  func text() throws(RowError) -> JSONObject {
    if !history.isEmpty { throw RowError("`history` needs `template: chat`: Alpaca's text has no place for it") }
    let opening =
      system
      ?? (input.isEmpty
        ? "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        : "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.")
    let middle = input.isEmpty ? "" : "### Input:\n\(input)\n\n"
    return [
      "prompt": .string("\(opening)\n\n### Instruction:\n\(instruction)\n\n\(middle)### Response:\n"), "completion": .string(output),
    ]
  }

  /// The same as a conversation; the input follows the instruction on a line of its own, and only the last answer is learnt.
  var messages: JSONObject {
    var messages: [JSON] = []
    if let system { messages.append(Conversation.message("system", system)) }
    for (said, answer) in history {
      messages.append(Conversation.message("user", said))
      messages.append(["role": "assistant", "content": .string(answer), "train": false])
    }
    messages.append(Conversation.message("user", input.isEmpty ? instruction : instruction + "\n" + input))
    messages.append(Conversation.message("assistant", output))
    var result = row
    for name in ["instruction", "input", "output", "system", "history"] { result[name] = nil }
    result["messages"] = .array(messages)
    return result
  }
}
