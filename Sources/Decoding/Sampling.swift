internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// How the next token is chosen from its logits.
public struct Sampling: Sendable, Hashable {
  /// 0 takes the likeliest token.
  public var temperature: Double
  /// The smallest set of likeliest tokens whose probability reaches this is drawn from (Holtzman et al. 2020); 1: all.
  public var topP: Double
  /// Decides the draws; those of a row depend on its own seed alone.
  public var seed: UInt64

  public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
    precondition(temperature >= 0 && topP > 0 && topP <= 1)
    self.temperature = temperature
    self.topP = topP
    self.seed = seed
  }

  /// The likeliest token, always.
  public static let greedy = Sampling()

  /// The token for one row. `generator` is not touched when greedy. Ties go to the lowest id.
  func choose(_ logits: ArraySlice<Float>, _ generator: inout CounterGenerator) -> Int {
    let base = logits.startIndex
    if temperature == 0 {
      var best = base
      for i in logits.indices where logits[i] > logits[best] { best = i }
      return best - base
    }
    let top = Double(logits.max() ?? 0)
    var weights = logits.map { exp((Double($0) - top) / temperature) }
    var total = weights.reduce(0, +)
    if topP < 1 {
      let order = weights.indices.sorted { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
      var kept = 0.0
      var last = 0
      for (place, i) in order.enumerated() {
        kept += weights[i]
        last = place
        if kept >= topP * total { break }
      }
      for i in order[(last + 1)...] { weights[i] = 0 }
      total = kept
    }
    var point = generator.unit() * total
    for (i, weight) in weights.enumerated() {
      point -= weight
      if point < 0 { return i }
    }
    return weights.lastIndex { $0 > 0 } ?? 0
  }
}
