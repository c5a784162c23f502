internal import HoldfastDecoding
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTokenizers

extension Evaluator {
  /// The greedy continuation of each prompt, up to an end token, one of the stop texts or so many tokens; special tokens
  /// leave no trace. Prompts of like length run together.
  func continuations(of prompts: [String], maximumTokens: Int, stops: [String]) throws -> [String] {
    let ids = try prompts.map { try self.ids(of: $0) }
    let context = model.configuration.contextLength
    for (i, prompt) in ids.enumerated() {
      if prompt.isEmpty { throw EngineError("an empty prompt cannot be continued: give it a first token") }
      guard prompt.count < context else {
        throw EngineError("prompt \(i + 1) has \(prompt.count) tokens, but the model's context is \(context); take fewer shots or shorter items")
      }
    }
    // A stop text ends in one of the last so many tokens, each of a byte at least.
    let tail = (stops.map(\.utf8.count).max() ?? 0) + 4
    var texts = [String](repeating: "", count: prompts.count)
    let order = ids.indices.sorted { (ids[$0].count, $0) < (ids[$1].count, $1) }
    for start in stride(from: 0, to: order.count, by: rowsPerBatch) {
      let rows = Array(order[start..<min(start + rowsPerBatch, order.count)])
      let requests = rows.map { GenerationRequest(prompt: ids[$0], maximumTokens: min(maximumTokens, context - ids[$0].count), stopIDs: endIDs) }
      var written = [[Int]](repeating: [], count: rows.count)
      let answers = try model.generate(requests) { row, token in
        written[row].append(token)
        if stops.isEmpty { return true }
        let end = tokenizer.decode(written[row].suffix(tail))
        return !stops.contains { end.utf8.count >= $0.utf8.count && end.firstRange(of: $0) != nil }
      }
      for (row, answer) in zip(rows, answers) {
        let text = tokenizer.decode(answer.filter { !endIDs.contains($0) }, skipSpecialTokens: true)
        texts[row] = text.cut(before: stops)
      }
    }
    return texts
  }
}

extension String {
  /// Up to the first of these texts.
  func cut(before stops: [String]) -> String {
    let end = stops.compactMap { stop in stop.isEmpty ? nil : firstRange(of: stop)?.lowerBound }.min()
    return end.map { String(self[..<$0]) } ?? self
  }
}
