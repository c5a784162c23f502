internal import HoldfastDecoding
internal import HoldfastEngine
internal import HoldfastModels

// An ensemble is asked as a model is: everything that an evaluator measures goes through these.
extension Evaluator {
  /// Tokens that every model sees at most.
  var contextLength: Int {
    guard let ensemble else { return model.configuration.contextLength }
    return (ensemble.experts + [ensemble.base, ensemble.antiExpert, ensemble.draft].compactMap { $0 }).map(
      \.model.configuration.contextLength
    ).min()!
  }

  func likelihoods(of requests: [LikelihoodRequest]) throws -> [[TokenScore]] {
    guard let ensemble else { return try model.likelihoods(of: requests, tokensPerBatch: tokensPerBatch) }
    // Neighbours in this order share the most, which is then not read again.
    let order = requests.indices.sorted { requests[$0].context.lexicographicallyPrecedes(requests[$1].context) }
    let scores = try ensemble.scores(
      of: order.map { i in
        var request = GenerationRequest(prompt: requests[i].context, maximumTokens: 1)
        request.likeliest = 1
        return (request, requests[i].continuation)
      })
    var results = [[TokenScore]](repeating: [], count: requests.count)
    for (i, tokens) in zip(order, scores) {
      results[i] = tokens.map { TokenScore(logProbability: Float($0.logProbability), best: $0.likeliest[0].id) }
    }
    return results
  }

  /// How likely each token of a text is from a place on, in nats; what stands before that place, one token at least, is its context.
  public func logProbabilities(of texts: [(ids: [Int], from: Int)]) throws -> [[Double]] {
    try likelihoods(of: texts.map { LikelihoodRequest(context: Array($0.ids.prefix($0.from)), continuation: Array($0.ids.dropFirst($0.from))) })
      .map { $0.map { Double($0.logProbability) } }
  }

  func generate(_ requests: [GenerationRequest], onToken: @escaping (Int, Int) -> Bool) throws -> [[Int]] {
    guard let ensemble else { return try model.generate(requests, onToken: onToken) }
    let capacity = requests.map { $0.prompt.count + $0.maximumTokens }.max() ?? 1
    let engine = try GenerationEngine(ensemble, rows: max(1, min(requests.count, rowsPerBatch)), capacity: capacity)
    return try engine.run(requests, onToken: onToken).map { $0.map(\.id) }
  }
}
