/// A range that holds the true value in a stated share of studies.
public struct Interval: Sendable, Hashable {
  /// Its ends, in the unit of what was measured.
  public let low, high: Double
  /// Such as 0.95.
  public let level: Double

  public init(low: Double, high: Double, level: Double) {
    self.low = low
    self.high = high
    self.level = level
  }

  /// Whether a value lies in it, ends included.
  public func contains(_ value: Double) -> Bool { low <= value && value <= high }

  /// Ends in another unit, `factor` of it to one of this.
  public func scaled(by factor: Double) -> Interval {
    Interval(low: min(low * factor, high * factor), high: max(low * factor, high * factor), level: level)
  }

  /// mean ± t · s / √n of independent values such as one per seed; nil for fewer than two.
  public static func studentT(_ values: [Double], level: Double = 0.95) -> Interval? {
    let mean = Estimate.mean(values)
    guard let error = mean.standardError else { return nil }
    return around(mean.value, error: error, degrees: Double(values.count - 1), level: level)
  }

  /// value ± t · error
  static func around(_ value: Double, error: Double, degrees: Double, level: Double) -> Interval {
    let reach = StudentT(degrees: degrees).quantile(0.5 + level / 2) * error
    return Interval(low: value - reach, high: value + reach, level: level)
  }

  /// Wilson's score interval of a share (Wilson 1927): it stays inside 0...1 and has a width where all items agree.
  ///
  /// - Parameter successes: not whole where items count in parts.
  public static func wilson(_ successes: Double, of count: Int, level: Double = 0.95) -> Interval {
    precondition(count > 0 && successes >= 0 && successes <= Double(count), "\(successes) of \(count)")
    let n = Double(count), p = successes / n, z = Normal.quantile(0.5 + level / 2)
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let reach = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return Interval(low: max(0, centre - reach), high: min(1, centre + reach), level: level)
  }
}

extension Estimate {
  /// value ± z · standard error, for an error that many observations stand behind; nil without one.
  public func interval(level: Double = 0.95) -> Interval? {
    standardError.map { error in
      let reach = Normal.quantile(0.5 + level / 2) * error
      return Interval(low: value - reach, high: value + reach, level: level)
    }
  }
}
