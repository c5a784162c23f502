public import HoldfastEngine
public import HoldfastModels

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
