internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

extension GenerationEngine {
  /// The lanes that propose.
  private var proposers: [Int] { draftLane.map { [$0] } ?? laneOfRole.dropFirst().dropLast().compactMap { $0 } }

  /// What a lane is given for an id.
  func mapped(_ id: Int, _ lane: Int) -> Int {
    guard ensemble.isEmulated, let role = laneOfRole.firstIndex(of: lane) else { return id }
    return ensemble.vocabulary.id(id, for: role)
  }

  /// A block of proposals for every row, read by the others at once; each row keeps what holds, and the first token that does not.
  func speculate(_ ready: [Int], _ how: Speculation) throws(EngineError) -> [GenerationProgress] {
    let limits = ready.map { r in min(rows[r]!.block, rows[r]!.request.maximumTokens - rows[r]!.tokens.count) }
    let drafts = try propose(ready, limits, how)
    let blocks = try read(ready, limits, drafts, how)
    var emitted = [[GeneratedToken]](repeating: [], count: ready.count), finish = [FinishReason?](repeating: nil, count: ready.count)
    var held = [Int](repeating: 0, count: ready.count), isOpen = [Bool](repeating: true, count: ready.count)

    for j in 0...limits.max()! {
      // Behind a block that held whole, rejection has one more place to draw from.
      let extra = how.scheme == .rejection && how.simulatedAgreement == nil
      for isExtra in [false, true] where !isExtra || extra {
        let now = ready.indices.filter { isOpen[$0] && (isExtra ? limits[$0] == j : limits[$0] > j) }
        if now.isEmpty { continue }
        let target = try self.target(now.map { ready[$0] }) { lane, i in
          let place =
            drafts.places[lane].isEmpty ? blocks[lane]![now[i]]! : isExtra ? blocks[lane]![now[i]]! : drafts.places[lane][j][now[i]]!
          let offset = drafts.places[lane].isEmpty ? j : 0
          return Lanes.Place(logits: place.logits, first: place.first + offset)
        }
        let chosen = try target.scores.chosen(now.map { rows[ready[$0]]!.choice(behind: []) }, keepsProcessed: how.scheme == .rejection)
        let wanted = try chosen.processed?.softmax(axis: 1)
        for (place, i) in now.enumerated() {
          let r = ready[i], sampling = rows[r]!.request.sampling
          var token = chosen.tokens[place], agrees = false
          if !isExtra {
            let proposal = drafts.ids[i][j]
            if let chance = how.simulatedAgreement {
              var coin = CounterGenerator(seed: sampling.seed, "coin", rows[r]!.tokens.count)
              agrees = coin.unit() < chance
              if agrees { token = proposal }
            } else if how.scheme == .rejection, sampling.temperature > 0 {
              (token, agrees) = try settle(
                proposal, wanted!, row: place, drafts.probabilities[j]!, row: drafts.rows[j][i]!, sampling, rows[r]!.tokens.count)
            } else {
              agrees = token == proposal
            }
            count(proposed: 1, agreed: agrees ? 1 : 0)
            if agrees { held[i] += 1 }
          }
          emitted[i].append(try target.token(token, at: place, likeliest: rows[r]!.request.likeliest))
          finish[i] = rows[r]!.append(token, ensemble.vocabulary, roles: laneOfRole)
          isOpen[i] = agrees && finish[i] == nil
        }
      }
    }
    for (i, r) in ready.enumerated() {
      for lane in lanes.lanes.indices { lanes.crop(lane, r, to: rows[r]!.texts[lane].count - 1) }
      rows[r]!.block = how.next(after: limits[i], emitted: emitted[i].count, heldWhole: held[i] == limits[i])
    }
    return ready.indices.map { GenerationProgress(request: rows[ready[$0]]!.id, tokens: emitted[$0], finish: finish[$0]) }
  }

  private struct Drafts {
    /// By row of the step.
    var ids: [[Int]]
    /// By lane that proposes and is asked too, place and row: where its logits stand.
    var places: [[[Lanes.Place?]]]
    /// By place: the proposer's probabilities, and each row's row in them. For rejection.
    var probabilities: [Tensor?] = []
    var rows: [[Int?]] = []
  }

  private func propose(_ ready: [Int], _ limits: [Int], _ how: Speculation) throws(EngineError) -> Drafts {
    var drafts = Drafts(ids: ready.map { _ in [] }, places: lanes.lanes.map { _ in [] })
    let proposers = proposers
    for j in 0..<limits.max()! {
      let active = ready.indices.filter { limits[$0] > j }
      var feeds: [Lanes.Feed] = []
      for lane in proposers {
        for i in active {
          let ids = j == 0 ? Array(rows[ready[i]]!.pending(lane, lanes)) : [mapped(drafts.ids[i][j - 1], lane)]
          feeds.append(Lanes.Feed(lane: lane, row: ready[i], ids: ids, wanted: 1))
        }
      }
      let found = try lanes.feed(feeds)
      var places = [[Lanes.Place?]](repeating: Array(repeating: nil, count: ready.count), count: proposers.count)
      for p in proposers.indices { for (n, i) in active.enumerated() { places[p][i] = found[p * active.count + n] } }
      if draftLane == nil { for (p, lane) in proposers.enumerated() { drafts.places[lane].append(places[p]) } }

      let first = proposers.indices.map { places[$0][active[0]]!.logits },
        rowsOf = active.map { i in proposers.indices.map { places[$0][i]!.first } }
      let scores: Tensor
      if draftLane == nil {
        let weights = active.map { i in Emulation.proposal(weights: proposers.count == 1 ? [1] : rows[ready[i]]!.mixture.weights) }
        let maps = ensemble.vocabulary.maps
        // Ids that the experts lack are not proposed; those that only they have may be.
        scores = try Tensor.mixed(
          weights, logits: [nil] + first + [nil], places: rowsOf.map { [0] + $0 + [0] }, maps: maps, kinds: ensemble.vocabulary.kinds,
          vocabulary: ensemble.vocabulary.count
        ).scores
      } else {
        let width = ensemble.isEmulated ? ensemble.vocabulary.count : ensemble.base!.model.configuration.vocabularySize
        scores = try Tensor.mixed(active.map { _ in Mixture() }, logits: first, places: rowsOf, maps: [nil], kinds: nil, vocabulary: width)
          .scores
      }
      let chosen = try scores.chosen(
        active.map { rows[ready[$0]]!.choice(behind: drafts.ids[$0][...]) }, keepsProcessed: how.scheme == .rejection)
      var at = [Int?](repeating: nil, count: ready.count)
      for (n, i) in active.enumerated() {
        drafts.ids[i].append(chosen.tokens[n])
        at[i] = n
      }
      drafts.probabilities.append(try chosen.processed?.softmax(axis: 1))
      drafts.rows.append(at)
    }
    return drafts
  }

  /// The others read each row's last token and its proposals, all but the last one, which only rejection needs.
  private func read(_ ready: [Int], _ limits: [Int], _ drafts: Drafts, _ how: Speculation) throws(EngineError) -> [[Lanes.Place?]?] {
    let proposers = Set(proposers), isRejection = how.scheme == .rejection && how.simulatedAgreement == nil
    var feeds: [Lanes.Feed] = [], owners: [(lane: Int, i: Int)] = []
    for lane in lanes.lanes.indices where lane != draftLane {
      for i in ready.indices {
        let proposals = drafts.ids[i].map { mapped($0, lane) }
        if proposers.contains(lane) {
          if isRejection { feeds.append(Lanes.Feed(lane: lane, row: ready[i], ids: [proposals.last!], wanted: 1)) } else { continue }
        } else {
          let ids = rows[ready[i]]!.pending(lane, lanes) + proposals.dropLast(isRejection ? 0 : 1)
          feeds.append(Lanes.Feed(lane: lane, row: ready[i], ids: Array(ids), wanted: limits[i] + (isRejection ? 1 : 0)))
        }
        owners.append((lane, i))
      }
    }
    var result = [[Lanes.Place?]?](repeating: nil, count: lanes.lanes.count)
    for (owner, place) in zip(owners, try lanes.feed(feeds)) {
      if result[owner.lane] == nil { result[owner.lane] = Array(repeating: nil, count: ready.count) }
      result[owner.lane]![owner.i] = place
    }
    return result
  }

  /// Accepts a proposal with the probability min(1, p / q), or draws from what p has more than q. `target` holds p in a row, `proposer` q.
  private func settle(
    _ proposal: Int, _ target: Tensor, row: Int, _ proposer: Tensor, row other: Int, _ sampling: Sampling, _ position: Int
  ) throws(EngineError) -> (Int, agrees: Bool) {
    let uniforms = sampling.uniforms(position: position)
    let wanted = try target.elements(rows: [row], columns: [proposal])[0],
      offered = try proposer.elements(rows: [other], columns: [proposal])[0]
    if uniforms.accept * offered < wanted { return (proposal, true) }
    let p = try target.sliced(axis: 0, row..<row + 1).floats(), q = try proposer.sliced(axis: 0, other..<other + 1).floats()
    var total = 0.0
    for i in p.indices where p[i] > q[i] { total += Double(p[i] - q[i]) }
    var rest = uniforms.draw * total, last = proposal
    for i in p.indices where p[i] > q[i] {
      last = i
      rest -= Double(p[i] - q[i])
      if rest < 0 { break }
    }
    return (last, false)
  }
}
