import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

/// What is learnt of a conversation, against what an independent oracle found (Scripts/mask_oracle.py --fixture).
@Suite("The mask")
struct MaskTests {
  private static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Tests/Fixtures"

  private static func json(_ name: String) throws -> JSON { try JSON(text: MappedFile(path: root + "/" + name).text()) }

  @Test("ids and marks are the oracle's, for templates and conversations of our own")
  func oracle() throws {
    let fixture = try Self.json("mask/cases.json")
    var tokenizers: [String: Tokenizer] = [:]
    var tokens = 0, trained = 0
    let cases = try #require(fixture["cases"]?.array)
    for (number, wanted) in cases.enumerated() {
      let name = try #require(wanted["tokenizer"]?.string), template = try #require(wanted["template"]?.string)
      let tokenizer = try tokenizers[name] ?? Tokenizer(
        tokenizer: Self.json("tokenizers/\(name)/tokenizer.json"), configuration: nil, path: name)
      tokenizers[name] = tokenizer
      let messages = try TemplateMessages(
        try #require(fixture["templates"]?[template]?.string), variables: try #require(fixture["tokens"]?.object))
      let row = try #require(wanted["row"]?.object)
      let rendered = try messages.render(row, training: row.trainedMessages())
      #expect(rendered.text == wanted["rendered"]?.string, "case \(number), \(template)")
      let rendering = ExampleRenderer(encoder: tokenizer, messages: messages).render(rendered)
      #expect(rendering.ids.map(JSON.integer) == wanted["ids"]?.array, "case \(number), \(template), \(name)")
      #expect(rendering.isTrained.map { .integer($0 ? 1 : 0) } == wanted["trained"]?.array, "case \(number), \(template), \(name)")
      tokens += rendering.ids.count
      trained += rendering.trainedCount
    }
    #expect(cases.count == 64 && trained > 5000 && trained < tokens)
  }

  private let template =
    "{% for m in messages %}{% if m.role == 'system' %}({{ m.content }}){% else %}<{{ m.role }}>"
    + "{{ m.content.split('/')[-1] if not loop.last else m.content }}$\n{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"

  private func examples(
    _ row: JSONObject, template: String? = nil, trainOn: TrainOn? = nil, turns: Turns? = nil
  ) throws -> [(text: String, trained: String)] {
    let encoder = ToyEncoder(beginningID: nil, endID: nil)
    let renderer = ExampleRenderer(encoder: encoder, messages: try TemplateMessages(template ?? self.template))
    return try renderer.render(row, format: .messages, trainOn: trainOn, turns: turns).map { rendering in
      func text(_ ids: [Int]) -> String {
        String(String.UnicodeScalarView(ids.map { Unicode.Scalar(UInt32($0 - 10)) ?? "?" }))
      }
      return (text(rendering.ids), text(zip(rendering.ids, rendering.isTrained).filter(\.1).map(\.0)))
    }
  }

  private func turns(_ contents: String..., fields: [Int: [(String, JSON)]] = [:]) -> JSONObject {
    ["messages": .array(contents.enumerated().map { i, content in
      .object(JSONObject([("role", i % 2 == 0 ? "user" : "assistant"), ("content", .string(content))] + (fields[i] ?? [])))
    })]
  }

  @Test("a message's own word wins over train_on")
  func perMessage() throws {
    let plain = turns("a", "b", "c", "d")
    #expect(try examples(plain).map(\.trained) == ["b$\nd$\n"])
    #expect(try examples(plain, trainOn: .completion).map(\.trained) == ["d$\n"])
    #expect(try examples(plain, trainOn: .all).map(\.trained) == ["user>a$\n<assistant>b$\n<user>c$\n<assistant>d$\n"])
    #expect(try examples(turns("a", "b", "c", "d", fields: [1: [("train", false)]])).map(\.trained) == ["d$\n"])
    #expect(try examples(turns("a", "b", "c", "d", fields: [1: [("weight", 0)], 2: [("train", true)]])).map(\.trained) == ["c$\nd$\n"])
    #expect(try examples(turns("a", "b", "c", "d", fields: [1: [("weight", 1.0)]]), trainOn: .completion).map(\.trained) == ["b$\nd$\n"])
  }

  @Test(
    "what a message cannot say is refused",
    arguments: [
      ("weight", JSON.number(-0.5), "must be a number from 0"), ("weight", "1", "must be a number from 0"), ("weight", JSON.number(1e99), "must be a number from 0"), ("train", "no", "neither true nor false"),
    ])
  func refusals(key: String, value: JSON, reason: String) throws {
    let row = turns("a", "b", fields: [1: [(key, value)]])
    let error = try #require(throws: RowError.self) { try examples(row) }
    #expect(error.reason.contains(reason) && error.reason.contains("message 2"))
  }

  /// Learnt characters with their weights, examples of a row one behind another.
  private func weights(_ row: JSONObject, trainOn: TrainOn? = nil, turns: Turns? = nil) throws -> [[String: Float]] {
    let renderer = ExampleRenderer(encoder: ToyEncoder(beginningID: nil, endID: nil), messages: try TemplateMessages(template))
    return try renderer.render(row, format: .messages, trainOn: trainOn, turns: turns).map { rendering in
      var found: [String: Float] = [:]
      for (i, id) in rendering.ids.enumerated() where rendering.isTrained[i] {
        let scalar = String(Unicode.Scalar(UInt32(id - 10))!)
        if "abcdxy".contains(scalar) { found[scalar] = rendering.weights.isEmpty ? 1 : rendering.weights[i] }
      }
      return found
    }
  }

  @Test("a message's weight stands at its own tokens and nowhere else")
  func weights() throws {
    let row = turns("a", "b", "c", "d", fields: [1: [("weight", 0.5)], 2: [("weight", 0.25)]])
    #expect(try weights(row) == [["b": 0.5, "c": 0.25, "d": 1]])
    #expect(try weights(row, turns: .split) == [["b": 0.5], ["c": 0.25], ["d": 1]])
    #expect(try weights(row, turns: .last) == [["d": 1]])
    let spoken = turns("x", "b", "y", "d", fields: [1: [("weight", 2)], 3: [("weight", 2), ("train", true)]])
    #expect(try weights(spoken, trainOn: .all).first?.filter { "xbyd".contains($0.key) } == ["x": 1, "b": 2, "y": 1, "d": 2])
    #expect(try weights(spoken) == [["b": 2, "d": 2]])
    // Where every learnt message weighs 1, nothing is kept.
    let renderer = ExampleRenderer(encoder: ToyEncoder(beginningID: nil, endID: nil), messages: try TemplateMessages(template))
    let plain = try renderer.render(turns("a", "b", "c", "d", fields: [0: [("weight", 0)], 1: [("weight", 1)]]), format: .messages, trainOn: nil)
    #expect(plain.map(\.weights) == [[]])
  }

  @Test("contradictions are refused")
  func contradictions() throws {
    #expect(throws: RowError.self) { try examples(turns("a", "b", fields: [1: [("train", true), ("weight", 0)]])) }
    #expect(throws: RowError.self) { try examples(turns("a", "b", fields: [1: [("train", false)]]), trainOn: .all) }
    #expect(throws: RowError.self) { try examples(turns("a", "b"), trainOn: .all, turns: .split) }
    let text = try #require(throws: RowError.self) {
      try ExampleRenderer(encoder: ToyEncoder()).render(["text": "a"], format: .text, trainOn: nil, turns: .last)
    }
    #expect(text.reason.contains("needs `messages`"))
  }

  @Test("history that stands otherwise at inference is refused until `turns` is said")
  func history() throws {
    // The template keeps what stands before a slash in the last message only, as templates do with reasoning.
    let row = turns("a", "x/b", "c", "y/d")
    let error = try #require(throws: RowError.self) { try examples(row) }
    #expect(error.reason.contains("up to message 2 otherwise than at inference"))
    #expect(error.reason.contains("turns: last"))
    // The first answer loses what the model would have written; nothing before it differs. Said, it is as said.
    #expect(try examples(row, turns: .all).map(\.trained) == ["b$\ny/d$\n"])
    let split = try examples(row, turns: .split)
    #expect(split.map(\.text) == ["<user>a$\n<assistant>x/b$\n", "<user>a$\n<assistant>b$\n<user>c$\n<assistant>y/d$\n"])
    #expect(split.map(\.trained) == ["x/b$\n", "y/d$\n"])
    #expect(try examples(row, turns: .last).map(\.trained) == ["y/d$\n"])
    // Without anything to strip all is as at inference.
    #expect(try examples(turns("a", "b", "c", "d")).count == 1)
  }

  @Test("split puts a turn behind what the model is asked with")
  func moved() throws {
    // The system's text stands in the last message if that is the user's: never in training, always at inference.
    let template =
      "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{% if loop.last and m.role == 'user' %}({{ messages[0].content }}){% endif %}"
      + "{{ m.content }}$\n{% endfor %}{% if add_generation_prompt %}<assistant>{% else %}#{% endif %}"
    let row: JSONObject = [
      "messages": [
        ["role": "system", "content": "S"], ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
        ["role": "user", "content": "c"], ["role": "assistant", "content": "d"], ["role": "user", "content": "e"],
      ]
    ]
    let error = try #require(throws: RowError.self) { try examples(row, template: template) }
    #expect(error.reason.contains(#"up to message 3"#) && error.reason.contains(#""<user>(S)a$\n<assistant>b$\n""#), "\(error.reason)")
    let split = try examples(row, template: template, turns: .split)
    #expect(split.map(\.text) == ["<user>(S)a$\n<assistant>b$\n#", "<user>a$\n<assistant>b$\n<user>(S)c$\n<assistant>d$\n#"])
    #expect(split.map(\.trained) == ["b$\n", "d$\n"])
  }

  @Test("tokens across an edge are counted")
  func edges() throws {
    let conversation = RenderedMessages(text: "abcdefgh", trained: [3..<6])
    let wide = ExampleRenderer(encoder: ToyEncoder(width: 2)).render(conversation)
    #expect(wide.isTrained == [false, false, true, false] && wide.edgeTokens == 1)
    #expect(ExampleRenderer(encoder: ToyEncoder(width: 8)).render(conversation).edgeTokens == 1)
    #expect(ExampleRenderer(encoder: ToyEncoder(width: 3)).render(conversation).edgeTokens == 0)
    #expect(ExampleRenderer(encoder: ToyEncoder(width: 2)).render(prompt: "abc", completion: "d").edgeTokens == 1)
  }
}
