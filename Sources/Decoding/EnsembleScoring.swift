internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

extension Ensemble {
  /// What the ensemble says of given texts, token by token (teacher forcing): the cheapest way to measure an emulated model. `request.prompt` and its
  /// siblings are contexts; `continuation` is in the ensemble's ids.
  ///
  /// A context that a text before it began with is not read again.
  public func scores(
    of texts: [(request: GenerationRequest, continuation: [Int])], tokensPerStep: Int = 64
  ) throws -> [[GeneratedToken]] {
    guard !texts.isEmpty else { return [] }
    let engine = try GenerationEngine(self, rows: 1, capacity: texts.map { longestPrompt($0.request) + $0.continuation.count }.max()! + 1)
    return try texts.map { text in
      var request = text.request
      request.maximumTokens = max(1, text.continuation.count)
      return try engine.score(request, text.continuation, tokensPerStep)
    }
  }

  private func longestPrompt(_ request: GenerationRequest) -> Int {
    max(request.prompt.count, request.expertPrompt?.count ?? 0, request.antiExpertPrompt?.count ?? 0)
  }
}

extension GenerationEngine {
  fileprivate func score(_ request: GenerationRequest, _ continuation: [Int], _ tokensPerStep: Int) throws -> [GeneratedToken] {
    if let wrong = continuation.first(where: { $0 < 0 || $0 >= ensemble.vocabulary.count }) {
      throw EngineError("a text has the id \(wrong), which lies outside the common vocabulary of \(ensemble.vocabulary.count)")
    }
    for (role, member) in ensemble.roles.enumerated() {
      // The last token is asked for, and not read.
      guard let member, case let length = prompt(of: request, role: role).count + continuation.count - 1,
        length > member.model.configuration.contextLength
      else { continue }
      throw EngineError(
        "a text has \(length) tokens, but the context of \(member.name) is \(member.model.configuration.contextLength); shorten it")
    }
    let id = try add(request, ignoresContext: true)
    defer { remove(id) }
    try readAll()
    var result: [GeneratedToken] = []
    for start in stride(from: 0, to: continuation.count, by: tokensPerStep) {
      let part = Array(continuation[start..<min(start + tokensPerStep, continuation.count)])
      // What stands before each of them is read now; the last one with the next part.
      var feeds: [Lanes.Feed] = []
      for lane in lanes.lanes.indices where lane != draftLane {
        let ids = rows[0]!.pending(lane, lanes) + part.dropLast().map { mapped($0, lane) }
        feeds.append(Lanes.Feed(lane: lane, row: 0, ids: Array(ids), wanted: part.count))
      }
      let places = try lanes.feed(feeds)
      let byLane = Dictionary(uniqueKeysWithValues: zip(feeds.map(\.lane), places))
      var tensors: [Tensor?] = [], rowsOf = [[Int]](repeating: [], count: part.count)
      for lane in laneOfRole {
        let place = lane.flatMap { byLane[$0]! }
        tensors.append(place?.logits)
        for j in part.indices { rowsOf[j].append(place.map { $0.first + j } ?? 0) }
      }
      let target = try Target(part.map { _ in rows[0]!.mixture }, logits: tensors, places: rowsOf, ensemble)
      for (j, id) in part.enumerated() {
        result.append(try target.token(id, at: j, likeliest: request.likeliest))
        _ = rows[0]!.append(id, ensemble.vocabulary, roles: laneOfRole)
      }
    }
    return result
  }

  /// Admits what waits and reads all of its prompt but the last token.
  private func readAll() throws(EngineError) {
    try admit()
    while lanes.lanes.indices.contains(where: { $0 != draftLane && rows[0]!.pending($0, lanes).count > 1 }) { try readPrompts() }
  }
}
