internal import HoldfastEngine
internal import HoldfastModels

extension Evaluator {
  /// Scores every token of several texts in shared passes.
  func scores(ofTexts texts: [String], rule: WindowRule) throws -> [TextScores] {
    var requests: [LikelihoodRequest] = [], places: [(text: Int, start: Int)] = []
    let ids = try texts.map { text in
      let ids = try self.ids(of: text)
      return Array(ids.dropFirst(front.count))
    }
    let isBare = rule.front.isEmpty
    for (number, ids) in ids.enumerated() {
      for window in rule.windows(of: ids.count) {
        let context = isBare ? [ids[window.lowerBound]] : rule.front
        requests.append(LikelihoodRequest(context: context, continuation: Array(ids[window].dropFirst(isBare ? 1 : 0))))
        places.append((number, window.lowerBound + (isBare ? 1 : 0)))
      }
    }
    var scores = ids.map { [TokenScore?](repeating: nil, count: $0.count) }
    for (place, window) in zip(places, try likelihoods(of: requests)) {
      for (t, score) in window.enumerated() { scores[place.text][place.start + t] = score }
    }
    return zip(ids, scores).map { TextScores(ids: $0, scores: $1, rule: rule) }
  }
}

extension TextScores {
  /// Scores of neighbours, `blockLength` together, never across windows.
  func blocks() -> [[TokenScore]] {
    var blocks: [[TokenScore]] = []
    for window in rule.windows(of: ids.count) {
      for start in stride(from: window.lowerBound, to: window.upperBound, by: Self.blockLength) {
        let block = scores[start..<min(start + Self.blockLength, window.upperBound)].compactMap { $0 }
        if !block.isEmpty { blocks.append(block) }
      }
    }
    return blocks
  }
}
