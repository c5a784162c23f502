#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// A measured number with its standard error.
public struct Estimate: Sendable, Hashable {
  /// In the unit of what was measured.
  public let value: Double
  /// nil where one observation or none stands behind it.
  public let standardError: Double?
  /// Observations.
  public let count: Int

  public init(value: Double, standardError: Double?, count: Int) {
    self.value = value
    self.standardError = standardError
    self.count = count
  }

  /// The mean m of n independent values; its standard error is s / √n with s² = Σ (x − m)² / (n − 1).
  ///
  /// For a share p of items, values of 0 and 1, that is √(p (1 − p) / (n − 1)). Where all items agree it is 0, which
  /// says no more than that the sample shows no spread.
  public static func mean(_ values: [Double]) -> Estimate {
    ratio(sums: values, counts: Array(repeating: 1, count: values.count))
  }

  /// The mean of values that come in clusters whose members resemble one another: S_b is the sum and n_b the count of
  /// cluster b of B. The value is m = Σ S_b / N with N = Σ n_b, and its standard error is
  /// √(B / (B − 1) · Σ (S_b − n_b · m)²) / N (Cochran 1977, ratio estimator). Clusters of one give `mean`.
  public static func ratio(sums: [Double], counts: [Int]) -> Estimate {
    precondition(sums.count == counts.count)
    let total = counts.reduce(0, +), clusters = Double(sums.count)
    guard total > 0 else { return Estimate(value: .nan, standardError: nil, count: 0) }
    let mean = sums.reduce(0, +) / Double(total)
    guard clusters > 1 else { return Estimate(value: mean, standardError: nil, count: total) }
    var squares = 0.0
    for (sum, count) in zip(sums, counts) {
      let rest = sum - Double(count) * mean
      squares += rest * rest
    }
    let error = (clusters / (clusters - 1) * squares).squareRoot() / Double(total)
    return Estimate(value: mean, standardError: error, count: total)
  }

  /// The mean of b − a over the same items. Items that are hard for both cancel out, so its error is smaller than that
  /// of two separate means.
  public static func pairedDifference(_ a: [Double], _ b: [Double]) -> Estimate {
    precondition(a.count == b.count)
    return mean(zip(a, b).map { $1 - $0 })
  }

  /// e to the value; the error follows by the delta method: e^x · SE(x).
  public var exponential: Estimate {
    Estimate(value: exp(value), standardError: standardError.map { exp(value) * $0 }, count: count)
  }

  /// Value and error in another unit, `factor` of it to one of this.
  public func scaled(by factor: Double) -> Estimate {
    Estimate(value: value * factor, standardError: standardError.map { $0 * abs(factor) }, count: count)
  }
}
