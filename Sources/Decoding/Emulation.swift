internal import HoldfastEngine

/// How an ensemble's distributions become one (emulated fine-tuning, Mitchell et al. 2023, arXiv 2310.12962). ℓ are log-probabilities, L the
/// base, F the experts with weights w, S the anti-expert, which is what the experts were before they were tuned.
///
/// Proxy-tuning (Liu et al. 2024) is the mode `reward` with β = 1. Contrastive decoding (Li et al. 2022; O'Brien and Lewis 2023) is an ensemble without
/// experts: ℓL + β(ℓL − ℓS) over the plausible tokens.
public struct Emulation: Sendable, Hashable {
  public enum Mode: String, Sendable, CaseIterable {
    /// softmax(ℓL + β · Σ w (ℓF − ℓS)): β scales what tuning did.
    case reward
    /// softmax(ℓF + β · (ℓL − ℓS)): β scales what size does. One expert.
    case delta
  }

  public var mode = Mode.reward
  /// β; 0 is the base (reward) or the expert (delta).
  public var beta = 1.0
  /// Of the experts; empty: equal shares of 1.
  public var weights: [Double] = []
  /// Mode delta: tokens outside the expert's likeliest of this mass keep the expert's weight.
  public var upscaleTopP: Double?
  /// The log-ratio that β multiplies stays within ± this.
  public var ratioClip: Double?
  /// Only the base's likeliest tokens of this mass may come (DExperts, Liu et al. 2021).
  public var baseTopP: Double?
  /// Only tokens of at least this share of the base's greatest probability may come (contrastive decoding: 0.1).
  public var plausibility: Double?
  /// A negative β turns what tuning did around; it must be asked for.
  public var allowsNegative = false
  /// Weights that do not add up to 1 must be asked for.
  public var allowsAnyWeights = false

  public init(_ mode: Mode = .reward, beta: Double = 1) {
    self.mode = mode
    self.beta = beta
  }

  /// The weights of so many experts.
  func weights(of experts: Int) -> [Double] { weights.isEmpty ? Array(repeating: 1 / Double(max(1, experts)), count: experts) : weights }

  /// What is wrong for so many experts, one sentence each.
  public func complaints(experts: Int, hasBase: Bool, hasAntiExpert: Bool) -> [String] {
    var found: [String] = []
    if !beta.isFinite { found.append("beta is \(beta); it is a finite number") }
    if beta < 0, !allowsNegative {
      found.append("beta is \(beta): a negative strength reverses what tuning did; say so with allow_negative")
    }
    for (name, value) in [("upscale_top_p", upscaleTopP), ("base_top_p", baseTopP), ("plausibility", plausibility)] {
      if let value, !(value > 0 && value <= 1) { found.append("\(name) is \(value); it is above 0 and at most 1") }
    }
    if let ratioClip, !(ratioClip > 0) { found.append("ratio_clip is \(ratioClip); it is above 0") }
    if upscaleTopP != nil, mode != .delta { found.append("upscale_top_p belongs to the mode delta") }
    if !weights.isEmpty, weights.count != experts { found.append("there are \(weights.count) weights for \(experts) experts") }
    if !weights.allSatisfy(\.isFinite) { found.append("a weight is no finite number") }
    if weights.contains(where: { $0 < 0 }), !allowsNegative {
      found.append("a weight is negative: that reverses what its expert learned; say so with allow_negative")
    }
    let sum = weights(of: experts).reduce(0, +)
    if experts > 0, !weights.isEmpty, abs(sum - 1) > 0.01, !allowsAnyWeights {
      found.append("the weights add up to \(sum), not 1; say so with any_weights if that is meant")
    }
    if mode == .delta, experts != 1 { found.append("the mode delta takes one expert, not \(experts)") }
    if mode == .delta, !hasBase || !hasAntiExpert { found.append("the mode delta needs a base and an anti-expert") }
    if hasBase, experts > 0, !hasAntiExpert {
      found.append("an anti-expert is missing: the model that the experts were before they were tuned")
    }
    if !hasBase, experts == 0 { found.append("there is no model") }
    if !hasBase, hasAntiExpert { found.append("an anti-expert needs a base") }
    if !hasBase, abs(sum - 1) > 0.01, !allowsAnyWeights { found.append("experts without a base need weights that add up to 1") }
    return found
  }

  func mixture(experts: Int) -> Mixture {
    var result = Mixture()
    result.mode = mode == .reward ? .reward : .delta
    result.strength = beta
    result.weights = weights(of: experts)
    result.clip = ratioClip ?? 0
    result.inside = upscaleTopP ?? 1
    result.baseTopP = baseTopP ?? 1
    result.plausible = plausibility ?? 0
    return result
  }

  /// What the experts say together, as a proposer.
  static func proposal(weights: [Double]) -> Mixture {
    var result = Mixture()
    result.weights = weights
    return result
  }
}
