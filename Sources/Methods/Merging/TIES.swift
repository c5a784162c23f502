public import HoldfastEngine
public import HoldfastModels

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
