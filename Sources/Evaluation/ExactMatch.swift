internal import HoldfastDecoding
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastRecords
internal import HoldfastTokenizers

/// Which generated answers were the expected ones.
public struct MatchScores: Sendable {
  /// In the order of the items.
  public let isMatch: [Bool]
  /// Answers that had to be generated to the end; the others were decided before.
  public let generated: Int

  /// The share of matches.
  public var share: Estimate { .mean(isMatch.map { $0 ? 1 : 0 }) }

  /// The share as a record `NAME.exact_match`.
  public func records(name: String, what: String, step: Int? = nil) -> [ScoreRecord] {
    [share.record("\(name).exact_match", unit: "share of items", what: what, step: step)]
  }
}

extension Evaluator {
  /// Whether the greedy answer to each prompt, up to its end or line and without white space around it, is the expected
  /// one, scalar for scalar.
  ///
  /// One packed pass over prompt and expected completion shows where the likeliest token first leaves the expected
  /// path. Up to there and one token on, that is what greedy decoding would write; as a rule this decides the item.
  /// Only where the text so far could still become the answer, spelled in other tokens, is it generated, and only for
  /// as long as it could.
  ///
  /// - Parameter maximumTokens: tokens of an answer at most; never fewer than the expected one needs.
  public func exactMatch(_ items: [EvaluationItem], maximumTokens: Int = 64) throws -> MatchScores {
    var requests: [LikelihoodRequest] = []
    for item in items {
      let prompt = try ids(of: item.prompt), text = try ids(of: item.prompt + item.completion)
      if prompt.isEmpty { throw EngineError("an empty prompt cannot be continued: give it a first token") }
      let expected = text.starts(with: prompt) ? Array(text.dropFirst(prompt.count)) : []
      // A token behind the answer, so that what the model writes there is seen too; which one does not matter.
      requests.append(LikelihoodRequest(context: prompt, continuation: expected + [0]))
    }
    var isMatch = [Bool](repeating: false, count: items.count)
    var open: [Int] = []
    for (i, scores) in try likelihoods(of: requests).enumerated() {
      let expected = requests[i].continuation.dropLast()
      let agreed = zip(scores, expected).prefix { $0.best == $1 }.count
      let answer = items[i].answer
      switch verdict(on: Array(expected.prefix(agreed)) + [scores[agreed].best], answer: answer) {
      case .decided(let matches): isMatch[i] = matches
      case .open: open.append(i)
      }
    }
    let limits = open.map { min(max(maximumTokens, requests[$0].continuation.count), contextLength) }
    let texts = try greedyAnswers(prompts: open.map { requests[$0].context }, limits: limits) { row, ids in
      if case .open = verdict(on: ids, answer: items[open[row]].answer) { true } else { false }
    }
    for (i, text) in zip(open, texts) { isMatch[i] = text.isScalarwise(items[i].answer) }
    return MatchScores(isMatch: isMatch, generated: open.count)
  }

  /// The greedy answer to each prompt, up to its end or line, without white space around it.
  public func answers(to prompts: [String], maximumTokens: Int = 64) throws -> [String] {
    try greedyAnswers(
      prompts: prompts.map { try ids(of: $0) }, limits: Array(repeating: min(maximumTokens, contextLength), count: prompts.count))
  }

  private enum Verdict { case decided(Bool), open }

  /// What the first tokens of a greedy answer say about all of it.
  private func verdict(on ids: [Int], answer: String) -> Verdict {
    if stops.contains(ids.last!) { return .decided(text(of: ids).isScalarwise(answer)) }
    let begun = tokenizer.decode(ids)
    // Half a character says nothing yet.
    if begun.unicodeScalars.last == "\u{FFFD}" { return .open }
    let bare = begun.unicodeScalars.drop { $0.properties.isWhitespace }
    let isOpen = answer.unicodeScalars.starts(with: bare) || begun.trimmed.isScalarwise(answer)
    return isOpen ? .open : .decided(false)
  }

  /// The text of an answer's tokens: up to the first end token or line break, trimmed.
  private func text(of ids: [Int]) -> String {
    let text = tokenizer.decode(ids.prefix { !endIDs.contains($0) })
    return String(text.unicodeScalars.prefix { $0 != "\n" }).trimmed
  }

  /// Prompts of like length run together, so that little of a batch is padding. `goesOn`: whether a prompt's answer is
  /// still wanted after these tokens.
  private func greedyAnswers(
    prompts: [[Int]], limits: [Int], goesOn: @escaping (Int, [Int]) -> Bool = { _, _ in true }
  ) throws -> [String] {
    var texts = [String](repeating: "", count: prompts.count)
    let order = prompts.indices.sorted { (prompts[$0].count, $0) < (prompts[$1].count, $1) }
    for start in stride(from: 0, to: order.count, by: rowsPerBatch) {
      let rows = order[start..<min(start + rowsPerBatch, order.count)]
      let requests = rows.map { GenerationRequest(prompt: prompts[$0], maximumTokens: limits[$0], stopIDs: stops) }
      var written = [[Int]](repeating: [], count: rows.count)
      let answers = try generate(requests) { row, token in
        written[row].append(token)
        return goesOn(rows[start + row], written[row])
      }
      for (row, ids) in zip(rows, answers) { texts[row] = text(of: ids) }
    }
    return texts
  }
}

extension String {
  /// Equal scalar for scalar: canonical equivalence is no match.
  fileprivate func isScalarwise(_ other: String) -> Bool { unicodeScalars.elementsEqual(other.unicodeScalars) }
}
