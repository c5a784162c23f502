import HoldfastBasics
import HoldfastEvaluation
import Testing

@Suite("Scores of answers") struct AnswerScoreTests {
  @Test("F1 by SQuAD's definition and ROUGE-L of rouge_score")
  func overlap() throws {
    let file = try MappedFile(path: Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Fixtures/statistics/scorers.json")
    let rows = try #require(try withExtendedLifetime(file) { try file.json() }.array)
    #expect(rows.count == 86)
    for row in rows {
      let answer = try #require(row[0]?.string), reference = try #require(row[1]?.string)
      #expect(abs(AnswerScore.f1(answer, reference) - row[2]!.double!) < 1e-12, "F1 of \(answer) and \(reference)")
      #expect(abs(AnswerScore.rougeL(answer, reference) - row[3]!.double!) < 1e-12, "ROUGE-L of \(answer) and \(reference)")
    }
  }

  @Test(
    "the last number of a text",
    arguments: [
      ("so she pays $1,234.50 in all.", 1234.5), ("-7", -7), ("from 3 to 5-8", 8), ("12 − 15 = −3", -3), ("1.2.3", 2.3), ("it is .5", 0.5),
      ("7, 8, and 9.", 9), ("x-4", 4), ("1,000,000", 1_000_000),
    ])
  func numbers(text: String, value: Double) { #expect(AnswerScore.lastNumber(in: text) == value) }

  @Test("numbers, words and several right answers")
  func values() {
    #expect(AnswerScore.lastNumber(in: "none") == nil)
    #expect(AnswerScore.value(.numeric, "The answer is 18.0 dollars", references: ["18"]) == 1)
    #expect(AnswerScore.value(.numeric, "no idea", references: ["18"]) == 0)
    #expect(AnswerScore.value(.exact, " yes\n", references: ["no", "yes"]) == 1)
    #expect(AnswerScore.value(.exact, "Yes", references: ["yes"]) == 0)
    #expect(AnswerScore.value(.f1, "a blue ship", references: ["red", "the ship"]) == 2.0 / 3)
  }
}
