public import HoldfastBasics
public import HoldfastEngine
internal import HoldfastModels

/// Generates for many requests at once. Each has a row of the caches; requests beyond the rows wait. Every call of `advance` reads
/// prompts and moves all rows that are ready by one step; a request may come or go between any two calls, and a row's tokens do not
/// depend on the others (to the bit where `Ensemble.isRowInvariant`). One thread at a time.
public final class GenerationEngine {
  public let ensemble: Ensemble
  public let speculation: Speculation?
  /// Tokens that a row can hold, prompt included.
  public let capacity: Int
  /// Prompt tokens that one call of `advance` reads at most, so that running rows do not wait long for new ones.
  public var promptTokensPerStep = 512
  public private(set) var counts = GenerationCounts()

  let lanes: Lanes
  /// Lane by role; those of the roles that are not there are nil.
  let laneOfRole: [Int?]
  let draftLane: Int?
  var rows: [GenerationRow?]
  private var waiting: [(id: Int, request: GenerationRequest)] = []
  private var nextID = 0
  private var lastUse: [Int: Int] = [:]

  /// - Throws: `Problems` about the speculation; `EngineError` where memory cannot be had.
  public init(_ ensemble: Ensemble, rows: Int, capacity: Int, speculation: Speculation? = nil) throws {
    precondition(rows > 0 && capacity > 0)
    self.ensemble = ensemble
    self.speculation = speculation
    self.capacity = capacity
    var problems = Problems("speculation", speculation?.complaints ?? [])
    if speculation != nil, ensemble.experts.isEmpty, ensemble.draft == nil {
      problems.add("nobody proposes: speculation needs an expert or a draft model")
    }
    try problems.check()
    var members: [Ensemble.Member] = [], laneOfRole: [Int?] = []
    for (role, member) in ensemble.roles.enumerated() {
      guard let member else {
        laneOfRole.append(nil)
        continue
      }
      // A base that is its own anti-expert is asked once.
      if role > 0, role == ensemble.roles.count - 1, let base = ensemble.base, member.isSame(as: base) {
        laneOfRole.append(0)
        continue
      }
      laneOfRole.append(members.count)
      members.append(member)
    }
    draftLane = ensemble.draft.map { _ in members.count }
    members += [ensemble.draft].compactMap { $0 }
    lanes = try Lanes(members, rows: rows, capacity: capacity + 1)
    self.laneOfRole = laneOfRole
    self.rows = Array(repeating: nil, count: rows)
  }

  // MARK: - Requests

  /// Puts a request in line; its number names it in what follows.
  ///
  /// - Throws: `Problems` with everything that is wrong with it.
  public func add(_ request: GenerationRequest, ignoresContext: Bool = false) throws(Problems) -> Int {
    var problems = Problems("request", request.sampling.complaints)
    if let emulation = request.emulation {
      for complaint in emulation.complaints(
        experts: ensemble.experts.count, hasBase: ensemble.base != nil, hasAntiExpert: ensemble.antiExpert != nil)
      {
        problems.add(complaint)
      }
    }
    let roles = ensemble.roles
    for (role, member) in (roles + [ensemble.draft]).enumerated() {
      guard let member else { continue }
      let prompt = prompt(of: request, role: role)
      if prompt.isEmpty { problems.add("an empty prompt cannot be continued: give it a first token") }
      let length = prompt.count + request.maximumTokens, context = member.model.configuration.contextLength
      if length > context, !ignoresContext {
        problems.add("\(prompt.count) tokens and \(request.maximumTokens) more do not fit the context of \(context) of \(member.name)")
      }
      if length > capacity { problems.add("\(prompt.count) tokens and \(request.maximumTokens) more do not fit a row of \(capacity)") }
      if let wrong = prompt.first(where: { $0 < 0 || $0 >= member.model.configuration.vocabularySize }) {
        problems.add("the prompt has the id \(wrong), which lies outside the vocabulary")
      }
    }
    if roles.count > 1, laneOfRole[roles.count - 1] == 0, let other = request.antiExpertPrompt, other != request.prompt {
      problems.add("base and anti-expert are one model here, so they cannot have two prompts")
    }
    if request.maximumTokens < 1 { problems.add("\(request.maximumTokens) tokens are asked for; ask for 1 or more") }
    try problems.check()
    defer { nextID += 1 }
    waiting.append((nextID, request))
    return nextID
  }

  /// Takes a request out, wherever it stands; nothing more is told of it.
  public func remove(_ id: Int) {
    waiting.removeAll { $0.id == id }
    for row in rows.indices where rows[row]?.id == id { rows[row] = nil }
  }

  /// Requests that wait or run.
  public var count: Int { waiting.count + running }
  public var running: Int { rows.count { $0 != nil } }

  /// The prompt by role, in its own ids; the draft comes behind the roles.
  func prompt(of request: GenerationRequest, role: Int) -> [Int] {
    let last = ensemble.roles.count - 1
    if role == 0 || role > last { return request.prompt }
    return (role == last ? request.antiExpertPrompt : request.expertPrompt) ?? request.prompt.map { ensemble.vocabulary.id($0, for: role) }
  }

  // MARK: - Steps

  /// Reads prompts and moves every row that is ready by one step. Tells of the rows that got tokens; nothing where nothing runs.
  public func advance() throws(EngineError) -> [GenerationProgress] {
    try admit()
    try readPrompts()
    let ready = rows.indices.filter {
      rows[$0].map { row in lanes.lanes.indices.allSatisfy { row.pending($0, lanes).count <= 1 || $0 == draftLane } } ?? false
    }
    if ready.isEmpty { return [] }
    let results = if let speculation { try speculate(ready, speculation) } else { try step(ready) }
    counts.passes = laneOfRole.map { $0.map { lanes.passes[$0] } ?? 0 } + [draftLane].compactMap { $0 }.map { lanes.passes[$0] }
    for progress in results {
      counts.tokens += progress.tokens.count
      if progress.finish != nil { remove(progress.request) }
    }
    return results
  }

  func admit() throws(EngineError) {
    while !waiting.isEmpty {
      let free = rows.indices.filter { rows[$0] == nil }
      if free.isEmpty { return }
      let (id, request) = waiting.removeFirst()
      // The row that holds the most of it already; of equals the one that was used least lately.
      let row = free.max { a, b in
        (lanes.overlap(a, request.prompt), -(lastUse[a] ?? 0)) < (lanes.overlap(b, request.prompt), -(lastUse[b] ?? 0))
      }!
      lastUse[row] = id + 1
      var prompts = [[Int]](repeating: [], count: lanes.lanes.count)
      for (role, lane) in (laneOfRole + [draftLane]).enumerated() { if let lane { prompts[lane] = prompt(of: request, role: role) } }
      let mixture = (request.emulation ?? ensemble.emulation).mixture(experts: ensemble.experts.count)
      let state = GenerationRow(id: id, row: row, request: request, prompts: prompts, mixture: mixture, block: speculation?.block ?? 1)
      for lane in prompts.indices {
        counts.promptTokens += prompts[lane].count
        // The last token's logits are asked for, so it is always read.
        let held = try lanes.begin(lane, row, Array(prompts[lane].dropLast()))
        counts.sharedPromptTokens += held
      }
      rows[row] = state
    }
  }

  /// Everything before the last token of each prompt, up to so many tokens a call and lane.
  func readPrompts() throws(EngineError) {
    var feeds: [Lanes.Feed] = []
    for lane in lanes.lanes.indices {
      var room = promptTokensPerStep
      for (r, row) in rows.enumerated() {
        guard let row, row.tokens.isEmpty, room > 0 else { continue }
        let part = row.pending(lane, lanes).dropLast().prefix(room)
        if part.isEmpty { continue }
        room -= part.count
        feeds.append(Lanes.Feed(lane: lane, row: r, ids: Array(part), wanted: 0))
      }
    }
    if !feeds.isEmpty { _ = try lanes.feed(feeds) }
  }

  /// One token for every row.
  private func step(_ ready: [Int]) throws(EngineError) -> [GenerationProgress] {
    var feeds: [Lanes.Feed] = []
    for lane in lanes.lanes.indices where lane != draftLane {
      for r in ready { feeds.append(Lanes.Feed(lane: lane, row: r, ids: Array(rows[r]!.pending(lane, lanes)), wanted: 1)) }
    }
    let places = try lanes.feed(feeds)
    let target = try self.target(ready) { lane, i in places[lane * ready.count + i]! }
    let chosen = try target.scores.chosen(ready.map { rows[$0]!.choice(behind: []) }).tokens
    var results: [GenerationProgress] = []
    for (i, r) in ready.enumerated() {
      let token = try target.token(chosen[i], at: i, likeliest: rows[r]!.request.likeliest)
      let finish = rows[r]!.append(token.id, ensemble.vocabulary, roles: laneOfRole)
      results.append(GenerationProgress(request: rows[r]!.id, tokens: [token], finish: finish))
    }
    return results
  }

  /// The mixture of every given row, from each lane's place of its logits.
  func target(_ ready: [Int], place: (Int, Int) -> Lanes.Place) throws(EngineError) -> Target {
    var tensors: [Tensor?] = [], places = [[Int]](repeating: [], count: ready.count)
    for lane in laneOfRole {
      guard let lane else {
        tensors.append(nil)
        for i in ready.indices { places[i].append(0) }
        continue
      }
      tensors.append(place(lane, 0).logits)
      for i in ready.indices { places[i].append(place(lane, i).first) }
    }
    return try Target(ready.map { rows[$0]!.mixture }, logits: tensors, places: places, ensemble)
  }

  func count(proposed: Int, agreed: Int) {
    counts.proposed += proposed
    counts.agreed += agreed
  }
}
