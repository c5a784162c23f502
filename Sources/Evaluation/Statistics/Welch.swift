/// The difference of two independent groups whose spreads need not be equal (Welch 1947).
public struct Welch: Sendable, Hashable {
  /// Mean of the second group minus mean of the first.
  public let difference: Estimate
  /// By Welch and Satterthwaite.
  public let degrees: Double

  /// nil for fewer than two values in a group.
  public init?(_ first: [Double], _ second: [Double]) {
    let a = Estimate.mean(first), b = Estimate.mean(second)
    guard let ea = a.standardError, let eb = b.standardError else { return nil }
    let va = ea * ea, vb = eb * eb
    difference = Estimate(value: b.value - a.value, standardError: (va + vb).squareRoot(), count: first.count + second.count)
    let spread = va * va / Double(first.count - 1) + vb * vb / Double(second.count - 1)
    degrees = spread > 0 ? (va + vb) * (va + vb) / spread : Double(first.count + second.count - 2)
  }

  /// Two-sided.
  public var pValue: Double {
    let error = difference.standardError!
    return error > 0 ? StudentT(degrees: degrees).twoSided(difference.value / error) : difference.value == 0 ? 1 : 0
  }

  public func interval(level: Double = 0.95) -> Interval {
    .around(difference.value, error: difference.standardError!, degrees: degrees, level: level)
  }
}
