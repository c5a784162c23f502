public import HoldfastEngine
public import HoldfastModels

/// A continuation to be scored behind a context.
public struct LikelihoodRequest: Sendable, Hashable {
  /// At least one id: nothing can be said about a first token.
  public var context: [Int]
  public var continuation: [Int]

  public init(context: [Int], continuation: [Int]) {
    self.context = context
    self.continuation = continuation
  }
}

/// What a model says about one token where it stands.
public struct TokenScore: Sendable, Hashable {
  /// log p(token), nats.
  public let logProbability: Float
  /// The likeliest id there.
  public let best: Int

  public init(logProbability: Float, best: Int) {
    self.logProbability = logProbability
    self.best = best
  }
}

extension Sequence<TokenScore> {
  /// log p of all tokens together, nats, summed in f64.
  public var logProbability: Double { reduce(0) { $0 + Double($1.logProbability) } }
}

extension Decoder {
  /// The score of every token of every continuation.
  ///
  /// Requests run packed, many to a batch, without padding on a CPU. A request whose tokens another one reads anyway
  /// costs nothing of its own: answers of one token share one pass over their prompt.
  ///
  /// - Parameter tokensPerBatch: tokens of one forward pass, unless a single request is longer.
  public func likelihoods(
    of requests: [LikelihoodRequest], tokensPerBatch: Int = 2048
  ) throws(EngineError) -> [[TokenScore]] {
    for (i, request) in requests.enumerated() {
      precondition(!request.context.isEmpty, "a first token cannot be scored")
      let length = request.context.count + max(0, request.continuation.count - 1)
      guard length <= configuration.contextLength else {
        throw EngineError(
          "text \(i + 1) has \(length) tokens, but the model's context is \(configuration.contextLength); shorten it")
      }
    }
    var results = [[TokenScore]](repeating: [], count: requests.count)
    let readings = Reading.covering(requests)
    for packed in PackedReadings.pack(readings, tokensPerBatch: tokensPerBatch, inOneRow: device.kind == .cpu) {
      let batch = try packed.batch(device: device)
      var places: [Int] = [], labels: [Int] = []
      for (reading, start) in packed.placed {
        for r in reading.requests {
          let first = start + requests[r].context.count - 1
          places += first..<(first + requests[r].continuation.count)
          labels += requests[r].continuation
        }
      }
      if labels.isEmpty { continue }
      let (scores, best) = try Torch.withoutGradients { () throws(EngineError) -> ([Float], [Int]) in
        let hidden = try forward(batch).hidden.selecting(Tensor(places, device: device), axis: 0)
        let (scores, best) = try hidden.headScores(head.value, labels: Tensor(labels, device: device))
        return (try scores.floats(), try best.ints())
      }
      var at = 0
      for (reading, _) in packed.placed {
        for r in reading.requests {
          let end = at + requests[r].continuation.count
          results[r] = (at..<end).map { TokenScore(logProbability: scores[$0], best: best[$0]) }
          at = end
        }
      }
    }
    return results
  }
}

/// Tokens that are read once, and the requests that they answer.
private struct Reading {
  let ids: [Int]
  var requests: [Int]

  /// As few readings as answer all requests. What a request reads is everything but its last token; where that is the
  /// beginning of what another one reads, they share. In lexical order a text's extensions follow it directly.
  static func covering(_ requests: [LikelihoodRequest]) -> [Reading] {
    let inputs = requests.map { $0.context + $0.continuation.dropLast() }
    let order = inputs.indices.sorted { inputs[$0].lexicographicallyPrecedes(inputs[$1]) }
    var readings: [Reading] = []
    for i in order.reversed() where !requests[i].continuation.isEmpty {
      if let last = readings.last, last.ids.starts(with: inputs[i]) {
        readings[readings.count - 1].requests.append(i)
      } else {
        readings.append(Reading(ids: inputs[i], requests: [i]))
      }
    }
    return readings
  }
}

/// Readings side by side in one batch, each a span of its own.
private struct PackedReadings {
  var length: Int
  var rows: Int
  /// Readings and where each begins in the flattened batch.
  var placed: [(reading: Reading, start: Int)]

  /// Readings of like length together, so that rows fill well.
  ///
  /// - Parameter inOneRow: whether a batch is a single row. On a CPU attention runs span by span and a long row costs
  ///   nothing; elsewhere it runs under a mask as wide as a row.
  static func pack(_ readings: [Reading], tokensPerBatch: Int, inOneRow: Bool) -> [PackedReadings] {
    var batches: [PackedReadings] = []
    var current: [(row: Int, start: Int, reading: Reading)] = []
    var rowLength = 0, row = 0, filled = 0

    func close() {
      guard !current.isEmpty else { return }
      let used = current.map { $0.start + $0.reading.ids.count }.max()!
      batches.append(PackedReadings(
        length: used, rows: row + 1, placed: current.map { ($0.reading, $0.row * used + $0.start) }))
      current = []
    }
    for reading in readings.sorted(by: { $0.ids.count > $1.ids.count }) {
      let count = reading.ids.count
      let fits = !current.isEmpty && filled + count <= rowLength
      let opensRow = !fits && !current.isEmpty && (row + 2) * rowLength <= tokensPerBatch && count <= rowLength
      if opensRow {
        row += 1
        filled = 0
      } else if !fits {
        close()
        rowLength = max(count, inOneRow ? tokensPerBatch : min(512, tokensPerBatch))
        row = 0
        filled = 0
      }
      current.append((row, filled, reading))
      filled += count
    }
    close()
    return batches
  }

  func batch(device: Device) throws(EngineError) -> Batch {
    var ids = [Int](repeating: 0, count: rows * length), positions = ids
    var spans: [Span] = []
    for (reading, start) in placed {
      for (t, id) in reading.ids.enumerated() {
        ids[start + t] = id
        positions[start + t] = t
      }
      spans.append(Span(row: start / length, start: start % length, length: reading.ids.count))
    }
    let none = [Int](repeating: -1, count: ids.count)
    return try Batch(rows: rows, length: length, ids: ids, labels: none, positions: positions, spans: spans, device: device)
  }
}
