import HoldfastBasics
import HoldfastDecoding
import HoldfastServer
import HoldfastTokenizers
import Testing

extension ServerTests {
  @Suite("Completions over HTTP") struct CompletionTests {
    /// What the pieces of a stream come to, by answer.
    private func gathered(_ pieces: [JSON], isChat: Bool) -> [Int: (text: String, tokens: [JSON], finish: String?)] {
      var result: [Int: (text: String, tokens: [JSON], finish: String?)] = [:]
      for piece in pieces {
        for choice in piece["choices"]?.array ?? [] {
          let index = choice["index"]!.int!
          var mine = result[index] ?? ("", [], nil)
          mine.text += (isChat ? choice["delta"]?["content"] : choice["text"])?.string ?? ""
          mine.tokens += entries(choice, isChat: isChat)
          if let finish = choice["finish_reason"]?.string { mine.finish = finish }
          result[index] = mine
        }
      }
      return result
    }

    private func entries(_ choice: JSON, isChat: Bool) -> [JSON] {
      if isChat { return choice["logprobs"]?["content"]?.array ?? [] }
      guard let told = choice["logprobs"]?.object else { return [] }
      return told["tokens"]!.array!.indices.map { i in .array(told.keys.map { told[$0]![i]! }) }
    }

    @Test(arguments: [true, false]) func aStreamComesToTheWholeAnswer(isChat: Bool) async throws {
      try await Toy.serve(.init(rows: 3, isEmulated: true, ends: [40, 41, 42, 43])) { scene async throws in
        for (i, more) in ([
          [:], ["temperature": 0], ["stop": ["e", "t "], "n": 3], ["top_k": 20, "n": 2, "repetition_penalty": 1.2], ["stop": "a", "mixture": true],
          ["top_p": 0.5, "min_p": 0.01, "logit_bias": ["70": 5]], ["echo": true, "n": 2], ["echo": true, "logprobs": nil], ["beta": 0.3, "weights": ["kind": 1]],
        ] as [JSONObject]).enumerated() {
          if isChat, more["echo"] != nil { continue }
          var body: JSONObject = ["max_tokens": 40, "seed": .integer(i)]
          if isChat {
            body["messages"] = [["role": "user", "content": "Grüße, wie geht es?"]]
            body["logprobs"] = true
            body["top_logprobs"] = 3
          } else {
            body["prompt"] = ["The heron", "Ein Reiher"]
            body["logprobs"] = 3
          }
          for (key, value) in more.members { body[key] = value }
          let path = isChat ? "/v1/chat/completions" : "/v1/completions"
          let whole = try await scene.client.post(path, .object(body))
          #expect(whole.status == 200, "\(whole.body)")
          body["stream"] = true
          body["stream_options"] = ["include_usage": true]
          let streamed = try await scene.client.post(path, .object(body))
          #expect(streamed.headers["content-type"] == "text/event-stream" && streamed.events.last == "[DONE]")
          let pieces = gathered(streamed.pieces, isChat: isChat), choices = whole.json["choices"]!.array!
          #expect(pieces.count == choices.count && choices.count == (more["n"]?.int ?? 1) * (isChat ? 1 : 2))
          #expect(streamed.pieces.last?["usage"] == whole.json["usage"])
          for choice in choices {
            let mine = pieces[choice["index"]!.int!]!
            #expect(mine.text == (isChat ? choice["message"]?["content"] : choice["text"])?.string, "\(more)")
            #expect(mine.finish == choice["finish_reason"]?.string)
            #expect(mine.tokens == entries(choice, isChat: isChat), "\(more)")
            if let stop = more["stop"], let text = choice["text"]?.string {
              for stop in stop.array?.compactMap(\.string) ?? [stop.string!] { #expect(!text.contains(stop)) }
            }
          }
        }
      }
    }

    @Test func aSeedDecidesAndCompanyDoesNot() async throws {
      try await Toy.serve(.init(rows: 3)) { scene async throws in
        func text(_ seed: JSON?, _ n: Int = 1) async throws -> [String] {
          var body: JSONObject = ["prompt": "once upon", "max_tokens": 24, "n": .integer(n), "temperature": 1.5]
          body["seed"] = seed
          return try await scene.client.post("/v1/completions", .object(body)).json["choices"]!.array!.map { $0["text"]!.string! }
        }
        let alone = try await text(5)[0], other = try await text(6)[0]
        #expect(alone != other)
        let several = try await text(5, 4)
        #expect(several[0] == alone && Set(several).count == 4)
        // More requests than rows, at once: each gets what it gets alone.
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
          for i in 0..<12 { group.addTask { (i, try await text(.integer(i % 2 == 0 ? 5 : 6))[0]) } }
          for try await (i, found) in group { #expect(found == (i % 2 == 0 ? alone : other)) }
        }
        // The seed of a request that names none is told.
        let told = try await scene.client.post("/v1/completions", ["prompt": "once upon", "max_tokens": 24, "temperature": 1.5]).json
        #expect(told["seed"] == 77)
        #expect(try await text(77)[0] == told["choices"]![0]!["text"]!.string!)
        // The chosen tokens are those of the library.
        let vocabulary = scene.tokenizer.vocabularySize, ids = scene.tokenizer.encode("once upon", addSpecialTokens: false)
        let engine = try GenerationEngine(Toy.ensemble(vocabulary, isEmulated: false, context: Toy.context), rows: 1, capacity: Toy.context)
        let tokens = try engine.run([GenerationRequest(prompt: ids, maximumTokens: 24, sampling: Sampling(temperature: 1.5, seed: 5))])[0]
        var stream = TextStream(scene.tokenizer, after: ids), text = ""
        for token in tokens { text += stream.append(token.id) }
        #expect(text + stream.finish() == alone)
      }
    }

    @Test(arguments: [false, true]) func echoScoresAsTheLibraryDoes(isEmulated: Bool) async throws {
      try await Toy.serve(.init(isEmulated: isEmulated)) { scene async throws in
        let text = "The heron stands, grey – and öfter still.", ids = scene.tokenizer.encode(text, addSpecialTokens: false)
        let ensemble = try Toy.ensemble(scene.tokenizer.vocabularySize, isEmulated: isEmulated, context: Toy.context)
        var request = GenerationRequest(prompt: [ids[0]], maximumTokens: 1)
        request.likeliest = 1
        let scores = try ensemble.scores(of: [(request, Array(ids.dropFirst()))])[0]
        for prompt in [.string(text), .array(ids.map(JSON.integer))] as [JSON] {
          for tokens in 0...1 {
            let reply = try await scene.client.post(
              "/v1/completions", ["prompt": [prompt], "max_tokens": .integer(tokens), "echo": true, "logprobs": 1, "temperature": 0])
            let choice = reply.json["choices"]![0]!, told = choice["logprobs"]!
            let values = told["token_logprobs"]!.array!
            #expect(values.count == ids.count + tokens && values[0] == .null)
            #expect(values[1..<ids.count].map(\.double) == scores.map { $0.logProbability })
            for (i, score) in scores.enumerated() {
              let top = told["top_logprobs"]![i + 1]!.object!.values.compactMap(\.double).max()
              #expect(top == score.likeliest[0].logProbability)
            }
            #expect(choice["text"]!.string!.hasPrefix(text) && (tokens == 1 || choice["text"]!.string! == text))
            #expect(told["text_offset"]!.array!.map(\.int!) == told["text_offset"]!.array!.map(\.int!).sorted())
            #expect(told["text_offset"]![ids.count - 1]!.int! < text.unicodeScalars.count)
            #expect(reply.json["usage"]!["prompt_tokens"]!.int == ids.count && reply.json["usage"]!["completion_tokens"]!.int == tokens)
          }
        }
      }
    }

    @Test func emulationIsAskedForByFieldsAndByName() async throws {
      try await Toy.serve(.init(isEmulated: true)) { scene async throws in
        func ask(_ more: JSONObject) async throws -> JSON {
          var body: JSONObject = ["prompt": "the", "max_tokens": 30, "temperature": 0, "logprobs": 0, "mixture": true]
          for (key, value) in more.members { body[key] = value }
          return try await scene.client.post("/v1/completions", .object(body)).json["choices"]![0]!
        }
        let plain = try await ask([:]), off = try await ask(["beta": 0]), strong = try await ask(["model": "strong"])
        #expect(plain["text"] != off["text"] && strong["text"] != off["text"])
        #expect(try await ask(["model": "off"]) == off)
        #expect(try await ask(["beta": 2, "weights": [0.25, 0.75]]) == strong)
        #expect(try await ask(["beta": 2, "weights": ["terse": 0.75, "kind": 0.25]]) == strong)
        // With β = 0 the mixture is the base, and its words say so.
        for (i, mixture) in off["logprobs"]!["mixture"]!.array!.enumerated() {
          let told = off["logprobs"]!["token_logprobs"]![i]!.double!
          #expect(abs(told - mixture["base"]!.double!) < 1e-5)
        }
        // ℓL + β Σ w (ℓF − ℓS) − log Z
        for (i, m) in strong["logprobs"]!["mixture"]!.array!.enumerated() {
          let ratio = 0.25 * m["experts"]!["kind"]!.double! + 0.75 * m["experts"]!["terse"]!.double! - m["anti_expert"]!.double!
          let told = strong["logprobs"]!["token_logprobs"]![i]!.double!
          #expect(abs(told - (m["base"]!.double! + 2 * ratio - m["log_z"]!.double!)) < 1e-4)
        }
        let models = try await scene.client.get("/v1/models").json["data"]!.array!
        #expect(models.map { $0["id"]! } == ["toy", "off", "strong"])
        #expect(models[2]["emulation"]!["beta"]!.double == 2 && models[2]["emulation"]!["weights"] == [0.25, 0.75])
      }
    }
  }
}
