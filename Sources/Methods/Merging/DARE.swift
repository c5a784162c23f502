internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels

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
