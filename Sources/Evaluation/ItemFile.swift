internal import HoldfastBasics
internal import HoldfastDatasets

/// Questions of a JSONL file.
///
/// A row has a text before the answer and the answer:
/// - `prompt` stands as it is, and completions and options are joined to it as they stand; `question` becomes
///   "Question: …\nAnswer:", and what follows it gets a space in front.
/// - `answer`, or `completion` where that holds the text with its space.
/// - With `choices` (or `options`), a list of texts, `answer` is the right text or its number from 0. Choices written
///   `{"text", "label"}` are named by their label, and `answerKey` may stand for `answer`, as in ARC's files.
public enum ItemFile {
  /// Reads all rows; the first ten bad ones are named with file, line and reason.
  ///
  /// - Parameter needsOptions: whether a row without options is bad.
  public static func read(_ path: String, needsOptions: Bool) throws -> [EvaluationItem] {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    var items: [EvaluationItem] = []
    var problems = Problems(path)
    var bad = 0
    var lines = JSONLines(file.bytes, limits: RowLimits())
    while let (line, row) = lines.next() {
      do throws(RowError) {
        items.append(try item(try row.get(), needsOptions: needsOptions))
      } catch {
        bad += 1
        if bad <= 10 { problems.add("line \(line): \(error.reason)") }
      }
    }
    if bad > 10 { problems.add("and \(bad - 10) more rows") }
    if items.isEmpty && bad == 0 { problems.add("it holds no rows") }
    try problems.check()
    return items
  }

  static func item(_ row: JSONObject, needsOptions: Bool) throws(RowError) -> EvaluationItem {
    let question = row["question"]
    let isQuestion = row["prompt"] == nil
    let stem = isQuestion ? question?.string ?? question?["stem"]?.string : row["prompt"]?.string
    guard let stem else {
      throw RowError("it needs `prompt` or `question` as a text" + (row["prompt"] == nil && question == nil ? "" : ", not something else"))
    }
    let prompt = isQuestion ? "Question: \(stem)\nAnswer:" : stem
    func behind(_ text: String) -> String { isQuestion && text.first?.isWhitespace != true ? " " + text : text }

    let listed = row["options"] ?? row["choices"] ?? question?["choices"]
    let answer = row["answer"] ?? row["answerKey"]
    guard let listed, needsOptions else {
      if needsOptions { throw RowError("it has no `choices`") }
      guard let text = row["completion"]?.string ?? answer?.string else { throw RowError("it needs `answer` as a text") }
      return EvaluationItem(prompt: prompt, completion: behind(text))
    }
    guard let elements = listed.array, elements.count > 1 else { throw RowError("`choices` must be a list of two or more") }
    var texts: [String] = [], labels: [String?] = []
    for element in elements {
      guard let text = element.string ?? element["text"]?.string, !text.isEmpty else { throw RowError("a choice is no text, or empty") }
      texts.append(text)
      labels.append(element["label"]?.string)
    }
    let right: Int? =
      if let text = row["completion"]?.string, let found = texts.firstIndex(of: text) { found }
      else if let number = answer?.int { texts.indices.contains(number) ? number : nil }
      else if let text = answer?.string { labels.firstIndex(of: text) ?? texts.firstIndex(of: text) ?? texts.firstIndex { $0.trimmed == text.trimmed } }
      else { nil }
    guard let right else {
      throw RowError(answer == nil ? "it has no `answer`" : "its `answer` \(answer!.text()) is none of its \(texts.count) choices")
    }
    return EvaluationItem(prompt: prompt, options: texts.map(behind), correct: right)
  }
}
