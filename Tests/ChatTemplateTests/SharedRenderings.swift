import HoldfastBasics
import HoldfastTokenizers
import Testing

/// Every rendering and error that jinja2 and Transformers gave for real templates.
@Suite(.enabled(if: Support.hasShared, "../shared/chat-templates is not there"))
struct SharedRenderings {
  @Test func `real templates render as jinja2 renders them`() throws {
    let conversations = try #require(try Support.shared("conversations.json").array)
    var talks: [String: JSON] = [:]
    for talk in conversations { talks[talk["id"]?.string ?? ""] = talk }
    var total = 0
    for entry in try #require(try Support.shared("manifest.json").array) {
      let name = try #require(entry["name"]?.string)
      let source = try Support.sharedText(try #require(entry["file"]?.string))
      let expected = try #require(try Support.shared("expected/\(name).json").array)
      for row in expected {
        let id = row["conversation"]?.string ?? ""
        let talk = try #require(talks[id])
        var variables = JSONObject([
          ("messages", talk["messages"] ?? .null), ("tools", talk["tools"] ?? .null),
          ("documents", talk["documents"] ?? .null), ("add_generation_prompt", row["add_generation_prompt"] ?? .null),
        ])
        for extra in [entry["tokens"], talk["variables"]] {
          for (key, value) in (extra?.object ?? JSONObject()).members { variables[key] = value }
        }
        total += 1
        if let difference = Support.difference(source, variables, expected: row) {
          Issue.record("\(name), \(id), \(row["add_generation_prompt"] ?? .null): \(difference)")
        }
      }
    }
    #expect(total == 812)
  }

  @Test func `single constructs render as jinja2 renders them`() throws {
    let features = try #require(try Support.shared("features.json").array)
    let expected = try #require(try Support.shared("features-expected.json").array)
    #expect(features.count == 104 && expected.count == 104)
    for (feature, wanted) in zip(features, expected) {
      #expect(feature["name"] == wanted["name"])
      let source = try #require(feature["template"]?.string)
      if let difference = Support.difference(source, feature["context"]?.object ?? JSONObject(), expected: wanted) {
        Issue.record("\(wanted["name"]?.string ?? ""): \(difference)")
      }
    }
  }

  /// A model that never learns its end of turn never stops: in every template each answer is trained with what
  /// follows it.
  @Test func `every answer is trained with its end of turn`() throws {
    let messages: JSON = [
      ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Arr, größer."],
      ["role": "user", "content": "Arr, größer."], ["role": "assistant", "content": "In the bay ☕."],
    ]
    for entry in try #require(try Support.shared("manifest.json").array) {
      var variables = entry["tokens"]?.object ?? JSONObject()
      (variables["functions"], variables["datetime"]) = ("[]", "2024-05-06")
      let template = try ChatTemplate(try Support.sharedText(try #require(entry["file"]?.string)), clock: Support.clock)
      let name = entry["name"]?.string ?? ""
      // Hermes 3 goes through its tools without asking whether there are any.
      let tools: JSON = name == "hermes-3" ? [] : nil
      let rendered = try template.render(messages: messages, tools: tools, variables: variables)
      let scalars = Array(rendered.text.unicodeScalars)
      let pieces = rendered.trainedRanges().map { String(String.UnicodeScalarView(scalars[$0])) }
      #expect(pieces.count == 2, "\(name)")
      let ends = zip(pieces, ["Arr, größer.", "In the bay ☕."]).map { piece, answer in
        piece.hasPrefix(answer) ? String(piece.dropFirst(answer.count)) : "not after the answer"
      }
      #expect(ends.first == ends.last && ends.first?.hasPrefix("<") == true, "\(name): \(ends)")
      #expect(ends.first?.contains("user") == false, "\(name): \(ends)")
    }
  }

  /// What a model has to write to open a call, by the template; templates not named here print no calls.
  private static let markup = [
    "qwen2.5": "<tool_call>\n{\"name\": \"", "mistral-nemo": "[TOOL_CALLS][{", "functionary-v3.1": "<function=",
    "functionary-v3.2": "", "llama-3.1": "{\"name\": \"", "llama-3.2": "{\"name\": \"", "hermes-3": "<tool_call>\n{\"name\": \"",
    "firefunction-v2": " functools[{\"name\": \"", "deepseek-r1-distill": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
    "deepseek-r1-llama.cpp": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
  ]

  @Test func `a turn of nothing but a call is trained from the call's markup on`() throws {
    var seen: Set<String> = []
    for entry in try #require(try Support.shared("manifest.json").array) {
      let name = entry["name"]?.string ?? ""
      guard let markup = Self.markup[name] else { continue }
      let isText = name.hasPrefix("deepseek") || name.hasPrefix("f")
      let arguments: JSON = isText ? "{\"a\": 1}" : ["a": 1]
      let messages: JSON = [
        ["role": "user", "content": "add"],
        ["role": "assistant", "content": nil, "tool_calls": [
          ["id": "abcdefghi", "type": "function", "function": ["name": "add", "arguments": arguments]]
        ]],
      ]
      var variables = entry["tokens"]?.object ?? JSONObject()
      (variables["functions"], variables["datetime"]) = ("[]", "2024-05-06")
      let template = try ChatTemplate(try Support.sharedText(try #require(entry["file"]?.string)), clock: Support.clock)
      variables["messages"] = messages
      (variables["tools"], variables["documents"]) = (name.hasPrefix("h") || name == "functionary-v3.1" ? [] : nil, nil)
      let rendered = try template.render(variables)
      let ranges = rendered.trainedRanges(header: template.turnHeader(variables))
      try #require(ranges.count == 1, "\(name)")
      let learnt = String(String.UnicodeScalarView(Array(rendered.text.unicodeScalars)[ranges[0]]))
      let said = markup.isEmpty ? "add\n" : markup
      #expect(learnt.hasPrefix(said), "\(name): \(learnt.debugDescription)")
      #expect(learnt.contains("add") && !learnt.contains("assistant") && !learnt.contains("Assistant"), "\(name)")
      seen.insert(name)
    }
    #expect(seen == Set(Self.markup.keys))
  }
}
