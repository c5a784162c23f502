public import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastTraining

/// Weight interpolation after training: θ = (1 − α) · base + α · tuned, in f32, tensor by tensor.
///
/// Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (Wise-FT), arXiv 2109.01903. No training is
/// needed, α is chosen afterwards, and a tensor that tuning left alone keeps its bits for every α.
public struct WeightInterpolation: MergeRule {
  /// 0 gives the base, 1 the tuned model, to the bit.
  public let alpha: Double

  public init(alpha: Double) {
    precondition((0...1).contains(alpha), "alpha is \(alpha), but lies between 0 and 1")
    self.alpha = alpha
  }

  public func check(_ model: ModelFacts, tunedCount: Int) throws(Problems) {
    if tunedCount != 1 { throw Problems("interpolate", ["it lies between the base and one tuned model; \(tunedCount) are named"]) }
  }

  public func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor {
    if alpha == 0 { return base }
    return alpha == 1 ? tuned[0] : try base * (1 - alpha) + tuned[0] * alpha
  }

  /// What both hold; everything in which they differ is named at once.
  static func common(_ a: any WeightSource, _ b: any WeightSource, subject: String) throws(Problems) -> [ParameterFacts] {
    var problems = Problems(subject), result: [ParameterFacts] = []
    let first = a.names ?? [], second = Set(b.names ?? [])
    for name in first {
      guard let shape = a.shape(of: name) else { continue }
      if !second.contains(name) {
        problems.add("\(name) is only in the base")
      } else if let other = b.shape(of: name), other != shape {
        problems.add("\(name) has the shape \(shape) in the base and \(other) in the tuned model")
      } else {
        result.append(ParameterFacts(name: name, shape: shape))
      }
    }
    for name in second.subtracting(first).sorted() { problems.add("\(name) is only in the tuned model") }
    try problems.check()
    return result
  }
}
