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
}
