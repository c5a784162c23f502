#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
public import HoldfastEngine
public import HoldfastModels
public import HoldfastRecords

/// How a text longer than a model's context is scored: its ids are cut into windows that know nothing of one another.
///
/// Every window begins with the same `front`, which is read but not scored. Without a front a window's first token has
/// no context and is not scored either.
public struct WindowRule: Sendable, Hashable {
  /// Tokens of a window at most, the front included.
  public var length: Int
  /// What stands in front of every window, as a rule the token that begins a text.
  public var front: [Int]

  public init(length: Int, front: [Int]) {
    precondition(length > max(1, front.count), "a window of \(length) tokens has no room behind its front")
    self.length = length
    self.front = front
  }

  /// The windows of a text, in its order, as ranges of its ids.
  public func windows(of count: Int) -> [Range<Int>] {
    let size = length - front.count
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }
}

/// What a model says about every token of a text.
public struct TextScores: Sendable {
  /// The text's tokens, without any front.
  public let ids: [Int]
  /// nil for a token that had nothing in front of it.
  public let scores: [TokenScore?]
  /// How the text was cut.
  public let rule: WindowRule

  /// Neighbours in a text are not independent: errors are taken over blocks of this many tokens.
  public static let blockLength = 64

  /// Tokens that were scored.
  public var count: Int { scores.count { $0 != nil } }

  /// −Σ log p, nats.
  public var nats: Double { -scores.reduce(0) { $0 + Double($1?.logProbability ?? 0) } }

  /// Mean negative log-likelihood of a token, nats; its error is that of `Estimate.ratio` over blocks of neighbours.
  public var natsPerToken: Estimate {
    var sums: [Double] = [], counts: [Int] = []
    for window in rule.windows(of: ids.count) {
      for start in stride(from: window.lowerBound, to: window.upperBound, by: Self.blockLength) {
        let block = scores[start..<min(start + Self.blockLength, window.upperBound)].compactMap { $0 }
        guard !block.isEmpty else { continue }
        sums.append(-block.logProbability)
        counts.append(block.count)
      }
    }
    return .ratio(sums: sums, counts: counts)
  }

  /// e to the mean; the error is perplexity × SE(nats a token), by the delta method.
  public var perplexity: Estimate { natsPerToken.exponential }

  /// log₂ of the likelihood over the text's bytes, comparable between tokenizers; nil where a token was not scored.
  public func bitsPerByte(bytes: Int) -> Estimate? {
    guard bytes > 0, count == ids.count, count > 0 else { return nil }
    return natsPerToken.scaled(by: Double(count) / (Double(bytes) * log(2)))
  }

  /// As results. `bytes`: of the text in UTF-8.
  public func records(name: String, what: String, bytes: Int, step: Int? = nil) -> [ScoreRecord] {
    var result = [
      perplexity.record("\(name).perplexity", unit: "perplexity", what: what, step: step),
      natsPerToken.record("\(name).nats", unit: "nats a token", what: what, step: step),
    ]
    if let bits = bitsPerByte(bytes: bytes) {
      result.append(bits.record("\(name).bits_per_byte", unit: "bits a byte", what: what, step: step))
    }
    return result
  }
}

extension Decoder {
  /// Scores every token of a text, window by window.
  public func scores(of ids: [Int], rule: WindowRule, tokensPerBatch: Int = 2048) throws(EngineError) -> TextScores {
    var requests: [LikelihoodRequest] = [], starts: [Int] = []
    for window in rule.windows(of: ids.count) {
      let isBare = rule.front.isEmpty
      let context = isBare ? [ids[window.lowerBound]] : rule.front
      requests.append(LikelihoodRequest(context: context, continuation: Array(ids[window].dropFirst(isBare ? 1 : 0))))
      starts.append(window.lowerBound + (isBare ? 1 : 0))
    }
    var scores = [TokenScore?](repeating: nil, count: ids.count)
    for (start, window) in zip(starts, try likelihoods(of: requests, tokensPerBatch: tokensPerBatch)) {
      for (t, score) in window.enumerated() { scores[start + t] = score }
    }
    return TextScores(ids: ids, scores: scores, rule: rule)
  }
}

extension Estimate {
  /// As a result of a run.
  public func record(_ name: String, unit: String, what: String, step: Int? = nil) -> ScoreRecord {
    ScoreRecord(name: name, value: value, standardError: standardError, count: count, unit: unit, what: what, step: step)
  }
}
