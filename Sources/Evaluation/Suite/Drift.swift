internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

extension Evaluator {
  /// How far the model's next-token distributions are from the base's on texts: D(base ‖ model) in nats a token, and the share
  /// of tokens at which both find the same one likeliest. Values are of blocks of neighbouring tokens.
  func drift(_ task: EvaluationTask, _ texts: [String], _ base: Evaluator) throws -> TaskValues {
    guard ensemble == nil else { throw EngineError("drift is measured on one model, not on an ensemble") }
    guard base.model.configuration.vocabularySize == model.configuration.vocabularySize, base.front == front else {
      throw EngineError("the base's vocabulary is another one, so that the two say nothing of the same tokens")
    }
    let rule = window(task)
    var values = TaskValues(weights: [])
    var divergences: [Double] = [], agreements: [Double] = []
    for text in texts {
      let ids = Array(try self.ids(of: text).dropFirst(front.count))
      for window in rule.windows(of: ids.count) {
        let tokens = front + ids[window]
        let found = try Self.divergence(tokens, base: base.model, model: model, skipping: max(0, front.count - 1))
        for start in stride(from: 0, to: found.count, by: TextScores.blockLength) {
          let block = found[start..<min(start + TextScores.blockLength, found.count)]
          divergences.append(block.reduce(0) { $0 + $1.divergence } / Double(block.count))
          agreements.append(block.reduce(0) { $0 + ($1.agrees ? 1 : 0) } / Double(block.count))
          values.weights!.append(Double(block.count))
        }
      }
    }
    values.perItem = task.metric == .kl ? divergences : agreements
    let other: TaskMetric = task.metric == .kl ? .agreement : .kl
    values.others = [(other.rawValue, .weighted(task.metric == .kl ? agreements : divergences, weights: values.weights), other.unit)]
    return values
  }

  /// What both say behind each token of a text but the first `skipping`.
  private static func divergence(_ ids: [Int], base: Decoder, model: Decoder, skipping: Int) throws(EngineError) -> [(divergence: Double, agrees: Bool)] {
    guard ids.count > skipping else { return [] }
    return try Torch.withoutGradients { () throws(EngineError) in
      let states = try [base, model].map { (model) throws(EngineError) in try model.forward(Batch(texts: [ids], device: model.device)).hidden }
      var result: [(divergence: Double, agrees: Bool)] = []
      // Logits of some positions at a time: whole ones of a large vocabulary would fill the memory.
      for start in stride(from: skipping, to: ids.count, by: 128) {
        let range = start..<min(start + 128, ids.count)
        let p = try base.logits(states[0].sliced(axis: 0, range)).cast(.float32).logSoftmax(axis: 1)
        let q = try model.logits(states[1].sliced(axis: 0, range)).cast(.float32).logSoftmax(axis: 1).to(base.device)
        let divergences = try (p.exp() * (p - q)).sum(axis: 1).doubles()
        let a = try p.argmax(axis: 1).ints(), b = try q.argmax(axis: 1).ints()
        for i in divergences.indices { result.append((max(0, divergences[i]), a[i] == b[i])) }
      }
      return result
    }
  }

  /// ‖θ − θ⁰‖ / ‖θ⁰‖ over all weights.
  func distance(to tuned: Evaluator) throws -> Double {
    guard tuned.ensemble == nil, ensemble == nil else { throw EngineError("the distance of weights is one model's, not an ensemble's") }
    guard tuned.model.adapters.isEmpty, model.adapters.isEmpty else {
      throw EngineError("the distance of weights needs adapters merged into them")
    }
    var moved = 0.0, size = 0.0
    for (a, b) in zip(model.baseParameters, tuned.model.baseParameters) {
      guard a.name == b.name, try a.value.shape == b.value.shape else { throw EngineError("the base has other weights than the model: \(a.name) beside \(b.name)") }
      let from = try a.value.cast(.float32), to = try b.value.cast(.float32).to(model.device)
      moved += try Tensor.squaredNorm(of: [to - from])
      size += try Tensor.squaredNorm(of: [from])
    }
    return size > 0 ? (moved / size).squareRoot() : 0
  }
}
