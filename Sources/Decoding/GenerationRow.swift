internal import HoldfastEngine

/// A request at work.
struct GenerationRow {
  let id: Int
  /// Where it stands in the caches.
  let row: Int
  let request: GenerationRequest
  let mixture: Mixture
  /// By lane, in its own ids: the prompt and what came behind it.
  private(set) var texts: [[Int]]
  /// In the ensemble's ids.
  private(set) var tokens: [Int] = []
  /// Tokens of the next block.
  var block: Int
  private var seen: [Int] = []
  private var isSeen: Set<Int> = []

  init(id: Int, row: Int, request: GenerationRequest, prompts: [[Int]], mixture: Mixture, block: Int) {
    self.id = id
    self.row = row
    self.request = request
    self.mixture = mixture
    self.block = block
    texts = prompts
    if request.sampling.repetitionPenalty != 1 { for id in request.prompt { see(id) } }
  }

  private mutating func see(_ id: Int) { if isSeen.insert(id).inserted { seen.append(id) } }

  /// What a lane has not read yet.
  func pending(_ lane: Int, _ lanes: Lanes) -> ArraySlice<Int> { texts[lane][lanes.held[lane][row].count...] }

  /// How the token behind these proposals is chosen.
  func choice(behind proposals: ArraySlice<Int>) -> Choice {
    let more = request.sampling.repetitionPenalty == 1 ? [] : Array(Set(proposals.filter { !isSeen.contains($0) })).sorted()
    return request.sampling.choice(seen: seen + more, position: tokens.count + proposals.count)
  }

  /// Takes a token; says whether the row ends with it.
  mutating func append(_ id: Int, _ vocabulary: CommonVocabulary, roles: [Int?]) -> FinishReason? {
    tokens.append(id)
    if request.sampling.repetitionPenalty != 1 { see(id) }
    var mapped = texts.map { _ in id }
    for (role, lane) in roles.enumerated() { if let lane, roles.count > 1 { mapped[lane] = vocabulary.id(id, for: role) } }
    for lane in texts.indices { texts[lane].append(mapped[lane]) }
    if request.stopIDs.contains(id) { return .end }
    return tokens.count >= request.maximumTokens ? .length : nil
  }
}
