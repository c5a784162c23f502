internal import HoldfastBasics
internal import HoldfastDatasets

/// Questions of a JSONL, JSON or CSV file.
///
/// A row has a text before the answer and the answer:
/// - `prompt` stands as it is, and completions and options are joined to it as they stand; `question` becomes
///   "Question: …\nAnswer:", and what follows it gets a space in front.
/// - `answer`, or `completion` where that holds the text with its space.
/// - With `choices` (or `options`), a list of texts, `answer` is the right text or its number from 0. Choices written
///   `{"text", "label"}` are named by their label, and `answerKey` may stand for `answer`, as in ARC's files; without labels a letter
///   counts from A.
public enum ItemFile {
  /// Reads all rows; the first ten bad ones are named with file, line and reason.
  ///
  /// - Parameter needsOptions: whether a row without options is bad.
  public static func read(_ path: String, needsOptions: Bool) throws -> [EvaluationItem] {
    var items: [EvaluationItem] = []
    var problems = Problems(path)
    var bad = 0
    var rows = Rows([path])
    while let (_, line, row) = try rows.next() {
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
    if needsOptions {
      let choice = try ChoiceRow(row)
      return EvaluationItem(prompt: choice.prompt, options: choice.options, correct: choice.correct)
    }
    let stem = try QuestionStem(row)
    guard let text = row["completion"]?.string ?? (row["answer"] ?? row["answerKey"])?.string else { throw RowError("it needs `answer` as a text") }
    return EvaluationItem(prompt: stem.prompt, completion: stem.behind(text))
  }
}
