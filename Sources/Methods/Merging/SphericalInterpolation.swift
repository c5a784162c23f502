#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
public import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastTraining

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
