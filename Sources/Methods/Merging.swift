#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
public import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastTraining

/// A rule that makes one model out of a base and one or more models tuned from it, without training.
public protocol MergeRule: Sendable {
  /// What is wrong with the rule for so many tuned models of this kind, before anything is read.
  func check(_ model: ModelFacts, tunedCount: Int) throws(Problems)
  /// One tensor of the result. base and tuned are in f32 and of one shape; none of them may be changed.
  func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor
}

extension MergeRule {
  /// Writes the merged model in the first tuned folder's form and type, as a new folder.
  ///
  /// A tensor that no tuned model moved keeps its bits whatever the rule.
  /// - Throws: `Problems` with every tensor in which the models differ by name or shape.
  public func write(base: ModelFolder, tuned: [ModelFolder], tokenizerFiles: [String], to path: String) throws {
    precondition(!tuned.isEmpty)
    let facts = ModelFacts(configuration: base.configuration, parameters: try base.configuration.parameters())
    try check(facts, tunedCount: tuned.count)
    let from = try FileWeights(folder: base.path), others = try tuned.map { tuned -> any WeightSource in
      DeltaWeights.isDelta(tuned.path) ? try DeltaWeights(folder: tuned.path, base: from) : try FileWeights(folder: tuned.path)
    }
    var parameters: [ParameterFacts] = []
    for (folder, other) in zip(tuned, others) {
      parameters = try WeightInterpolation.common(from, other, subject: "\(base.path) and \(folder.path)")
    }
    var moved: [String: Tensor] = [:]
    for parameter in parameters {
      let start = try from.tensor(parameter.name), ends = try others.map { try $0.tensor(parameter.name) }
      if try ends.allSatisfy({ try start.hasSameBits(as: $0) }) {
        moved[parameter.name] = start
      } else {
        moved[parameter.name] = try merge(parameter, base: start.cast(.float32), tuned: ends.map { try $0.cast(.float32) })
      }
    }
    try Export(folder: tuned[0], tokenizerFiles: tokenizerFiles).write(to: path, parameters: parameters, moved: moved, source: others[0])
  }

  public func check(_ model: ModelFacts, tunedCount: Int) throws(Problems) {}
}

/// base + scale · Σ (tuned − base) (task arithmetic, Ilharco et al. 2023, arXiv 2212.04089). With `isMean` the sum is divided
/// by the number of models, and scale 1 is their average (a soup, Wortsman et al. 2022, arXiv 2203.05482).
public struct TaskArithmetic: MergeRule {
  public let scale: Double
  public let isMean: Bool

  public init(scale: Double = 1, isMean: Bool = false) {
    self.scale = scale
    self.isMean = isMean
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    let factor = isMean ? scale / Double(tuned.count) : scale
    let result = try base.copy()
    for tensor in tuned { try result.add(tensor - base, scale: factor) }
    return result
  }
}

/// TIES (Yadav et al. 2023, arXiv 2306.01708): of each model's distance from the base the largest `density` per tensor stays,
/// the sign of an entry is that of the sum, and the mean is taken over the models that agree with it.
public struct TIES: MergeRule {
  public let density: Double
  public let scale: Double

  public init(density: Double = 0.2, scale: Double = 1) {
    precondition(density > 0 && density <= 1)
    self.density = density
    self.scale = scale
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    let count = max(1, Int((density * Double(parameter.count)).rounded()))
    let trimmed = try tuned.map { tensor in
      let moved = try tensor - base
      return try moved * moved.largest(count).cast(.float32)
    }
    let sign = try trimmed.dropFirst().reduce(trimmed[0]) { try $0 + $1 }.sign()
    var sum = try base * 0, voices = try base * 0
    let zero = try base * 0
    for moved in trimmed {
      let agrees = try (moved * sign > zero).cast(.float32)
      sum = try sum + moved * agrees
      voices = try voices + agrees
    }
    let one = try zero + 1
    let mean = try sum / Tensor.choose(voices > one, voices, one)
    return try base + mean * scale
  }
}

/// DARE (Yu et al. 2024, arXiv 2311.03099): each entry of a model's distance from the base is dropped with probability
/// 1 − density and otherwise divided by the density, which keeps its mean; then as in task arithmetic.
public struct DARE: MergeRule {
  public let density: Double
  public let scale: Double
  public let seed: UInt64

  public init(density: Double = 0.5, scale: Double = 1, seed: UInt64 = 0) {
    precondition(density > 0 && density <= 1)
    self.density = density
    self.scale = scale
    self.seed = seed
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    let result = try base.copy()
    let edge = try base * 0 + density
    for (index, tensor) in tuned.enumerated() {
      var stream = CounterGenerator(seed: seed, "dare", parameter.name, index)
      let kept = try (edge > Generator(seed: stream.next()).uniform(parameter.shape)).cast(.float32)
      try result.add((tensor - base) * kept, scale: scale / density)
    }
    return result
  }
}

/// The point at `alpha` on the great circle between base and tuned, tensor by tensor as one vector (Shoemake 1985); on the
/// straight line where the two are nearly parallel.
public struct SphericalInterpolation: MergeRule {
  public let alpha: Double

  public init(alpha: Double) {
    precondition((0...1).contains(alpha))
    self.alpha = alpha
  }

  public func check(_ model: ModelFacts, tunedCount: Int) throws(Problems) {
    if tunedCount != 1 { throw Problems("slerp", ["it lies between the base and one tuned model; \(tunedCount) are named"]) }
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    let end = tuned[0]
    if alpha == 0 { return base }
    if alpha == 1 { return end }
    let norms = try (Tensor.squaredNorm(of: [base]) * Tensor.squaredNorm(of: [end])).squareRoot()
    let cosine = norms > 0 ? min(1, max(-1, try (base * end).sum().item() / norms)) : 1
    if abs(cosine) > 0.9995 { return try base * (1 - alpha) + end * alpha }
    // With c = cos ω: the weights sin((1 − α)ω) / sin ω and sin(αω) / sin ω.
    let angle = acos(cosine)
    return try base * (sin((1 - alpha) * angle) / sin(angle)) + end * (sin(alpha * angle) / sin(angle))
  }
}

/// Half-Reset: a random half of the tuned matrices goes back to the base (Hui et al. 2024, arXiv 2404.18466, pilot
/// experiment). What stands outside the layers keeps its tuned values, as it trains in Half Fine-Tuning, or goes back too.
public struct HalfReset: MergeRule {
  /// Units that keep their tuned values.
  public let ratio: Double
  public let strategy: HalfPlan.Strategy
  public let balance: HalfPlan.Balance
  public let keepsOutside: Bool
  public let seed: UInt64
  private let kept: Set<String>

  /// - Throws: `Problems` where a layer's tensor belongs to no category.
  public init(
    _ model: ModelFacts, ratio: Double = 0.5, strategy: HalfPlan.Strategy = .category, balance: HalfPlan.Balance = .count,
    keepsOutside: Bool = true, seed: UInt64 = 0
  ) throws(Problems) {
    self.ratio = ratio
    self.strategy = strategy
    self.balance = balance
    self.keepsOutside = keepsOutside
    self.seed = seed
    let chosen = HalfPlan.draw(
      units: try HalfPlan.units(of: model), layerCount: model.configuration.layerCount, fingerprint: model.fingerprint, ratio: ratio,
      strategy: strategy, balance: balance, seed: seed, stage: 0)
    kept = Set(chosen.flatMap(\.tensors))
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    (parameter.layer == nil ? keepsOutside : kept.contains(parameter.name)) ? tuned[0] : base
  }
}
