public import HoldfastEngine
public import HoldfastModels

/// A continuation to be scored behind a context.
public struct LikelihoodRequest: Sendable, Hashable {
  /// At least one id: nothing can be said about a first token.
  public var context: [Int]
  /// Tokens whose probability is asked for, in their order.
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
  /// Nothing is read twice that need not be. A request whose tokens another one reads anyway costs nothing of its own,
  /// so answers of one token share one pass over their prompt. Longer continuations of one context, as options are,
  /// read the context once into a cache; all others run packed side by side, on a CPU without padding.
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
    var work = ScoringWork(model: self, requests: requests)
    let (shared, others) = SharedContext.worthwhile(requests)
    try Torch.withoutGradients { () throws(EngineError) in
      for batch in SharedContext.batches(shared, tokensPerBatch: tokensPerBatch) { try work.run(batch) }
      let readings = Reading.covering(others.map { (requests[$0].context + requests[$0].continuation.dropLast(), $0) })
      for batch in PackedReadings.pack(readings, tokensPerBatch: tokensPerBatch, inOneRow: device.kind == .cpu) {
        try work.run(batch)
      }
    }
    return work.results
  }
}

/// Collects the scores of requests while batches run.
private struct ScoringWork {
  let model: Decoder
  let requests: [LikelihoodRequest]
  private(set) var results: [[TokenScore]]

  init(model: Decoder, requests: [LikelihoodRequest]) {
    self.model = model
    self.requests = requests
    results = requests.map { Array(repeating: TokenScore(logProbability: 0, best: 0), count: $0.continuation.count) }
  }

  /// A token whose score stands at a place of the hidden states.
  struct Ask {
    let request: Int
    /// Which token of its continuation.
    let token: Int
    let place: Int
  }

  mutating func score(_ hidden: Tensor, _ asks: [Ask]) throws(EngineError) {
    if asks.isEmpty { return }
    let labels = asks.map { requests[$0.request].continuation[$0.token] }
    let states = try hidden.selecting(Tensor(asks.map(\.place), device: model.device), axis: 0)
    let scores = try states.headScores(model.head.value, labels: Tensor(labels, device: model.device))
    let values = try scores.logProbabilities.floats(), best = try scores.best.ints()
    for (i, ask) in asks.enumerated() {
      results[ask.request][ask.token] = TokenScore(logProbability: values[i], best: best[i])
    }
  }

  mutating func run(_ packed: PackedReadings) throws(EngineError) {
    var asks: [Ask] = []
    for (reading, start) in packed.placed {
      for r in reading.requests {
        let first = start + requests[r].context.count - 1
        for token in requests[r].continuation.indices { asks.append(Ask(request: r, token: token, place: first + token)) }
      }
    }
    if asks.isEmpty { return }
    try score(model.forward(packed.batch(device: model.device)).hidden, asks)
  }

  /// Contexts once, then their continuations as rows that go on from copies of the cache.
  mutating func run(_ contexts: [SharedContext]) throws(EngineError) {
    let longest = contexts.map(\.ids.count).max()!, block = contexts.map(\.longestTail).max()!
    let cache = try KVCache(
      model.configuration, rows: contexts.count, capacity: longest + block, dtype: model.dtype, device: model.device)
    func padded(_ ids: [Int], _ length: Int) -> [Int] { ids + Array(repeating: 0, count: length - ids.count) }

    var hidden = try model.decode(contexts.map { padded($0.ids, longest) }, counts: contexts.map(\.ids.count), cache: cache)
    var asks: [Ask] = []
    for (row, context) in contexts.enumerated() {
      for r in context.requests { asks.append(Ask(request: r, token: 0, place: row * longest + context.ids.count - 1)) }
    }
    try score(hidden, asks)

    let tails = contexts.enumerated().flatMap { row, context in context.tails.map { (row: row, tail: $0) } }
    let copies = try cache.selecting(rows: tails.map(\.row))
    hidden = try model.decode(tails.map { padded($0.tail.ids, block) }, counts: tails.map(\.tail.ids.count), cache: copies)
    asks = []
    for (row, tail) in tails.enumerated() {
      for r in tail.tail.requests {
        for token in requests[r].continuation.indices.dropFirst() {
          asks.append(Ask(request: r, token: token, place: row * block + token - 1))
        }
      }
    }
    try score(hidden, asks)
  }
}
