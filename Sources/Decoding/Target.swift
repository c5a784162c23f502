internal import HoldfastEngine
internal import HoldfastModels

/// Mixtures of some positions with what they were made of.
struct Target {
  let scores: Tensor
  let facts: [MixtureFacts]
  let logits: [Tensor?]
  let places: [[Int]]
  let ensemble: Ensemble

  init(_ mixtures: [Mixture], logits: [Tensor?], places: [[Int]], _ ensemble: Ensemble) throws(EngineError) {
    let isEmulated = ensemble.isEmulated, vocabulary = ensemble.vocabulary
    (scores, facts) = try Tensor.mixed(
      mixtures, logits: logits, places: places, maps: isEmulated ? vocabulary.maps : [nil], kinds: isEmulated ? vocabulary.kinds : nil,
      vocabulary: isEmulated ? vocabulary.count : ensemble.base!.model.configuration.vocabularySize)
    self.logits = logits
    self.places = places
    self.ensemble = ensemble
  }

  /// What is said of an id at a position.
  func token(_ id: Int, at position: Int, likeliest: Int) throws(EngineError) -> GeneratedToken {
    let score = try scores.elements(rows: [position], columns: [id])[0], facts = facts[position]
    var best: [ScoredID] = []
    if likeliest > 0 {
      best = try scores.likeliest(likeliest, row: position).map { ScoredID(id: $0.id, logProbability: $0.value - facts.logZ) }
    }
    var info: MixtureInfo?
    if ensemble.isEmulated {
      var parts: [Double?] = []
      for (role, tensor) in logits.enumerated() {
        guard let tensor else {
          parts.append(nil)
          continue
        }
        let kind = ensemble.vocabulary.kinds?[id] ?? 0, isBase = role == 0
        let knows = kind == 0 || kind == 1 && isBase || kind == 2 && !isBase && role < logits.count - 1
        let column = ensemble.vocabulary.maps[role].map { Int($0[id]) } ?? id
        parts.append(
          knows && column >= 0 ? try tensor.elements(rows: [places[position][role]], columns: [column])[0] - facts.sums[role] : nil)
      }
      info = MixtureInfo(
        logZ: facts.logZ, totalVariation: facts.totalVariation, base: parts[0], experts: Array(parts[1..<parts.count - 1]),
        antiExpert: parts[parts.count - 1])
    }
    return GeneratedToken(id: id, logProbability: score - facts.logZ, likeliest: best, mixture: info)
  }
}
