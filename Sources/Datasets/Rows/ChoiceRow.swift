package import HoldfastBasics

/// A question with options, one of them right: what training and evaluation both read.
///
/// `prompt` stands as it is, and options are joined to it as they stand; `question` becomes "Question: …\nAnswer:", and
/// options get a space in front. The answer is the right text, a label (`{"text", "label"}`, as in ARC's files), a
/// number from 0, or a letter.
package struct ChoiceRow: Sendable {
  package let prompt: String
  package let options: [String]
  package let correct: Int

  package init(_ row: JSONObject) throws(RowError) {
    let stem = try QuestionStem(row)
    prompt = stem.prompt
    guard let listed = row["options"] ?? row["choices"] ?? row["question"]?["choices"] else { throw RowError("it has no `choices`") }
    // ARC's rows have one list of texts and one of labels.
    var texts: [String] = [], labels: [String?] = []
    let elements = listed.array ?? listed["text"]?.array ?? []
    guard elements.count > 1 else { throw RowError("`choices` must be a list of two or more") }
    for (i, element) in elements.enumerated() {
      guard let text = element.string ?? element["text"]?.string, !text.isEmpty else { throw RowError("a choice is no text, or empty") }
      texts.append(text)
      labels.append(element["label"]?.string ?? listed["label"]?[i]?.string)
    }
    let answer = row["answer"] ?? row["answerKey"]
    guard let right = Self.right(answer, completion: row["completion"]?.string, texts, labels) else {
      throw RowError(answer == nil ? "it has no `answer`" : "its `answer` \(answer!.text()) is none of its \(texts.count) choices")
    }
    options = texts.map(stem.behind)
    correct = right
  }

  private static func right(_ answer: JSON?, completion: String?, _ texts: [String], _ labels: [String?]) -> Int? {
    if let completion, let found = texts.firstIndex(of: completion) { return found }
    if let number = answer?.int { return texts.indices.contains(number) ? number : nil }
    guard let word = answer?.string else { return nil }
    let bare = word.trimmingSpaces()
    if let found = labels.firstIndex(of: word) ?? texts.firstIndex(of: word) ?? texts.firstIndex(where: { $0.trimmingSpaces() == bare }) { return found }
    // Unlabelled choices are A, B, C …; CSV writes numbers as text.
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".map(String.init)
    let place = letters.firstIndex(of: bare) ?? Int(bare)
    return place.flatMap { labels.allSatisfy { $0 == nil } && texts.indices.contains($0) ? $0 : nil }
  }
}

/// What stands before an answer.
package struct QuestionStem: Sendable {
  package let prompt: String
  private let isQuestion: Bool

  package init(_ row: JSONObject) throws(RowError) {
    let question = row["question"]
    isQuestion = row["prompt"] == nil
    guard let stem = isQuestion ? question?.string ?? question?["stem"]?.string : row["prompt"]?.string else {
      throw RowError("it needs `prompt` or `question` as a text" + (row["prompt"] == nil && question == nil ? "" : ", not something else"))
    }
    prompt = isQuestion ? "Question: \(stem)\nAnswer:" : stem
  }

  /// An answer as it reads behind the prompt.
  package func behind(_ text: String) -> String { isQuestion && text.first?.isWhitespace != true ? " " + text : text }
}
