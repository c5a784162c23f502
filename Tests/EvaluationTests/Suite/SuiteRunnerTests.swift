import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastRecords
import HoldfastTokenizers
import Testing

#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

@Suite("Running suites", .serialized) struct SuiteRunnerTests {
  private static let yaml = """
    name: toy
    tasks:
      - {name: text, kind: nll, file: text.txt, window: 20}
      - {name: documents, kind: nll, file: documents.jsonl, metric: nats_per_label}
      - {name: pick, kind: choice, file: pick.jsonl, prompt: ["{{ prompt }}", "b{{ prompt }}"]}
      - {name: write, kind: generate, file: write.jsonl, max_tokens: 6}
      - {name: overlap, kind: generate, file: write.jsonl, metric: f1, max_tokens: 12, stop: ["\\n", "bb"], role: domain}
      - {name: answers, kind: reference, file: write.jsonl, role: domain}
    """

  private static func folder() throws -> SuiteFolder {
    try SuiteFolder([
      "text.txt": String(repeating: "abc dab hgf e\n", count: 12),
      "documents.jsonl": #"{"text": "abcabc"}"# + "\n" + #"{"text": "hgfedcba hgfedcba"}"#,
      "pick.jsonl": (0..<12).map { #"{"prompt": "\#(["ab", "cd", "ha"][$0 % 3])", "options": ["a b", "hg", "c"], "answer": \#($0 % 3)}"# }.joined(separator: "\n"),
      "write.jsonl": (0..<8).map { #"{"prompt": "\#(["a", "bc", "gh d", "e"][$0 % 4])", "answer": "\#(["a", "dd", "hb", "bb c"][($0 / 2) % 4])"}"# }.joined(separator: "\n"),
    ])
  }

  private struct Killed: Error {}

  @Test("values are those of the parts: likelihoods, options, answers")
  func values() throws {
    let folder = try Self.folder(), evaluator = try Toy.evaluator(seed: 3)
    let suite = try folder.suite(Self.yaml)
    let result = try SuiteRunner(suite).run(SuiteModel(hash: "toy") { evaluator })
    #expect(result.tasks.map(\.name) == ["text", "documents", "pick", "write", "overlap", "answers"])

    let text = String(repeating: "abc dab hgf e\n", count: 12), rule = WindowRule(length: 20, front: evaluator.front)
    let whole = try evaluator.scores(ofText: text, rule: rule), task = try #require(result["text"])
    #expect(abs(task.estimate.value - (try #require(whole.bitsPerByte(bytes: text.utf8.count))).value) < 1e-6)
    #expect(abs(task.estimate.standardError! - whole.bitsPerByte(bytes: text.utf8.count)!.standardError!) < 1e-6)
    #expect(task.others.map(\.name) == ["text.nats_per_label"] && abs(task.others[0].value - whole.natsPerToken.value) < 1e-6)

    // Each document's likelihood alone, by brute force.
    var nats = 0.0, labels = 0
    for text in ["abcabc", "hgfedcba hgfedcba"] {
      let found = try Toy.bruteForce(evaluator.model, evaluator.ids(of: text))
      nats -= found.reduce(0, +)
      labels += found.count
    }
    #expect(abs(result["documents"]!.estimate.value - nats / Double(labels)) < 1e-5)

    let pick = try #require(result["pick"])
    #expect(pick.chance == 1.0 / 3 && pick.forms.count == 2)
    #expect(abs(pick.forms.reduce(0) { $0 + $1.value } / 2 - pick.estimate.value) < 1e-12)
    let first = try evaluator.choices((0..<12).map { EvaluationItem(prompt: ["ab", "cd", "ha"][$0 % 3], options: [" a b", " hg", " c"], correct: $0 % 3) })
    // Behind a template an option gets the space that it lacks.
    #expect(pick.forms[0].value == first.accuracy(.byte).value)

    let items = (0..<8).map { EvaluationItem(prompt: ["a", "bc", "gh d", "e"][$0 % 4], completion: ["a", "dd", "hb", "bb c"][($0 / 2) % 4]) }
    #expect(try result["write"]!.perItem == evaluator.exactMatch(items, maximumTokens: 6).isMatch.map { $0 ? 1 : 0 })
    #expect(result["write"]!.chance == 0.25 && result["write"]!.samples.count == 3)
    let likelihoods = try evaluator.answerLikelihoods(items)
    #expect(zip(result["answers"]!.perItem, likelihoods).allSatisfy { abs($0 - log($1)) < 1e-12 })
  }

  @Test("answers end before a stop text, and are what greedy decoding writes")
  func stops() throws {
    let evaluator = try Toy.evaluator(seed: 3), prompts = ["a", "bc", "gh d", "e", "f"]
    let plain = try evaluator.continuations(of: prompts, maximumTokens: 20, stops: [])
    #expect(plain.contains { $0.count > 3 })
    for (i, prompt) in prompts.enumerated() {
      #expect(try evaluator.continuations(of: [prompt], maximumTokens: 20, stops: []) == [plain[i]])
      guard plain[i].count > 3 else { continue }
      // A stop text of two characters out of the middle.
      let stop = String(plain[i].dropFirst(1).prefix(2))
      let cut = try evaluator.continuations(of: [prompt], maximumTokens: 20, stops: [stop])[0]
      #expect(plain[i].hasPrefix(cut) && !cut.contains(stop) && plain[i].dropFirst(cut.count).hasPrefix(stop))
    }
    // What all prompts begin with is read once, and changes nothing.
    let fronts = ["a", "bc", "gh d"].map { "abc def gh abc def gh abc " + $0 }
    let alone = try fronts.map { try evaluator.continuations(of: [$0], maximumTokens: 20, stops: [])[0] }
    #expect(try evaluator.continuations(of: fronts, maximumTokens: 20, stops: []) == alone)
    #expect(Set(alone).count > 1)
    #expect("one two three".cut(before: ["three", "two"]) == "one ")
  }

  @Test("a killed run goes on where it was: nothing is asked twice, and nothing is loaded where all is known")
  func cache() throws {
    let folder = try Self.folder(), suite = try folder.suite(Self.yaml), cache = folder.path + "/cache"
    let evaluator = try Toy.evaluator(seed: 3)
    let runner = SuiteRunner(suite, cache: cache)
    var loads = 0, asked: [String] = []
    func run(stopAfter: Int? = nil, hash: String = "toy") throws -> SuiteResult {
      asked = []
      return try runner.run(SuiteModel(hash: hash) { loads += 1; return evaluator }) { event in
        switch event {
        case .asking(let task, _, _): asked.append(task.name)
        case .finished: if asked.count == stopAfter { throw Killed() }
        }
      }
    }
    #expect(throws: Killed.self) { _ = try run(stopAfter: 3) }
    #expect(asked == ["text", "documents", "pick"] && loads == 1)
    #expect(runner.cached(SuiteModel(hash: "toy") { evaluator }) == nil)
    let result = try run()
    #expect(asked == ["write", "overlap", "answers"] && loads == 2)
    let again = try run()
    #expect(asked.isEmpty && loads == 2)
    #expect(again.tasks == result.tasks)
    #expect(runner.cached(SuiteModel(hash: "toy") { evaluator })?.tasks == result.tasks)
    // Fresh values are those that were kept.
    let fresh = try SuiteRunner(suite).run(SuiteModel(hash: "toy") { evaluator })
    #expect(fresh.tasks == result.tasks)
    // Another model knows nothing; another name and role of a task keep its values.
    _ = try run(hash: "other")
    #expect(asked.count == 6)
    let renamed = try folder.suite("tasks: [{name: new, kind: generate, file: write.jsonl, max_tokens: 6, role: domain, weight: 3}]")
    let kept = try #require(SuiteRunner(renamed, cache: cache).cached(SuiteModel(hash: "toy") { evaluator }))
    #expect(kept.tasks[0].name == "new" && kept.tasks[0].role == .domain && kept.tasks[0].weight == 3)
    #expect(kept.tasks[0].perItem == result["write"]!.perItem)
    // Half a file is none.
    let names = try Files.list(cache + "/other")
    for name in names { try Files.writeAtomically("{\"name\":", to: cache + "/other/" + name) }
    _ = try run(hash: "other")
    #expect(asked.count == 6)
  }

  @Test("items that no context holds are named for all tasks before anything is asked")
  func lengths() throws {
    let long = String(repeating: "ab ", count: 30)
    let folder = try SuiteFolder([
      "long.jsonl": #"{"prompt": "a", "answer": "b"}"# + "\n" + #"{"prompt": "\#(long)", "answer": "b"}"#,
      "pick.jsonl": #"{"prompt": "a", "options": ["b", "\#(long)"], "answer": 0}"#,
    ])
    let suite = try folder.suite(
      "name: s\ntasks: [{name: fits, kind: nll, file: long.jsonl}, {kind: generate, file: long.jsonl}, {kind: choice, file: pick.jsonl}]")
    var asked = 0
    let problems = #expect(throws: Problems.self) {
      _ = try SuiteRunner(suite).run(SuiteModel(hash: "1") { try Toy.evaluator(seed: 3) }) { if case .finished = $0 { asked += 1 } }
    }
    #expect(
      problems?.complaints == [
        "long: 1 of 2 items are longer than the model's context of 64 tokens, the longest (line 2) with 91; take fewer shots, or other items",
        "pick: 1 of 1 items are longer than the model's context of 64 tokens, the longest (line 1) with 92; take fewer shots, or other items",
      ])
    #expect(asked == 0)
  }

  @Test("results as JSON and back; means need one unit; the same items of two models are compared")
  func results() throws {
    let folder = try Self.folder(), suite = try folder.suite(Self.yaml)
    let one = try SuiteRunner(suite).run(SuiteModel(hash: "1") { try Toy.evaluator(seed: 3) })
    let two = try SuiteRunner(suite).run(SuiteModel(hash: "2") { try Toy.evaluator(seed: 4) })
    let back = try #require(SuiteResult(JSON(text: one.json.text())))
    #expect(back.tasks == one.tasks && back.hash == suite.hash)
    let problems = #expect(throws: Problems.self) { try one.mean(.domain) }
    #expect(problems?.complaints == ["tasks of role domain have several units: overlap (overlap), answers (nats a label); give those that are to stand aside `weight: 0`"])
    #expect(throws: Problems.self) { try suite.checkMean(.general) }
    let apart = try folder.suite("tasks: [{kind: generate, file: write.jsonl}, {kind: choice, file: pick.jsonl, weight: 3}]")
    try apart.checkMean(.general)
    let mean = try SuiteRunner(apart).run(SuiteModel(hash: "1") { try Toy.evaluator(seed: 3) }).mean(.general)
    let parts = try SuiteRunner(apart).run(SuiteModel(hash: "1") { try Toy.evaluator(seed: 3) }).tasks.map(\.estimate.value)
    #expect(abs(mean.estimate.value - (parts[0] + 3 * parts[1]) / 4) < 1e-12 && mean.unit == "share of items")

    let comparison = try two["text"]!.compared(with: one["text"]!)
    #expect(comparison.test == "paired items, \(one["text"]!.perItem.count)" && comparison.higherIsBetter == false)
    #expect(abs(comparison.difference.value - (two["text"]!.estimate.value - one["text"]!.estimate.value)) < 1e-12)
    #expect(try one["write"]!.compared(with: one["write"]!).verdict == .noDifference)
    #expect(throws: Problems.self) { try one["write"]!.compared(with: one["overlap"]!) }
  }

  @Test("drift: none from itself, and the divergence of two models by brute force")
  func drift() throws {
    let folder = try SuiteFolder(["t.jsonl": #"{"prompt": "abc", "completion": "hgf"}"# + "\n" + #"{"text": "a b c d e"}"#])
    let suite = try folder.suite(
      """
      tasks:
        - {name: kl, kind: drift, file: t.jsonl}
        - {name: same, kind: drift, file: t.jsonl, metric: agreement}
        - {name: weights, kind: drift, metric: distance}
      """)
    let base = try Toy.evaluator(seed: 3), other = try Toy.evaluator(seed: 4)
    #expect(throws: Problems.self) { try SuiteRunner(suite).run(SuiteModel(hash: "1") { base }) }
    let none = try SuiteRunner(suite).run(SuiteModel(hash: "1") { base }, base: SuiteModel(hash: "1") { base })
    #expect(none["kl"]!.estimate.value == 0 && none["same"]!.estimate.value == 1 && none["weights"]!.perItem == [0])

    let found = try SuiteRunner(suite).run(SuiteModel(hash: "2") { other }, base: SuiteModel(hash: "1") { base })
    var sum = 0.0, agreed = 0.0, count = 0.0
    for text in ["abchgf", "a b c d e"] {
      let ids = try base.ids(of: text), width = base.model.configuration.vocabularySize
      let p = try base.model.logits(base.model.forward(Batch(texts: [ids])).hidden).cast(.float64).logSoftmax(axis: 1).doubles()
      let q = try other.model.logits(other.model.forward(Batch(texts: [ids])).hidden).cast(.float64).logSoftmax(axis: 1).doubles()
      for t in ids.indices {
        let row = t * width..<(t + 1) * width
        sum += row.reduce(0.0) { $0 + exp(p[$1]) * (p[$1] - q[$1]) }
        agreed += row.max { p[$0] < p[$1] } == row.max { q[$0] < q[$1] } ? 1 : 0
        count += 1
      }
    }
    #expect(abs(found["kl"]!.estimate.value - sum / count) < 1e-4 * sum / count)
    #expect(abs(found["same"]!.estimate.value - agreed / count) < 1e-12)
    #expect(found["weights"]!.estimate.value > 1)
  }
}
