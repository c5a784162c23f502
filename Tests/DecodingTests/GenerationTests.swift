import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import Testing

@Suite("Generation") struct GenerationTests {
  private func requests(count: Int, vocabulary: Int, sampling: (Int) -> Sampling) -> [GenerationRequest] {
    var stream = CounterGenerator(seed: 3, "prompts")
    return (0..<count).map { row in
      let prompt = (0..<(1 + stream.below(15))).map { _ in stream.below(vocabulary) }
      return GenerationRequest(prompt: prompt, maximumTokens: 1 + stream.below(20), stopIDs: [1], sampling: sampling(row))
    }
  }

  @Test("a batch of ragged prompts equals one at a time, greedy and sampled")
  func ragged() throws {
    let model = try Toy.model(seed: 1, vocabulary: 24)
    let greedy = requests(count: 9, vocabulary: 24) { _ in .greedy }
    #expect(try model.generate(greedy) == greedy.map { try model.generate([$0])[0] })
    let sampled = requests(count: 9, vocabulary: 24) { Sampling(temperature: 0.9, topP: 0.9, seed: UInt64($0)) }
    #expect(try model.generate(sampled) == sampled.map { try model.generate([$0])[0] })
  }

  @Test("greedy tokens are the likeliest of a forward pass over the whole text")
  func cache() throws {
    let model = try Toy.model(seed: 2, vocabulary: 24)
    let prompt = [0, 5, 9, 3]
    let tokens = try model.generate([GenerationRequest(prompt: prompt, maximumTokens: 30)])[0]
    #expect(tokens.count == 30)
    let text = prompt + tokens
    let logits = try model.logits(model.forward(Batch(texts: [text])).hidden)
    let likeliest = try logits.argmax(axis: 1).ints()
    #expect(Array(likeliest[(prompt.count - 1)..<(text.count - 1)]) == tokens)
  }

  @Test("a row ends at its stop token, its length, or where the caller says so")
  func ends() throws {
    let model = try Toy.model(seed: 2, vocabulary: 24)
    let prompt = [0, 5, 9, 3]
    let free = try model.generate([GenerationRequest(prompt: prompt, maximumTokens: 12)])[0]
    let stop = free[4]
    let stopped = try model.generate([GenerationRequest(prompt: prompt, maximumTokens: 12, stopIDs: [stop])])[0]
    #expect(stopped == Array(free[...free.firstIndex(of: stop)!]))
    #expect(try model.generate([GenerationRequest(prompt: prompt, maximumTokens: 0)]) == [[]])
    var seen: [Int] = []
    let cut = try model.generate([GenerationRequest(prompt: prompt, maximumTokens: 12)]) { row, token in
      seen.append(token)
      return row == 0 && seen.count < 3
    }
    #expect(cut == [Array(free[..<3])] && seen == cut[0])
    #expect(throws: EngineError.self) { try model.generate([GenerationRequest(prompt: [], maximumTokens: 1)]) }
  }

  @Test("the same seed draws the same text, another seed another")
  func seeds() throws {
    let model = try Toy.model(seed: 2, vocabulary: 24)
    func text(_ seed: UInt64) throws -> [Int] {
      try model.generate([
        GenerationRequest(prompt: [0, 4], maximumTokens: 40, sampling: Sampling(temperature: 1, seed: seed))
      ])[0]
    }
    let first = try text(7)
    #expect(try text(7) == first)
    #expect(try text(8) != first)
  }
}

@Suite("Sampling") struct SamplingTests {
  /// Critical values of χ² for a chance of 1e-4, by degrees of freedom (scipy.stats.chi2.isf).
  private let critical = [5: 25.745, 6: 27.856, 7: 29.878, 8: 31.828, 9: 33.720, 10: 35.564, 11: 37.367]
  private let vocabulary = 12
  private let draws = 6000

  /// Probabilities of the token behind a prompt, from the logits, in f64.
  private func probabilities(_ model: Decoder, _ prompt: [Int], temperature: Double) throws -> [Double] {
    let logits = try model.logits(model.forward(Batch(texts: [prompt])).hidden).doubles().suffix(vocabulary)
    let weights = try (Tensor(logits.map { Float($0 / temperature) }).cast(.float64)).softmax(axis: 0).doubles()
    return weights
  }

  private func counts(_ model: Decoder, _ prompt: [Int], temperature: Double, topP: Double) throws -> [Int] {
    let requests = (0..<draws).map {
      GenerationRequest(prompt: prompt, maximumTokens: 1, sampling: Sampling(temperature: temperature, topP: topP, seed: UInt64($0)))
    }
    var counts = [Int](repeating: 0, count: vocabulary)
    for tokens in try model.generate(requests) { counts[tokens[0]] += 1 }
    return counts
  }

  /// χ² of the draws. Tokens expected fewer than five times are put together.
  private func check(_ counts: [Int], _ probabilities: [Double]) throws {
    var statistic = 0.0, cells = 0, restSeen = 0.0, restExpected = 0.0
    for (count, p) in zip(counts, probabilities) {
      let expected = p * Double(draws)
      if expected == 0 { #expect(count == 0, "a token was drawn that must not be") }
      if expected < 5 {
        restSeen += Double(count)
        restExpected += expected
      } else {
        statistic += (Double(count) - expected) * (Double(count) - expected) / expected
        cells += 1
      }
    }
    if restExpected >= 5 {
      statistic += (restSeen - restExpected) * (restSeen - restExpected) / restExpected
      cells += 1
    }
    let bound = try #require(critical[max(5, cells - 1)])
    #expect(statistic < bound, "χ² \(statistic) with \(cells - 1) degrees of freedom")
  }

  @Test("temperature: draws follow softmax(logits / temperature)", arguments: [0.7, 1.0, 2.5])
  func temperature(_ temperature: Double) throws {
    let model = try Toy.model(seed: 6, vocabulary: vocabulary)
    let expected = try probabilities(model, [0, 3, 5], temperature: temperature)
    try check(counts(model, [0, 3, 5], temperature: temperature, topP: 1), expected)
  }

  @Test("top-p: draws follow the smallest set of likeliest tokens that reaches it", arguments: [0.3, 0.8, 0.95])
  func topP(_ topP: Double) throws {
    let model = try Toy.model(seed: 6, vocabulary: vocabulary)
    let all = try probabilities(model, [0, 3, 5], temperature: 1.5)
    var kept = [Double](repeating: 0, count: vocabulary), total = 0.0
    for i in all.indices.sorted(by: { all[$0] > all[$1] }) where total < topP {
      kept[i] = all[i]
      total += all[i]
    }
    #expect(kept.contains(0))
    try check(counts(model, [0, 3, 5], temperature: 1.5, topP: topP), kept.map { $0 / total })
  }

  @Test("a temperature near nothing is greedy")
  func cold() throws {
    let model = try Toy.model(seed: 6, vocabulary: vocabulary)
    let greedy = GenerationRequest(prompt: [0, 3, 5], maximumTokens: 20)
    var cold = greedy
    cold.sampling = Sampling(temperature: 1e-4, seed: 5)
    #expect(try model.generate([cold]) == model.generate([greedy]))
  }
}
