import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import Testing

@Suite("Speculation") struct SpeculationTests {
  private func requests(_ count: Int, vocabulary: Int, temperature: Double) -> [GenerationRequest] {
    var stream = CounterGenerator(seed: 5, "requests")
    return Toy.prompts(count, vocabulary: vocabulary, longest: 12, seed: 31).enumerated().map { row, prompt in
      var request = GenerationRequest(prompt: prompt, maximumTokens: 1 + stream.below(40), stopIDs: [1])
      request.sampling = Sampling(temperature: temperature, topP: row % 3 == 1 ? 0.9 : 1, seed: UInt64(row))
      if row % 4 == 2 { request.sampling.repetitionPenalty = 1.3 }
      if row % 5 == 3 { (request.sampling.topK, request.sampling.minP) = (8, 0.02) }
      if row % 5 == 4 { request.sampling.logitBias = [3: 2, 4: -3] }
      return request
    }
  }

  private func tokens(_ ensemble: Ensemble, _ requests: [GenerationRequest], rows: Int, _ speculation: Speculation?) throws -> (
    ids: [[Int]], counts: GenerationCounts
  ) {
    let engine = try GenerationEngine(ensemble, rows: rows, capacity: 64, speculation: speculation)
    let ids = try engine.run(requests).map { $0.map(\.id) }
    return (ids, engine.counts)
  }

  /// One request after another, a token a step, by scoring the text so far: no cache is reused, nothing shares a call.
  private func stepByStep(_ ensemble: Ensemble, _ request: GenerationRequest) throws -> [Int] {
    var text = request.prompt, tokens: [Int] = []
    while tokens.count < request.maximumTokens {
      var all = GenerationRequest(prompt: text, maximumTokens: 1)
      all.likeliest = 1
      let best = try ensemble.scores(of: [(all, [0])])[0][0].likeliest[0].id
      tokens.append(best)
      text.append(best)
      if request.stopIDs.contains(best) { break }
    }
    return tokens
  }

  @Test("greedy generation equals a step-by-step reference", arguments: [DType.float32, .bfloat16])
  func reference(_ dtype: DType) throws {
    let ensemble = try Toy.Family(dtype: dtype).ensemble()
    let all = Toy.prompts(6, vocabulary: 29, seed: 40).map { GenerationRequest(prompt: $0, maximumTokens: 12, stopIDs: [1]) }
    #expect(try tokens(ensemble, all, rows: 4, nil).ids == all.map { try stepByStep(ensemble, $0) })
  }

  @Test(
    "coupled speculation changes no token: blocks of 1 to 16, 1 to 16 rows, greedy and drawn", arguments: [DType.float32, .bfloat16],
    [0, 0.9])
  func coupled(_ dtype: DType, _ temperature: Double) throws {
    for experts in [1, 2] {
      let ensemble = try Toy.Family(dtype: dtype).ensemble(experts: experts)
      #expect(ensemble.isRowInvariant)
      let requests = requests(16, vocabulary: 29, temperature: temperature), plain = try tokens(ensemble, requests, rows: 1, nil).ids
      #expect(try tokens(ensemble, requests, rows: 16, nil).ids == plain)
      for block in 1...16 {
        let rows = block % 2 == 0 ? 17 - block : block
        let found = try tokens(ensemble, requests, rows: rows, Speculation(.coupled, block: block, isAdaptive: block % 3 == 0))
        #expect(found.ids == plain, "block \(block), \(rows) rows")
        let agreement = try #require(found.counts.agreement)
        #expect(agreement > 0.1 && agreement < 1, "\(agreement)")
      }
    }
  }

  @Test("a draft model proposes for a model alone, and for an ensemble", arguments: [DType.float32, .bfloat16])
  func draft(_ dtype: DType) throws {
    let family = try Toy.Family(dtype: dtype)
    let requests = requests(7, vocabulary: 29, temperature: 0.8)
    for ensemble in [
      try Ensemble(base: .init("target", family.expert), draft: .init("draft", family.anti)),
      try Ensemble(
        base: .init("L", family.base), experts: [.init("F", family.expert)], antiExpert: .init("S", family.anti),
        draft: .init("draft", family.other)),
    ] {
      let plain = try tokens(ensemble, requests, rows: 3, nil).ids
      for block in [1, 3, 8] {
        let found = try tokens(ensemble, requests, rows: 4, Speculation(.coupled, block: block))
        #expect(found.ids == plain)
        #expect(found.counts.agreed > 0)
      }
    }
  }

  @Test("passes: a model that is its own draft reads a block for one pass")
  func passes() throws {
    let family = try Toy.Family()
    let ensemble = try Ensemble(base: .init("L", family.base), draft: .init("L", family.base))
    let request = GenerationRequest(prompt: [3], maximumTokens: 32)
    let found = try tokens(ensemble, [request], rows: 1, Speculation(.coupled, block: 8, isAdaptive: false))
    #expect(found.counts.agreement == 1)
    #expect(found.counts.passes == [4, 32])
    #expect(try found.ids == tokens(Ensemble(family.base), [request], rows: 1, nil).ids)
  }

  /// χ² of pairs of tokens drawn by rejection against the exact distribution.
  @Test("rejection draws from the same distribution: χ² over 100,000 draws")
  func rejection() throws {
    let vocabulary = 5, family = try Toy.Family(vocabulary: vocabulary), ensemble = try family.ensemble()
    let draws = 50_000, prompt = [2, 3]
    var requests: [GenerationRequest] = []
    for seed in 0..<draws {
      requests.append(GenerationRequest(prompt: prompt, maximumTokens: 2, sampling: Sampling(temperature: 1.2, seed: UInt64(seed))))
    }
    let engine = try GenerationEngine(ensemble, rows: 256, capacity: 8, speculation: Speculation(.rejection, block: 2, isAdaptive: false))
    var counts = [Int](repeating: 0, count: vocabulary * vocabulary)
    for tokens in try engine.run(requests) { counts[tokens[0].id * vocabulary + tokens[1].id] += 1 }

    func probabilities(_ prompt: [Int]) throws -> [Double] {
      var request = GenerationRequest(prompt: prompt, maximumTokens: 1)
      request.likeliest = vocabulary
      let row = try ensemble.scores(of: [(request, [0])])[0][0].likeliest.sorted { $0.id < $1.id }
      let weights = row.map { power($0.logProbability / 1.2) }, sum = weights.reduce(0, +)
      return weights.map { $0 / sum }
    }
    var statistic = 0.0, cells = -1, restSeen = 0.0, restExpected = 0.0
    let first = try probabilities(prompt)
    for a in 0..<vocabulary {
      let second = try probabilities(prompt + [a])
      for b in 0..<vocabulary {
        let expected = first[a] * second[b] * Double(draws), seen = Double(counts[a * vocabulary + b])
        if expected < 5 {
          (restSeen, restExpected) = (restSeen + seen, restExpected + expected)
        } else {
          statistic += (seen - expected) * (seen - expected) / expected
          cells += 1
        }
      }
    }
    if restExpected >= 5 {
      (statistic, cells) = (statistic + (restSeen - restExpected) * (restSeen - restExpected) / restExpected, cells + 1)
    }
    // χ² with 24 degrees of freedom passes 58.6 with a chance of 1e-4; with fewer the bound is wider than need be.
    #expect(statistic < 58.6 && cells >= 8, "χ² \(statistic) of \(cells) degrees of freedom")
    let agreement = try #require(engine.counts.agreement)
    #expect(agreement > 0.2 && agreement < 1)
  }

  private func power(_ x: Double) -> Double {
    // e^x without a library: (e^(x/1024))^1024 by the series.
    let y = x / 1024
    var result = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)))
    for _ in 0..<10 { result *= result }
    return result
  }

  @Test("rows that come and go change no other row")
  func comings() throws {
    let ensemble = try Toy.Family(dtype: .bfloat16).ensemble()
    let requests = requests(9, vocabulary: 29, temperature: 1).map { request in
      var request = request
      request.maximumTokens = 20
      request.stopIDs = []
      return request
    }
    let plain = try tokens(ensemble, requests, rows: 1, nil).ids
    for speculation in [nil, Speculation(.coupled, block: 4)] {
      let engine = try GenerationEngine(ensemble, rows: 3, capacity: 64, speculation: speculation)
      engine.promptTokensPerStep = 3
      var found = [Int: [Int]](), steps = 0, added = 0
      while engine.count > 0 || added < requests.count {
        if added < requests.count, steps % 2 == 0 { #expect(try engine.add(requests[added]) == added); added += 1 }
        if steps == 7 { engine.remove(2) }
        for progress in try engine.advance() { found[progress.request, default: []] += progress.tokens.map(\.id) }
        steps += 1
      }
      for row in requests.indices { #expect(row == 2 ? plain[2].starts(with: found[2] ?? []) : found[row] == plain[row]) }
    }
  }

  @Test("log p while generating equals log p by scoring")
  func scores() throws {
    let ensemble = try Toy.Family().ensemble(Emulation(beta: 1.5))
    let engine = try GenerationEngine(ensemble, rows: 2, capacity: 64, speculation: Speculation(.coupled, block: 5))
    let requests = requests(4, vocabulary: 29, temperature: 1)
    for (request, tokens) in zip(requests, try engine.run(requests)) {
      let scored = try ensemble.scores(of: [(request, tokens.map(\.id))], tokensPerStep: 3)[0]
      for (a, b) in zip(tokens, scored) {
        #expect(abs(a.logProbability - b.logProbability) < 1e-5)
        #expect(abs(a.mixture!.logZ - b.mixture!.logZ) < 1e-5 && abs(a.mixture!.totalVariation - b.mixture!.totalVariation) < 1e-5)
      }
    }
  }

  @Test("a prompt that another row has read is not read again, and nothing else changes")
  func prefixes() throws {
    let ensemble = try Toy.Family(dtype: .bfloat16).ensemble(),
      front = Toy.prompts(1, vocabulary: 29, longest: 60, seed: 77)[0] + Array(repeating: 5, count: 20)
    let requests = (0..<5).map {
      GenerationRequest(prompt: front + [$0, 7], maximumTokens: 6, sampling: Sampling(temperature: 1, seed: UInt64($0)))
    }
    let plain = try requests.map { request in try GenerationEngine(ensemble, rows: 1, capacity: 128).run([request])[0].map(\.id) }
    let engine = try GenerationEngine(ensemble, rows: 2, capacity: 128)
    #expect(try engine.run(requests).map { $0.map(\.id) } == plain)
    // The two first begin together; the other three find the front in all three models.
    #expect(engine.counts.sharedPromptTokens >= 3 * 3 * front.count)
  }
}
