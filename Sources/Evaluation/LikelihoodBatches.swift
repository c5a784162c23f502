// How likelihood requests are put together so that nothing is read twice that need not be.
internal import HoldfastEngine
internal import HoldfastModels

/// A context that several continuations share.
struct SharedContext {
  let ids: [Int]
  let requests: [Int]
  /// What is read behind it: of every continuation all but the last token.
  let tails: [Reading]

  var longestTail: Int { tails.map(\.ids.count).max() ?? 0 }

  /// Contexts that are worth a cache, and the requests that are not among theirs.
  static func worthwhile(_ requests: [LikelihoodRequest]) -> (shared: [SharedContext], others: [Int]) {
    var groups: [[Int]: [Int]] = [:], order: [[Int]] = []
    for (i, request) in requests.enumerated() where !request.continuation.isEmpty {
      if groups[request.context] == nil { order.append(request.context) }
      groups[request.context, default: []].append(i)
    }
    var shared: [SharedContext] = [], others: [Int] = []
    for ids in order {
      let members = groups[ids]!
      let tails = Reading.covering(members.compactMap { r in
        requests[r].continuation.count > 1 ? (Array(requests[r].continuation.dropLast()), r) : nil
      })
      let tailTokens = tails.reduce(0) { $0 + $1.ids.count }
      let apart = tails.count * ids.count + tailTokens, together = ids.count + tailTokens
      // A cache costs copies and padding: it must save a third.
      if tails.count > 1 && 2 * apart > 3 * together {
        shared.append(SharedContext(ids: ids, requests: members, tails: tails))
      } else {
        others += members
      }
    }
    return (shared, others)
  }

  /// Contexts of like length together.
  static func batches(_ contexts: [SharedContext], tokensPerBatch: Int) -> [[SharedContext]] {
    var batches: [[SharedContext]] = []
    var longest = 0, longestTail = 0, tails = 0
    for context in contexts.sorted(by: { $0.ids.count > $1.ids.count }) {
      longestTail = max(longestTail, context.longestTail)
      tails += context.tails.count
      if let last = batches.last, (last.count + 1) * longest <= tokensPerBatch, tails * longestTail <= tokensPerBatch {
        batches[batches.count - 1].append(context)
      } else {
        batches.append([context])
        longest = context.ids.count
        longestTail = context.longestTail
        tails = context.tails.count
      }
    }
    return batches
  }
}

/// Tokens that are read once, and the requests that they answer.
struct Reading {
  let ids: [Int]
  var requests: [Int]

  /// As few readings as answer all requests, given what each one reads. Where that is the beginning of what another one
  /// reads, they share. In lexical order a text's extensions follow it directly.
  static func covering(_ inputs: [(ids: [Int], request: Int)]) -> [Reading] {
    var readings: [Reading] = []
    for input in inputs.sorted(by: { $0.ids.lexicographicallyPrecedes($1.ids) }).reversed() {
      if let last = readings.last, last.ids.starts(with: input.ids) {
        readings[readings.count - 1].requests.append(input.request)
      } else {
        readings.append(Reading(ids: input.ids, requests: [input.request]))
      }
    }
    return readings
  }
}

/// Readings side by side in one batch, each a span of its own.
struct PackedReadings {
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
