public import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastTraining

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
