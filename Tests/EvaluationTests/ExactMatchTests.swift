import HoldfastBasics
import HoldfastDatasets
import HoldfastDecoding
import HoldfastEvaluation
import HoldfastTokenizers
import Testing

@Suite("Exact match") struct ExactMatchTests {
  private func prompts(count: Int) -> [String] {
    var stream = CounterGenerator(seed: 21, "prompts")
    return (0..<count).map { _ in String((0..<(1 + stream.below(12))).map { _ in stream.pick(Array("abcdefgh ")) }) }
  }

  @Test("deciding by one packed pass agrees with generating every answer")
  func shortCut() throws {
    var matched = 0, decided = 0, all = 0
    for seed in [1, 2, 3, 4] as [UInt64] {
      let evaluator = try Toy.evaluator(seed: seed), prompts = prompts(count: 40)
      let written = try evaluator.answers(to: prompts, maximumTokens: 24)
      // A third of the expected answers are what the model writes, the others differ in the end, at the start, or in length.
      let items = zip(prompts, written).enumerated().map { i, pair in
        let (prompt, text) = pair
        return switch i % 6 {
        case 0, 1: EvaluationItem(prompt: prompt, completion: text)
        case 2: EvaluationItem(prompt: prompt, completion: " " + text + " ")
        case 3: EvaluationItem(prompt: prompt, completion: text + "a")
        case 4: EvaluationItem(prompt: prompt, completion: String(text.dropLast()))
        default: EvaluationItem(prompt: prompt, completion: "b" + text)
        }
      }
      let scores = try evaluator.exactMatch(items, maximumTokens: 24)
      for (i, item) in items.enumerated() {
        let limit = max(24, evaluator.tokenizer.encode(item.completion).count)
        let text = try evaluator.answers(to: [item.prompt], maximumTokens: limit)[0]
        #expect(scores.isMatch[i] == (text == item.answer), "\(item), wrote \(text)")
      }
      matched += scores.isMatch.count { $0 }
      decided += items.count - scores.generated
      all += items.count
      #expect(scores.share.value == Double(scores.isMatch.count { $0 }) / 40)
    }
    // The test would say nothing if nothing matched or everything had to be generated.
    #expect(matched > 20 && matched < all / 2 + 40)
    #expect(decided > all / 2)
  }

  @Test("many prompts of different lengths answer as each does alone")
  func batching() throws {
    var evaluator = try Toy.evaluator(seed: 9)
    evaluator.rowsPerBatch = 7
    let prompts = prompts(count: 30)
    let together = try evaluator.answers(to: prompts, maximumTokens: 12)
    #expect(try prompts.map { try evaluator.answers(to: [$0], maximumTokens: 12)[0] } == together)
  }

  @Test("an answer ends at the end token or its line")
  func stops() throws {
    let evaluator = try Toy.evaluator(seed: 1)
    #expect(evaluator.stops == [1, 2])
    #expect(evaluator.front == [0])
  }

  @Test("items of the little world keep prompt, completion and the right option")
  func littleWorld() throws {
    var withOptions = 0
    for family in LittleWorld.Family.allCases {
      for item in LittleWorld().items(family, .test, count: 20) {
        let ours = EvaluationItem(item)
        #expect(ours.prompt == item.prompt && ours.completion == item.completion && ours.answer == item.answer)
        #expect(ours.options == item.options)
        if let correct = ours.correct {
          #expect(item.options[correct] == item.completion)
          withOptions += 1
        }
      }
    }
    #expect(withOptions > 100)
  }
}
