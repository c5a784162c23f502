internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels

/// What to continue and when to stop.
public struct GenerationRequest: Sendable, Hashable {
  /// Token ids to continue; at least one.
  public var prompt: [Int]
  /// Tokens to add at most.
  public var maximumTokens: Int
  /// Generation ends behind one of these; it stands at the end of the result.
  public var stopIDs: Set<Int>
  /// How each token is chosen.
  public var sampling: Sampling

  public init(prompt: [Int], maximumTokens: Int, stopIDs: Set<Int> = [], sampling: Sampling = .greedy) {
    self.prompt = prompt
    self.maximumTokens = maximumTokens
    self.stopIDs = stopIDs
    self.sampling = sampling
  }
}

extension Decoder {
  /// Continues every prompt; the rows run as one batch with a cache, and each row's draws depend on its own seed alone.
  /// `onToken` sees (row, token) as they come and may end the row by answering false.
  public func generate(
    _ requests: [GenerationRequest], onToken: ((Int, Int) -> Bool)? = nil
  ) throws(EngineError) -> [[Int]] {
    guard !requests.isEmpty else { return [] }
    for request in requests where request.prompt.isEmpty { throw EngineError("an empty prompt cannot be continued: give it a first token") }
    let longest = requests.map(\.prompt.count).max()!
    let capacity = requests.map { $0.prompt.count + $0.maximumTokens }.max()!
    let cache = try KVCache(configuration, rows: requests.count, capacity: max(capacity, longest) + 1, dtype: dtype, device: device)
    var streams = requests.map { CounterGenerator(seed: $0.sampling.seed, "sampling") }
    var results = [[Int]](repeating: [], count: requests.count)
    var running = requests.map { $0.maximumTokens > 0 }

    // Prompts are padded on the right; what the padding wrote is overwritten by the tokens that follow.
    let padded = requests.map { $0.prompt + Array(repeating: 0, count: longest - $0.prompt.count) }
    let counts = requests.map(\.prompt.count)
    var hidden = try decode(padded, counts: counts, cache: cache)
    var last = counts.indices.map { $0 * longest + counts[$0] - 1 }
    while running.contains(true) {
      let scores = try logits(hidden.selecting(Tensor(last, device: device), axis: 0)).floats()
      let width = configuration.vocabularySize
      var next = [Int](repeating: 0, count: requests.count)
      for row in requests.indices where running[row] {
        let token = requests[row].sampling.choose(scores[row * width..<(row + 1) * width], &streams[row])
        results[row].append(token)
        next[row] = token
        let goesOn = onToken?(row, token) ?? true
        running[row] = goesOn && !requests[row].stopIDs.contains(token) && results[row].count < requests[row].maximumTokens
      }
      if !running.contains(true) { break }
      // A row that has ended stays where it is: its token is padding.
      hidden = try decode(next.map { [$0] }, counts: running.map { $0 ? 1 : 0 }, cache: cache)
      last = Array(requests.indices)
    }
    return results
  }
}
