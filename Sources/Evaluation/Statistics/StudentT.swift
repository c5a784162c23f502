#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// Student's t distribution, central or not.
public struct StudentT: Sendable, Hashable {
  /// Degrees of freedom, above 0; not always whole (Welch).
  public let degrees: Double
  /// δ: the mean of the normal variable that is divided by √(χ²/ν). 0 is Student's own.
  public let noncentrality: Double

  public init(degrees: Double, noncentrality: Double = 0) {
    precondition(degrees > 0, "\(degrees) degrees of freedom")
    self.degrees = degrees
    self.noncentrality = noncentrality
  }

  /// P(T ≤ t). The noncentral one is the series of Lenth (1989, algorithm AS 243).
  public func cdf(_ t: Double) -> Double {
    if noncentrality == 0 { return t < 0 ? upperTail(-t) : 1 - upperTail(t) }
    if t < 0 { return 1 - StudentT(degrees: degrees, noncentrality: -noncentrality).cdf(-t) }
    return min(1, max(0, Normal.cdf(-noncentrality) + series(t)))
  }

  /// P(|T| > |t|) of the central distribution: the p value of a two-sided test.
  public func twoSided(_ t: Double) -> Double {
    precondition(noncentrality == 0)
    return t.isNaN ? .nan : 2 * upperTail(abs(t))
  }

  /// The t that lies above a share p of the central distribution, 0 < p < 1.
  public func quantile(_ p: Double) -> Double {
    precondition(noncentrality == 0 && p > 0 && p < 1, "no quantile at \(p)")
    if p == 0.5 { return 0 }
    let tail = min(p, 1 - p)
    var high = 1.0
    while upperTail(high) > tail { high *= 2 }
    let t = -SpecialFunctions.root(of: tail, in: -high...0) { upperTail(-$0) }
    return p < 0.5 ? -t : t
  }

  /// P(T > t), t ≥ 0, central.
  private func upperTail(_ t: Double) -> Double {
    t.isInfinite ? 0 : 0.5 * SpecialFunctions.incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
  }

  /// Σ_j (p_j I_x(j + ½, ν/2) + q_j I_x(j + 1, ν/2)) / 2, with x = t²/(t² + ν) and Poisson-like weights of mean δ²/2.
  private func series(_ t: Double) -> Double {
    let x = t * t / (t * t + degrees), half = noncentrality * noncentrality / 2
    if x == 0 { return 0 }
    var sum = 0.0, weights = 0.0
    for j in 0..<100_000 {
      let j = Double(j)
      let p = exp(-half + j * log(half) - SpecialFunctions.logGamma(j + 1))
      let q = noncentrality / 2.0.squareRoot() * exp(-half + j * log(half) - SpecialFunctions.logGamma(j + 1.5))
      sum += p * SpecialFunctions.incompleteBeta(x, j + 0.5, degrees / 2) + q * SpecialFunctions.incompleteBeta(x, j + 1, degrees / 2)
      weights += p
      if j > half, 1 - weights < 1e-14 || p < 1e-17 { break }
    }
    return sum / 2
  }
}
