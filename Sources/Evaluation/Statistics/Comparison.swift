public import HoldfastBasics

/// What a comparison says.
public enum Verdict: String, Sendable, Hashable, CaseIterable {
  case better, worse
  /// What was seen is within noise; it does not say that the two are equal.
  case noDifference = "no difference"
}

/// Two methods, or two models, compared on one score.
public struct Comparison: Sendable, Hashable {
  /// Second minus first, in the unit of the score.
  public let difference: Estimate
  /// Of the difference; nil where nothing is known of its spread.
  public let interval: Interval?
  /// Two-sided; not a number where nothing is known of the spread.
  public let pValue: Double
  /// Such as "paired t over 5 seeds".
  public let test: String
  /// Whether a higher score is better.
  public let higherIsBetter: Bool
  /// Findings below 1 − level of p are findings.
  public let level: Double
  /// The p value after a correction for many comparisons; nil without one.
  public private(set) var adjusted: Double?

  init(difference: Estimate, interval: Interval?, pValue: Double, test: String, higherIsBetter: Bool, level: Double) {
    self.difference = difference
    self.interval = interval
    self.pValue = pValue
    self.test = test
    self.higherIsBetter = higherIsBetter
    self.level = level
  }

  /// Whether the second is better or worse than the first, beyond noise.
  public var verdict: Verdict {
    let p = adjusted ?? pValue
    guard p < 1 - level, difference.value != 0 else { return .noDifference }
    return (difference.value > 0) == higherIsBetter ? .better : .worse
  }

  /// Comparisons that stand side by side, each with its p value after Holm's correction.
  public static func holm(_ comparisons: [Comparison]) -> [Comparison] {
    zip(comparisons, Holm.adjusted(comparisons.map(\.pValue))).map { comparison, p in
      var comparison = comparison
      comparison.adjusted = p
      return comparison
    }
  }

  // MARK: Over seeds

  /// Two methods by their scores, one a seed, the same seeds in the same order: Student's t over the differences.
  ///
  /// - Parameter resolution: the step in which a score can change, such as 1/items; 0 where it is fine. The differences of
  ///   two rounded scores vary by step/√6 at least, and a few seeds whose rounded differences happen to agree are no proof
  ///   that they always do. Where they agree and the step is not known, nothing is known of their spread.
  public static func seeds(
    _ first: [Double], _ second: [Double], higherIsBetter: Bool = true, level: Double = 0.95, resolution: Double = 0
  ) -> Comparison {
    precondition(first.count == second.count)
    let raw = Estimate.pairedDifference(first, second), n = Double(first.count)
    let test = "paired t over \(first.count) seeds"
    guard let sampled = raw.standardError else {
      return Comparison(difference: raw, interval: nil, pValue: .nan, test: "\(first.count) seed", higherIsBetter: higherIsBetter, level: level)
    }
    // Equal differences do not always come out equal to the last bit.
    let scale = zip(first, second).reduce(0) { max($0, abs($1.0), abs($1.1)) }
    let error = max(sampled < 1e-12 * scale ? 0 : sampled, resolution / 6.0.squareRoot() / n.squareRoot())
    let difference = Estimate(value: raw.value, standardError: error, count: raw.count)
    guard error > 0 else {
      let isZero = raw.value == 0
      return Comparison(
        difference: difference, interval: isZero ? Interval(low: 0, high: 0, level: level) : nil, pValue: isZero ? 1 : .nan,
        test: test, higherIsBetter: higherIsBetter, level: level)
    }
    let degrees = n - 1
    return Comparison(
      difference: difference, interval: .around(raw.value, error: error, degrees: degrees, level: level),
      pValue: StudentT(degrees: degrees).twoSided(raw.value / error), test: test, higherIsBetter: higherIsBetter, level: level)
  }

  /// Two methods whose seeds are not the same ones: Welch's t. nil for fewer than two seeds on a side.
  public static func independentSeeds(
    _ first: [Double], _ second: [Double], higherIsBetter: Bool = true, level: Double = 0.95
  ) -> Comparison? {
    guard let welch = Welch(first, second) else { return nil }
    return Comparison(
      difference: welch.difference, interval: welch.interval(level: level), pValue: welch.pValue,
      test: "Welch's t over \(first.count) and \(second.count) seeds", higherIsBetter: higherIsBetter, level: level)
  }

  // MARK: Over items

  /// Two models on the same items. What varies is which items were asked, not the training: a verdict of this kind is
  /// about these two models, never about the methods that made them.
  ///
  /// Values of 0 and 1 are judged by McNemar's exact test, all others by z of the paired differences; the interval is
  /// that of the paired bootstrap (BCa).
  /// - Parameter weights: of the items in the mean, such as their tokens; nil: all the same.
  public static func items(
    _ first: [Double], _ second: [Double], weights: [Double]? = nil, higherIsBetter: Bool = true, level: Double = 0.95,
    draws: Int = 2000, seed: UInt64 = 1
  ) -> Comparison {
    precondition(first.count == second.count && !first.isEmpty)
    let differences = zip(first, second).map { $1 - $0 }
    let difference = Estimate.weighted(differences, weights: weights)
    let isBinary = weights == nil && (first + second).allSatisfy { $0 == 0 || $0 == 1 }
    let interval = first.count > 1 ? Bootstrap(differences, weights: weights, draws: draws, seed: seed).interval(level: level) : nil
    let p: Double
    if isBinary {
      p = McNemar(first, second).exact
    } else if let error = difference.standardError {
      p = error > 0 ? 2 * Normal.cdf(-abs(difference.value / error)) : difference.value == 0 ? 1 : .nan
    } else {
      p = .nan
    }
    return Comparison(
      difference: difference, interval: interval, pValue: p,
      test: isBinary ? "McNemar over \(first.count) items" : "paired items, \(first.count)", higherIsBetter: higherIsBetter, level: level)
  }

  /// As an object, for records.
  public var json: JSON {
    var object: JSONObject = [
      "difference": .number(difference.value), "test": .string(test), "verdict": .string(verdict.rawValue), "level": .number(level),
    ]
    if let error = difference.standardError { object["standard_error"] = .number(error) }
    if let interval { object["interval"] = [.number(interval.low), .number(interval.high)] }
    if pValue.isFinite { object["p"] = .number(pValue) }
    if let adjusted { object["p_holm"] = .number(adjusted) }
    return .object(object)
  }
}

extension Estimate {
  /// Σ w x / Σ w, its error taken over items as clusters of w members.
  public static func weighted(_ values: [Double], weights: [Double]?) -> Estimate {
    guard let weights else { return .mean(values) }
    precondition(values.count == weights.count)
    let total = weights.reduce(0, +), n = Double(values.count)
    guard total > 0 else { return Estimate(value: .nan, standardError: nil, count: values.count) }
    let mean = zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / total
    guard values.count > 1 else { return Estimate(value: mean, standardError: nil, count: values.count) }
    let squares = zip(values, weights).reduce(0) { $0 + ($1.1 * ($1.0 - mean)) * ($1.1 * ($1.0 - mean)) }
    return Estimate(value: mean, standardError: (n / (n - 1) * squares).squareRoot() / total, count: values.count)
  }
}
