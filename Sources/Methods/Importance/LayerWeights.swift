#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif
internal import HoldfastBasics

/// Coefficients α of layers out of the norms of their importance; they sum to 1.
package enum LayerWeight: String, KeyChoice {
  /// n_l / Σ n.
  case sum
  /// softmax(n), as published. Norms differ by thousands, so one layer has it all.
  case softmaxRaw = "softmax_raw"
  /// softmax(n / τ).
  case softmaxTemp = "softmax_temp"
  /// softmax of standardised norms: the same as τ = their standard deviation.
  case softmaxZ = "softmax_z"
  /// 1 / L.
  case uniform

  /// `tau`: of `softmaxTemp`; nil: the mean of the norms.
  package func coefficients(_ norms: [Double], tau: Double? = nil) -> [Double] {
    let count = Double(norms.count), mean = norms.reduce(0, +) / count
    switch self {
    case .uniform: return norms.map { _ in 1 / count }
    case .sum: return norms.map { mean > 0 ? $0 / (mean * count) : 1 / count }
    case .softmaxRaw: return Self.softmax(norms, 1)
    case .softmaxTemp: return Self.softmax(norms, tau ?? mean)
    case .softmaxZ: return Self.softmax(norms, Self.deviation(norms))
    }
  }

  /// Of the norms themselves, not of a sample.
  package static func deviation(_ norms: [Double]) -> Double {
    let count = Double(norms.count), mean = norms.reduce(0, +) / count
    return (norms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
  }

  /// A temperature of 0 comes of equal norms, which weigh the same.
  private static func softmax(_ norms: [Double], _ tau: Double) -> [Double] {
    guard tau > 0 else { return norms.map { _ in 1 / Double(norms.count) } }
    let most = norms.max() ?? 0
    let parts = norms.map { exp(($0 - most) / tau) }, sum = parts.reduce(0, +)
    return parts.map { $0 / sum }
  }

  /// 1 / Σ α²: how many layers the coefficients act on in effect.
  package static func effectiveLayers(_ coefficients: [Double]) -> Double { 1 / coefficients.reduce(0) { $0 + $1 * $1 } }
}
