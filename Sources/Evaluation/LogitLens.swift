internal import HoldfastEngine
internal import HoldfastModels

extension Evaluator {
  /// What the model would say of the right answers if it ended after each layer (nostalgebraist 2020, "the logit lens"): the
  /// hidden state goes through the final norm and the head at once.
  ///
  /// - Returns: Mean log-probability of the answers' tokens in nats, first behind the embedding, then behind every layer; the
  ///   last is the model's own. Errors are taken over items.
  public func logitLens(_ items: [EvaluationItem]) throws -> [Estimate] {
    var rows: [(ids: [Int], border: Int)] = []
    for item in items {
      let prompt = try ids(of: item.prompt), text = try ids(of: item.prompt + item.completion)
      let shared = zip(text, prompt).prefix { $0 == $1 }.count
      // Without any token in front, the first one is given.
      rows.append((text, max(1, shared)))
    }
    rows = rows.filter { $0.ids.count > $0.border && $0.ids.count <= model.configuration.contextLength }
    let depth = model.configuration.layerCount + 1
    var sums = [[Double]](repeating: [], count: depth), counts: [Int] = []
    let order = rows.sorted { $0.ids.count > $1.ids.count }
    var first = 0
    while first < order.count {
      let length = order[first].ids.count - 1, most = max(1, tokensPerBatch / length)
      let members = order[first..<min(first + most, order.count)]
      first += members.count
      let batch = try Self.batch(Array(members), length: length, device: model.device)
      var lens: [[Double]] = []
      try Torch.withoutGradients { () throws(EngineError) in
        _ = try model.forward(batch) { name, hidden throws(EngineError) in
          guard name != "final_norm" else { return }
          let states = try batch.labelled.map { (places: Tensor) throws(EngineError) in try hidden.selecting(places, axis: 0) } ?? hidden
          let scores = try model.normalized(states).headScores(model.head.value, labels: batch.labels)
          lens.append(try scores.logProbabilities.doubles())
        }
      }
      var place = 0
      for member in members {
        let answer = member.ids.count - member.border
        for layer in 0..<depth { sums[layer].append(lens[layer][place..<place + answer].reduce(0, +)) }
        counts.append(answer)
        place += answer
      }
    }
    return sums.map { .ratio(sums: $0, counts: counts) }
  }

  /// One text a row, padded on the right; only the answers' tokens are labels.
  private static func batch(_ rows: [(ids: [Int], border: Int)], length: Int, device: Device) throws(EngineError) -> Batch {
    var ids = [Int](repeating: 0, count: rows.count * length), labels = [Int](repeating: -1, count: ids.count), positions = ids
    var spans: [Span] = []
    for (row, text) in rows.enumerated() {
      for t in 0..<text.ids.count - 1 {
        ids[row * length + t] = text.ids[t]
        positions[row * length + t] = t
        if t + 1 >= text.border { labels[row * length + t] = text.ids[t + 1] }
      }
      spans.append(Span(row: row, start: 0, length: text.ids.count - 1))
    }
    return try Batch(rows: rows.count, length: length, ids: ids, labels: labels, positions: positions, spans: spans, device: device)
  }
}
