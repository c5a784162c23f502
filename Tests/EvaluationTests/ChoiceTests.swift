import Foundation
import HoldfastBasics
import HoldfastEvaluation
import HoldfastRecords
import HoldfastTokenizers
import Testing

@Suite("Multiple choice") struct ChoiceTests {
  private func items(count: Int) -> [EvaluationItem] {
    var stream = CounterGenerator(seed: 11, "items")
    func word(_ length: Int) -> String { String((0..<length).map { _ in stream.pick(Array("abcdefgh")) }) }
    return (0..<count).map { _ in
      let options = (0..<4).map { _ in " " + word(1 + stream.below(6)) }
      return EvaluationItem(prompt: word(3) + " " + word(4), options: options, correct: stream.below(4))
    }
  }

  @Test("options against brute force")
  func bruteForce() throws {
    let evaluator = try Toy.evaluator(seed: 2), items = items(count: 40)
    let scores = try evaluator.choices(items)
    var picks: [LengthNormalization: [Int]] = [:]
    for (i, item) in items.enumerated() {
      let prompt = evaluator.tokenizer.encode(item.prompt)
      var sums: [Double] = []
      for (o, option) in item.options.enumerated() {
        let ids = evaluator.tokenizer.encode(item.prompt + option)
        let alone = try Toy.bruteForce(evaluator.model, ids).suffix(ids.count - prompt.count)
        sums.append(alone.reduce(0, +))
        #expect(abs(scores.options[i][o].logProbability - sums[o]) <= 1e-4)
        #expect(scores.options[i][o].tokens == option.count && scores.options[i][o].bytes == option.utf8.count)
      }
      let means = zip(sums, item.options).map { $0 / Double($1.count) }
      picks[.none, default: []].append(sums.firstIndex(of: sums.max()!)!)
      picks[.byte, default: []].append(means.firstIndex(of: means.max()!)!)
    }
    #expect(scores.picks(.none) == picks[.none])
    #expect(scores.picks(.byte) == picks[.byte])
    #expect(scores.picks(.none) != scores.picks(.byte))
    let right = zip(picks[.none]!, items).count { $0 == $1.correct }
    let share = Double(right) / 40
    #expect(scores.accuracy(.none).value == share)
    #expect(abs(scores.accuracy(.none).standardError! - (share * (1 - share) / 39).squareRoot()) <= 1e-12)
    #expect(scores.records(name: "toy", what: "letters").map(\.name) == ["toy.accuracy", "toy.accuracy_per_token", "toy.accuracy_per_byte"])
  }

  @Test("normalization divides by tokens or bytes, and the first of equals is picked")
  func normalization() {
    let options: [ChoiceScores.Option] = [
      .init(logProbability: -6, tokens: 2, bytes: 12), .init(logProbability: -4, tokens: 1, bytes: 4),
      .init(logProbability: -4, tokens: 4, bytes: 5),
    ]
    let scores = ChoiceScores(options: [options], correct: [1])
    #expect(scores.picks(.none) == [1])
    #expect(scores.picks(.token) == [2])
    #expect(scores.picks(.byte) == [0])
    #expect(scores.hits(.none) == [1] && scores.hits(.token) == [0])
  }
}

@Suite("Items of a file") struct ItemFileTests {
  private func file(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/items-\(UUID()).jsonl"
    try Files.writeAtomically(text, to: path)
    return path
  }

  @Test("every form of a row")
  func forms() throws {
    let path = try file(
      """
      {"question": "Which?", "choices": ["a", "b", "c"], "answer": 1}
      {"question": "Which?", "choices": ["a", "b", "c"], "answer": "c"}
      {"prompt": "x =", "completion": " 2", "answer": "2", "options": [" 1", " 2"]}
      {"question": {"stem": "S?", "choices": [{"text": "t", "label": "A"}, {"text": "u", "label": "B"}]}, "answerKey": "B"}

      """)
    let items = try ItemFile.read(path, needsOptions: true)
    #expect(items == [
      EvaluationItem(prompt: "Question: Which?\nAnswer:", options: [" a", " b", " c"], correct: 1),
      EvaluationItem(prompt: "Question: Which?\nAnswer:", options: [" a", " b", " c"], correct: 2),
      EvaluationItem(prompt: "x =", options: [" 1", " 2"], correct: 1),
      EvaluationItem(prompt: "Question: S?\nAnswer:", options: [" t", " u"], correct: 1),
    ])
    let answers = try ItemFile.read(file("{\"prompt\": \"x =\", \"answer\": \" 2 \"}\n{\"question\": \"y?\", \"answer\": \"3\"}"), needsOptions: false)
    #expect(answers.map(\.prompt) == ["x =", "Question: y?\nAnswer:"])
    #expect(answers.map(\.completion) == [" 2 ", " 3"])
    #expect(answers.map(\.answer) == ["2", "3"])
  }

  @Test("bad rows are named with their lines, all at once")
  func bad() throws {
    let path = try file(
      """
      {"prompt": "x", "choices": ["a", "b"], "answer": 2}
      not JSON
      {"choices": ["a", "b"], "answer": 0}
      {"prompt": "x", "choices": ["a"], "answer": 0}
      {"prompt": "x", "choices": ["a", "b"], "answer": "z"}
      {"prompt": "x", "answer": "a"}
      {"prompt": "x", "choices": ["a", "b"], "answer": 1}
      """)
    let problems = try #require(throws: Problems.self) { try ItemFile.read(path, needsOptions: true) }
    #expect(problems.complaints.count == 6)
    for (line, words) in [(1, "answer"), (2, "JSON"), (3, "prompt"), (4, "two or more"), (5, "\"z\""), (6, "choices")] {
      #expect(problems.complaints[line - 1].contains("line \(line)") && problems.complaints[line - 1].contains(words))
    }
  }
}
