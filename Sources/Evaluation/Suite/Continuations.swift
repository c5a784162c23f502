internal import HoldfastDecoding
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTokenizers

extension Evaluator {
  /// Why a task's items do not fit into the model's context; nil where they do.
  func lengthProblem(_ task: EvaluationTask) throws -> String? {
    guard case .questions(let questions) = task.source else { return nil }
    let context = contextLength
    var longest = 0, count = 0, line = 0
    for question in questions {
      // What is read at once: the prompt with its longest option or answer, or with a first token of its own.
      let behind = question.options.isEmpty ? [question.completion] : question.options
      let isWritten = [.generate, .ifeval, .code].contains(task.kind)
      let texts = question.prompts.flatMap { prompt in isWritten ? [prompt] : behind.map { prompt + $0 } }
      let tokens = try texts.map { try ids(of: $0).count }.max() ?? 0
      if tokens >= context { count += 1 }
      if tokens > longest { (longest, line) = (tokens, question.line) }
    }
    guard longest >= context else { return nil }
    return "\(count) of \(questions.count) items are longer than the model's context of \(context) tokens, the longest (line \(line)) with \(longest); take fewer shots, or other items"
  }

  /// The greedy continuation of each prompt, up to an end token, one of the stop texts or so many tokens; special tokens
  /// leave no trace. Prompts of like length run together.
  package func continuations(of prompts: [String], maximumTokens: Int, stops: [String]) throws -> [String] {
    let ids = try prompts.map { try self.ids(of: $0) }
    let context = contextLength
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
      var written = [[Int]](repeating: [], count: rows.count)
      let answers = try greedy(rows.map { ids[$0] }, limits: rows.map { min(maximumTokens, context - ids[$0].count) }) { row, token in
        written[row].append(token)
        if stops.isEmpty { return true }
        let end = tokenizer.decode(written[row].suffix(tail))
        return !stops.contains { end.firstRange(of: $0) != nil }
      }
      for (row, answer) in zip(rows, answers) {
        let text = tokenizer.decode(answer.filter { !endIDs.contains($0) }, skipSpecialTokens: true)
        texts[row] = text.cut(before: stops)
      }
    }
    return texts
  }

  /// The likeliest tokens behind each prompt, up to an end token. What all prompts begin with, such as solved examples, is
  /// read once. `goesOn` sees (row, token) as they come.
  private func greedy(_ prompts: [[Int]], limits: [Int], goesOn: (Int, Int) -> Bool) throws -> [[Int]] {
    let shared = prompts.dropFirst().reduce(prompts[0].count) { count, prompt in zip(prompts[0], prompt).prefix(count).prefix { $0 == $1 }.count }
    // Every row brings a token of its own, behind which its first answer stands.
    let front = min(shared, prompts.map(\.count).min()! - 1)
    // The engine of an ensemble finds shared fronts itself.
    guard ensemble == nil, prompts.count > 1, front >= Self.leastSharedTokens else {
      let requests = zip(prompts, limits).map { GenerationRequest(prompt: $0, maximumTokens: $1, stopIDs: endIDs) }
      return try withoutActuallyEscaping(goesOn) { goesOn in try generate(requests, onToken: goesOn) }
    }
    let capacity = zip(prompts, limits).map { $0.count + $1 }.max()! + 1
    let one = try KVCache(model.configuration, rows: 1, capacity: capacity, dtype: model.dtype, device: model.device)
    _ = try model.decode([Array(prompts[0].prefix(front))], cache: one)
    let cache = try one.selecting(rows: prompts.map { _ in 0 })
    let tails = prompts.map { Array($0.dropFirst(front)) }, longest = tails.map(\.count).max()!
    var hidden = try model.decode(tails.map { $0 + Array(repeating: 0, count: longest - $0.count) }, counts: tails.map(\.count), cache: cache)
    var last = tails.indices.map { $0 * longest + tails[$0].count - 1 }
    var results = [[Int]](repeating: [], count: prompts.count), running = limits.map { $0 > 0 }
    while running.contains(true) {
      let next = try Torch.withoutGradients { () throws(EngineError) in
        try model.logits(hidden.selecting(Tensor(last, device: model.device), axis: 0)).argmax(axis: 1).ints()
      }
      for row in prompts.indices where running[row] {
        results[row].append(next[row])
        running[row] = goesOn(row, next[row]) && !endIDs.contains(next[row]) && results[row].count < limits[row]
      }
      if !running.contains(true) { break }
      hidden = try model.decode(next.map { [$0] }, counts: running.map { $0 ? 1 : 0 }, cache: cache)
      last = Array(prompts.indices)
    }
    return results
  }

  /// From so many tokens on, a cache of what prompts share is worth its copies.
  private static let leastSharedTokens = 16
}

extension String {
  /// Up to the first of these texts.
  package func cut(before stops: [String]) -> String {
    let end = stops.compactMap { stop in stop.isEmpty ? nil : firstRange(of: stop)?.lowerBound }.min()
    return end.map { String(self[..<$0]) } ?? self
  }
}
