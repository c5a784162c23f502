import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import HoldfastTokenizers
import Testing

@Suite("Common vocabularies") struct VocabularyTests {
  private static let count = 605

  /// The tokenizer of the fixtures with its ids moved, and with further tokens.
  private func tokenizer(moving move: (Int) -> Int = { $0 }, adding more: [(Int, String)] = []) throws -> Tokenizer {
    let path = Files.folder(of: Files.folder(of: #filePath)) + "/Fixtures/tokenizers/bytes/tokenizer.json"
    guard case .object(var json) = try MappedFile(path: path).json(), case .object(var model)? = json["model"] else {
      throw EngineError(path)
    }
    // Every token stands in the vocabulary too, so that its id is free.
    var vocabulary = JSONObject(model["vocab"]!.object!.members.map { ($0, .integer(move($1.int!))) })
    var added: [JSON] = []
    for token in json["added_tokens"]!.array! {
      var token = token.object!
      let id = move(token["id"]!.int!)
      token["id"] = .integer(id)
      vocabulary[token["content"]!.string!] = .integer(id)
      added.append(.object(token))
    }
    for (id, text) in more {
      vocabulary[text] = .integer(id)
      added.append([
        "id": .integer(id), "content": .string(text), "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": true,
      ])
    }
    model["vocab"] = .object(vocabulary)
    json["model"] = .object(model)
    json["added_tokens"] = .array(added)
    return try Tokenizer(tokenizer: .object(json), configuration: nil, path: path)
  }

  private func member(_ name: String, _ tokenizer: Tokenizer, _ width: Int = count) -> CommonVocabulary.Member {
    .init(name: name, tokenizer: tokenizer, width: width)
  }

  /// Rows of embedding and head under other ids.
  private struct Moved: WeightSource {
    let source: any WeightSource
    let order: [Int]
    var names: [String]? { nil }
    func shape(of name: String) -> [Int]? { nil }
    func tensor(_ name: String) throws -> Tensor { throw EngineError("a shape is needed") }
    func tensor(_ name: String, shape: [Int]) throws -> Tensor {
      let made = try source.tensor(name, shape: shape)
      return shape[0] == order.count && shape.count == 2 ? try made.selecting(Tensor(order), axis: 0) : made
    }
  }

  @Test("padding is cut off; the same ids pass as they are")
  func padding() throws {
    let own = try tokenizer()
    let common = try CommonVocabulary(base: member("L", own, 640), experts: [member("F", own, 608)], antiExpert: member("S", own, 608))
    #expect(common.count == Self.count)
  }

  @Test("other tokens under the same ids are refused, ten of them by name")
  func different() throws {
    let own = try tokenizer(), other = try tokenizer { $0 < 300 ? $0 : 904 - $0 }
    do {
      _ = try CommonVocabulary(base: member("L", own), experts: [member("F", other)], antiExpert: member("S", own))
      Issue.record("nothing was refused")
    } catch {
      #expect(
        error.complaints.count == 12 && error.complaints[0].hasPrefix("id 300: L has ") && error.complaints[10] == "and 294 more ids",
        "\(error)")
    }
  }

  @Test("a permuted copy of a model, matched by texts, gives what the model itself gives")
  func permuted() throws {
    let order = (0..<Self.count).map { ($0 * 7 + 3) % Self.count }  // old id → new id
    var back = order
    for (old, new) in order.enumerated() { back[new] = old }
    let own = try tokenizer(), moved = try tokenizer { order[$0] }
    let configuration = try Toy.configuration(Self.count)
    func model(_ seed: UInt64, _ isMoved: Bool) throws -> DecodingModel {
      let weights = RandomWeights(seed: seed, deviation: 0.4, layerCount: 2)
      return try DecodingModel(Decoder(configuration, weights: isMoved ? Moved(source: weights, order: back) : weights))
    }
    func ensemble(_ isMoved: Bool) throws -> Ensemble {
      let tokens = isMoved ? moved : own
      return try Ensemble(
        base: .init("L", model(1, false)), experts: [.init("F", model(2, isMoved))], antiExpert: .init("S", model(3, isMoved)),
        vocabulary: CommonVocabulary(
          base: member("L", own), experts: [member("F", tokens)], antiExpert: member("S", tokens), rule: isMoved ? .map : .strict))
    }
    let request = GenerationRequest(prompt: own.encode("One two, three"), maximumTokens: 20, sampling: Sampling(temperature: 0.8, seed: 4))
    var results: [[GeneratedToken]] = []
    for isMoved in [false, true] {
      for speculation in [nil, Speculation(.coupled, block: 3)] {
        results.append(try GenerationEngine(ensemble(isMoved), rows: 1, capacity: 64, speculation: speculation).run([request])[0])
      }
    }
    for other in results.dropFirst() {
      #expect(other.map(\.id) == results[0].map(\.id))
      for (a, b) in zip(other, results[0]) { #expect(abs(a.logProbability - b.logProbability) < 1e-5) }
    }
  }

  @Test("a token that only the experts know has their probability, one that only the base knows the base's; nobody's is never chosen")
  func unknown() throws {
    // 605 stands in the experts' file alone, 606 in the base's alone, 607 in all, 608 in none.
    let base = try tokenizer(adding: [(606, "<base>"), (607, "<all>")])
    let expert = try tokenizer(adding: [(605, "<turn>"), (607, "<all>")]), anti = try tokenizer(adding: [(607, "<all>")])
    let configuration = try Toy.configuration(609)
    func model(_ seed: UInt64) throws -> DecodingModel {
      try DecodingModel(Decoder(configuration, weights: RandomWeights(seed: seed, deviation: 0.4, layerCount: 2)))
    }
    let common = try CommonVocabulary(base: member("L", base, 609), experts: [member("F", expert, 609)], antiExpert: member("S", anti, 609))
    #expect(common.count == 608)
    let ensemble = try Ensemble(
      base: .init("L", model(1)), experts: [.init("F", model(2))], antiExpert: .init("S", model(3)), vocabulary: common)
    var request = GenerationRequest(prompt: [3], maximumTokens: 1)
    request.likeliest = 608
    let tokens = try ensemble.scores(of: [(request, [605, 606, 607])])[0]
    func score(_ place: Int, _ id: Int) -> Double {
      tokens[place].likeliest.first { $0.id == id }!.logProbability + tokens[place].mixture!.logZ
    }
    #expect(
      abs(score(0, 605) - tokens[0].mixture!.experts[0]!) < 1e-5 && tokens[0].mixture!.base == nil && tokens[0].mixture!.antiExpert == nil)
    #expect(abs(score(1, 606) - tokens[1].mixture!.base!) < 1e-5 && tokens[1].mixture!.experts[0] == nil)
    let all = tokens[2].mixture!
    #expect(abs(score(2, 607) - (all.base! + all.experts[0]! - all.antiExpert!)) < 1e-5)
  }
}

@Suite("Stop texts") struct StopTextTests {
  @Test("what stands before a stop text is given out, and nothing that could begin one too early")
  func pieces() {
    var stops = StopText(["END", "\n\n", "é!"])
    #expect(["a", "bE", "N", "x"].map { stops.append($0) } == ["a", "b", "", "ENx"])
    #expect(["\n", "y\n"].map { stops.append($0) } == ["", "\ny"])
    #expect(stops.append("\nrest") == "" && stops.hasStopped && stops.finish() == "")
    var other = StopText(["é!"])
    #expect(
      [other.append("caf"), other.append("é"), other.append("s"), other.append(" é"), other.finish()] == ["caf", "", "és", " ", "é"])
    var none = StopText([])
    #expect(none.append("x") == "x" && none.finish() == "")
  }
}
