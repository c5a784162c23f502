import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import Testing

@Suite("Likelihoods") struct LikelihoodTests {
  /// Requests of every kind: shared contexts, one the beginning of another, one token, none.
  private func requests(seed: UInt64, count: Int) -> [LikelihoodRequest] {
    var stream = CounterGenerator(seed: seed, "requests")
    func text(_ length: Int) -> [Int] { (0..<length).map { _ in stream.below(Toy.vocabulary.count) } }
    var result: [LikelihoodRequest] = []
    for _ in 0..<count {
      let context = text(1 + stream.below(20)), first = text(stream.below(5))
      result.append(LikelihoodRequest(context: context, continuation: first))
      result.append(LikelihoodRequest(context: context, continuation: first + text(3)))
      result.append(LikelihoodRequest(context: context, continuation: text(1)))
    }
    return result
  }

  @Test("packed requests give what each text gives alone", arguments: [16, 100, 2048])
  func packing(tokensPerBatch: Int) throws {
    let model = try Toy.model(seed: 3)
    let requests = requests(seed: 7, count: 30)
    let scores = try model.likelihoods(of: requests, tokensPerBatch: tokensPerBatch)
    var largest = 0.0
    for (request, scores) in zip(requests, scores) {
      #expect(scores.count == request.continuation.count)
      let text = request.context + request.continuation
      guard text.count > 1 else { continue }
      let alone = try Toy.bruteForce(model, text).suffix(request.continuation.count)
      for (ours, theirs) in zip(scores, alone) { largest = max(largest, abs(Double(ours.logProbability) - theirs)) }
      #expect(abs(scores.logProbability - alone.reduce(0, +)) <= 1e-4)
    }
    #expect(largest > 0 && largest <= 2e-5)
  }

  @Test("`best` is the likeliest token")
  func best() throws {
    let model = try Toy.model(seed: 5)
    let text = [0, 4, 7, 5, 3, 9]
    let score = try model.likelihoods(of: [LikelihoodRequest(context: text, continuation: [6])])[0][0]
    let all = (0..<Toy.vocabulary.count).map { LikelihoodRequest(context: text, continuation: [$0]) }
    let each = try model.likelihoods(of: all).map { $0[0].logProbability }
    #expect(each.firstIndex(of: each.max()!) == score.best)
    #expect(abs(each.reduce(0.0) { $0 + exp(Double($1)) } - 1) < 1e-6)
  }

  @Test("windows of a text know nothing of one another")
  func windows() throws {
    let model = try Toy.model(seed: 4)
    var stream = CounterGenerator(seed: 1, "text")
    let ids = (0..<100).map { _ in 2 + stream.below(10) }
    let rule = WindowRule(length: 41, front: [0])
    #expect(rule.windows(of: 100) == [0..<40, 40..<80, 80..<100])
    let scores = try model.scores(of: ids, rule: rule)
    let expected = try rule.windows(of: 100).flatMap { try Toy.bruteForce(model, [0] + ids[$0]) }
    #expect(scores.count == 100)
    for (ours, theirs) in zip(scores.scores, expected) { #expect(abs(Double(ours!.logProbability) - theirs) <= 2e-5) }
    #expect(abs(scores.nats + expected.reduce(0, +)) <= 1e-3)
    #expect(abs(scores.natsPerToken.value - scores.nats / 100) <= 1e-12)
    let bits = try #require(scores.bitsPerByte(bytes: 50))
    #expect(abs(bits.value - scores.nats / (50 * 0.6931471805599453)) <= 1e-9)
  }

  @Test("without a front the first token of a window is not scored")
  func bare() throws {
    let model = try Toy.model(seed: 4)
    let ids = [4, 5, 6, 7, 8, 9, 10]
    let scores = try model.scores(of: ids, rule: WindowRule(length: 3, front: []))
    #expect(scores.scores.map { $0 == nil } == [true, false, false, true, false, false, true])
    #expect(scores.count == 4)
    #expect(scores.bitsPerByte(bytes: 7) == nil)
    let expected = try Toy.bruteForce(model, [4, 5, 6]) + Toy.bruteForce(model, [7, 8, 9])
    for (ours, theirs) in zip(scores.scores.compactMap { $0 }, expected) {
      #expect(abs(Double(ours.logProbability) - theirs) <= 2e-5)
    }
  }

  @Test("a text longer than the context is refused")
  func tooLong() throws {
    let model = try Toy.model(seed: 1, context: 8)
    let fits = LikelihoodRequest(context: [0, 4, 5, 6, 7, 8, 9], continuation: [4, 5])
    #expect(try model.likelihoods(of: [fits])[0].count == 2)
    let long = LikelihoodRequest(context: [0, 4, 5, 6, 7, 8, 9], continuation: [4, 5, 6])
    #expect {
      try model.likelihoods(of: [fits, long])
    } throws: { error in
      "\(error)".contains("text 2 has 9 tokens") && "\(error)".contains("8")
    }
  }
}
