import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import Testing
#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

@Suite("Emulated fine-tuning") struct EnsembleTests {
  private let texts = Toy.prompts(5, vocabulary: 29, longest: 30, seed: 21).map { $0 + [4, 9, 2] }

  /// log p of every id at every place of the texts.
  private func distributions(_ ensemble: Ensemble) throws -> [[Double]] {
    var asked: [(request: GenerationRequest, continuation: [Int])] = []
    for text in texts {
      var request = GenerationRequest(prompt: [text[0]], maximumTokens: 1)
      request.likeliest = 29
      asked.append((request, Array(text.dropFirst())))
    }
    var rows: [[Double]] = []
    for tokens in try ensemble.scores(of: asked) {
      for token in tokens { rows.append(token.likeliest.sorted { $0.id < $1.id }.map(\.logProbability)) }
    }
    return rows
  }

  private func difference(_ a: [[Double]], _ b: [[Double]]) -> Double {
    var worst = 0.0
    for (x, y) in zip(a, b) { for (p, q) in zip(x, y) { worst = max(worst, abs(p - q)) } }
    return worst
  }

  private func logSum(_ values: [Double]) -> Double {
    let top = values.max()!
    var sum = 0.0
    for value in values { sum += exp(value - top) }
    return top + log(sum)
  }

  /// log-softmax rows of the same places, by a forward pass.
  private func reference(_ decoder: Decoder) throws -> [[Double]] {
    var result: [[Double]] = []
    for text in texts {
      let rows = try decoder.logits(decoder.forward(Batch(texts: [text])).hidden).cast(.float64).logSoftmax(axis: 1).doubles()
      for place in 0..<text.count - 1 { result.append(Array(rows[(place * 29)..<((place + 1) * 29)])) }
    }
    return result
  }

  @Test("identities of the specification, to 1e-5")
  func identities() throws {
    let family = try Toy.Family()
    let l = try distributions(Ensemble(family.base)), f = try distributions(Ensemble(family.expert))
    func emulated(_ e: Emulation = Emulation(), base: DecodingModel? = nil, expert: DecodingModel? = nil, anti: DecodingModel? = nil) throws
      -> [[Double]]
    {
      try distributions(
        Ensemble(
          base: .init("L", base ?? family.base), experts: [.init("F", expert ?? family.expert)],
          antiExpert: .init("S", anti ?? family.anti), emulation: e))
    }
    let plain = try emulated()
    #expect(difference(try emulated(Emulation(beta: 0)), l) < 1e-5)
    #expect(difference(try emulated(Emulation(.delta, beta: 0)), f) < 1e-5)
    #expect(difference(try emulated(base: family.anti), f) < 1e-5, "base = anti-expert gives the expert")
    #expect(difference(try emulated(expert: family.anti), l) < 1e-5, "expert = anti-expert gives the base")
    #expect(difference(try emulated(Emulation(.delta)), plain) < 1e-5, "both modes at β = 1")
    #expect(difference(plain, l) > 0.1 && difference(plain, f) > 0.1)
    var filtered = Emulation(.delta)
    filtered.upscaleTopP = 1
    #expect(difference(try emulated(filtered), plain) < 1e-5)
    filtered.upscaleTopP = 1e-9
    let least = try emulated(filtered)
    #expect(difference(least, plain) > 0.1)
    var two = Emulation()
    two.weights = [1, 0]
    #expect(difference(try distributions(family.ensemble(two, experts: 2)), plain) < 1e-5)
    var clipped = Emulation()
    clipped.ratioClip = 1e-9
    #expect(difference(try emulated(clipped), l) < 1e-5, "a ratio clipped to nothing leaves the base")
    // Without base and anti-expert, and with a base that is the anti-expert: Σ w log p of the experts.
    two.weights = [0.3, 0.7]
    let experts = [Ensemble.Member("F", family.expert), Ensemble.Member("G", family.other)]
    let alone = try distributions(Ensemble(base: nil, experts: experts, emulation: two))
    let cancelled = try distributions(
      Ensemble(base: .init("S", family.anti), experts: experts, antiExpert: .init("S", family.anti), emulation: two))
    #expect(difference(alone, cancelled) < 1e-5)
    for row in plain { #expect(abs(logSum(row)) < 1e-5) }
  }

  @Test("the mixture against the formula from forward passes in f64")
  func formula() throws {
    let vocabulary = 29, base = try Toy.model(seed: 11, vocabulary: vocabulary)
    let expert = try Toy.model(seed: 15, vocabulary: vocabulary, deviation: 0.4),
      anti = try Toy.model(seed: 16, vocabulary: vocabulary, deviation: 0.4)
    let (l, f, s) = (try reference(base), try reference(expert), try reference(anti))
    let members = (try DecodingModel(base), try DecodingModel(expert), try DecodingModel(anti))
    let ensemble = try Ensemble(
      base: .init("L", members.0), experts: [.init("F", members.1)], antiExpert: .init("S", members.2), emulation: Emulation(beta: 1.4))
    var place = 0
    var asked: [(request: GenerationRequest, continuation: [Int])] = []
    for text in texts { asked.append((GenerationRequest(prompt: [text[0]], maximumTokens: 1), Array(text.dropFirst()))) }
    for (text, tokens) in zip(texts, try ensemble.scores(of: asked)) {
      for (token, id) in zip(tokens, text.dropFirst()) {
        var scores: [Double] = []
        for v in 0..<vocabulary { scores.append(l[place][v] + 1.4 * (f[place][v] - s[place][v])) }
        let logZ = logSum(scores)
        let info = try #require(token.mixture)
        #expect(abs(token.logProbability - (scores[id] - logZ)) < 1e-4)
        #expect(abs(info.logZ - logZ) < 1e-4)
        #expect(
          abs(info.base! - l[place][id]) < 1e-4 && abs(info.experts[0]! - f[place][id]) < 1e-4
            && abs(info.antiExpert! - s[place][id]) < 1e-4)
        var distance = 0.0
        for v in 0..<vocabulary { distance += abs(exp(scores[v] - logZ) - exp(f[place][v])) / 2 }
        #expect(abs(info.totalVariation - distance) < 1e-5)
        place += 1
      }
    }
  }

  @Test("an expert that is an adapter on the anti-expert runs in its batch and gives what two models give")
  func sharedPair() throws {
    let base = try DecodingModel(Toy.model(seed: 11, vocabulary: 29)), decoder = try Toy.model(seed: 12, vocabulary: 29)
    let apart = try DecodingModel(Toy.model(seed: 12, vocabulary: 29))
    try decoder.attach(AdapterConfiguration(rank: 2, alpha: 2), weights: NoisyWeights(seed: 9))
    let pair = try DecodingModel(decoder)
    let shared = try Ensemble(base: .init("L", base), experts: [.init("F", pair)], antiExpert: .init("S", pair, adapters: .none))
    let separate = try Ensemble(base: .init("L", base), experts: [.init("F", pair)], antiExpert: .init("S", apart))
    #expect(difference(try distributions(shared), try distributions(separate)) < 1e-5)
    #expect(shared.weightBytes < separate.weightBytes)
  }

  @Test("contrastive decoding: the base's excess over the anti-expert among plausible tokens")
  func contrastive() throws {
    let family = try Toy.Family()
    var how = Emulation(beta: 0.5)
    how.plausibility = 0.1
    let found = try distributions(Ensemble(base: .init("L", family.base), antiExpert: .init("S", family.anti), emulation: how))
    let l = try distributions(Ensemble(family.base)), s = try distributions(Ensemble(family.anti))
    for (place, row) in found.enumerated() {
      let least = l[place].max()! + log(0.1)
      var scores: [Double] = []
      for v in 0..<29 { scores.append(l[place][v] >= least ? 1.5 * l[place][v] - 0.5 * s[place][v] : -.infinity) }
      let logZ = logSum(scores)
      for (a, b) in zip(row, scores) {
        if b == -.infinity { #expect(a == -.infinity) } else { #expect(abs(a - (b - logZ)) < 1e-4) }
      }
    }
  }

  @Test("∏ Z re-weights samples to the target over whole texts")
  func sequences() throws {
    // Enumerated: Σ over texts of π̃(y) · ∏ Z(y) = Σ π_L π_F / π_S, and each text's share agrees.
    let family = try Toy.Family(vocabulary: 4), ensemble = try family.ensemble()
    var texts: [[Int]] = []
    for a in 0..<4 { for b in 0..<4 { for c in 0..<4 { texts.append([a, b, c]) } } }
    var asked: [(request: GenerationRequest, continuation: [Int])] = []
    for text in texts { asked.append((GenerationRequest(prompt: [1], maximumTokens: 1), text)) }
    var weighted: [Double] = []
    for tokens in try ensemble.scores(of: asked) {
      var sum = 0.0
      for token in tokens { sum += token.logProbability + token.mixture!.logZ }
      weighted.append(exp(sum))
    }
    func p(_ m: DecodingModel) throws -> [Double] {
      try Ensemble(m).scores(of: asked).map { tokens in
        var sum = 0.0
        for token in tokens { sum += token.logProbability }
        return sum
      }
    }
    let (l, f, s) = (try p(family.base), try p(family.expert), try p(family.anti))
    var target: [Double] = []
    for i in l.indices { target.append(exp(l[i] + f[i] - s[i])) }
    let sum = target.reduce(0, +), ours = weighted.reduce(0, +)
    #expect(abs(sum - ours) < 1e-4 * sum)
    for (a, b) in zip(weighted, target) { #expect(abs(a / ours - b / sum) < 1e-5) }
  }

  @Test("what cannot be is refused, all at once")
  func refusals() throws {
    let family = try Toy.Family()
    var e = Emulation(beta: -1)
    e.upscaleTopP = 2
    e.weights = [0.5, 0.7]
    #expect(e.complaints(experts: 2, hasBase: true, hasAntiExpert: false).count == 5)
    #expect(throws: Problems.self) { try family.ensemble(Emulation(.delta), experts: 2) }
    #expect(throws: Problems.self) { try Ensemble(base: .init("L", family.base), experts: [.init("F", family.expert)]) }
    let engine = try GenerationEngine(Ensemble(family.base), rows: 1, capacity: 300)
    #expect(throws: Problems.self) { try engine.add(GenerationRequest(prompt: [1, 2], maximumTokens: 127)) }
    #expect(throws: Problems.self) { try engine.add(GenerationRequest(prompt: [], maximumTokens: 1)) }
    #expect(throws: Problems.self) { try engine.add(GenerationRequest(prompt: [29], maximumTokens: 1)) }
    #expect(throws: Problems.self) { try engine.add(GenerationRequest(prompt: [1], maximumTokens: 1, sampling: Sampling(temperature: -1))) }
    #expect(throws: Problems.self) { try GenerationEngine(Ensemble(family.base), rows: 1, capacity: 8, speculation: Speculation()) }
  }
}
