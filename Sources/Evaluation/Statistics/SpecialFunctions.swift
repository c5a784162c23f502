#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// The functions behind the distributions, to about thirteen digits.
package enum SpecialFunctions {
  /// log Γ(x) for x > 0: Stirling's series (Abramowitz and Stegun 6.1.41) where it has converged, the recurrence below.
  package static func logGamma(_ x: Double) -> Double {
    var x = x, product = 1.0
    while x < 16 {
      product *= x
      x += 1
    }
    let square = 1 / (x * x)
    let terms = [1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156]
    let series = terms.reversed().reduce(0) { $0 * square + $1 } / x
    return (x - 0.5) * log(x) - x + 0.5 * log(2 * Double.pi) + series - log(product)
  }

  /// The regularized incomplete beta function I_x(a, b): the continued fraction of DLMF 8.17.22 by Lentz's method, on
  /// the side of the mean where it converges quickly.
  package static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
    let front = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x)) / a
    let tiny = 1e-300
    func bounded(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
    var c = 1.0, d = 1 / bounded(1 - (a + b) * x / (a + 1)), fraction = d
    for m in 1...10_000 {
      let m = Double(m)
      for term in [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))] {
        d = 1 / bounded(1 + term * d)
        c = bounded(1 + term / c)
        fraction *= c * d
      }
      if abs(c * d - 1) < 1e-16 { break }
    }
    return front * fraction
  }

  /// The point at which an increasing function reaches a value, by bisection to the last bit.
  static func root(of value: Double, in range: ClosedRange<Double>, _ function: (Double) -> Double) -> Double {
    var low = range.lowerBound, high = range.upperBound
    while true {
      let middle = low + (high - low) / 2
      if middle <= low || middle >= high { return middle }
      if function(middle) < value { low = middle } else { high = middle }
    }
  }
}

/// The standard normal distribution.
public enum Normal {
  /// P(Z ≤ z)
  public static func cdf(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// The z that lies above a share p of the distribution, 0 < p < 1.
  public static func quantile(_ p: Double) -> Double {
    precondition(p > 0 && p < 1, "no quantile at \(p)")
    // The tail that is small keeps its digits.
    if p > 0.5 { return -quantile(1 - p) }
    return SpecialFunctions.root(of: p, in: -39...0, cdf)
  }
}
