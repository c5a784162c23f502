public import HoldfastBasics

/// Intervals by drawing items anew, with replacement (Efron and Tibshirani 1993). What varies is which items were
/// asked; the model stays the one it is.
public struct Bootstrap: Sendable {
  /// How the drawn values become an interval.
  public enum Kind: String, KeyChoice {
    /// Their quantiles.
    case percentile
    /// Quantiles corrected for bias and skewness (Efron 1987, BCa).
    case bca
  }

  /// The statistic over every redrawn sample, ascending.
  public let draws: [Double]
  /// The statistic over the items themselves.
  public let value: Double
  /// Acceleration and bias correction of BCa.
  let acceleration, correction: Double

  /// Redraws a mean of items.
  ///
  /// For two models over the same items give the differences: both then stand on the same draw (paired).
  /// - Parameters:
  ///   - weights: of the items in the mean, such as their tokens; nil: all the same. Both are drawn together.
  ///   - seed: decides the draws.
  public init(_ values: [Double], weights: [Double]? = nil, draws count: Int = 2000, seed: UInt64 = 1) {
    precondition(!values.isEmpty && count > 0 && weights?.count ?? values.count == values.count)
    let n = values.count
    let weights = weights ?? Array(repeating: 1, count: n)
    let products = zip(values, weights).map { $0 * $1 }
    let sum = products.reduce(0, +), total = weights.reduce(0, +)
    let value = sum / total
    var generator = CounterGenerator(seed: seed, "bootstrap")
    var draws: [Double] = []
    draws.reserveCapacity(count)
    for _ in 0..<count {
      var drawn = 0.0, weight = 0.0
      for _ in 0..<n {
        let i = generator.below(n)
        drawn += products[i]
        weight += weights[i]
      }
      draws.append(drawn / weight)
    }
    draws.sort()
    self.draws = draws
    self.value = value

    // Jackknife: the statistic without each item.
    let left = (0..<n).map { n > 1 ? (sum - products[$0]) / (total - weights[$0]) : value }
    let mean = left.reduce(0, +) / Double(n)
    let squares = left.reduce(0) { $0 + (mean - $1) * (mean - $1) }, cubes = left.reduce(0) { $0 + (mean - $1) * (mean - $1) * (mean - $1) }
    acceleration = squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
    // Ties count half: shares of few items fall on the value itself often.
    let below = Double(draws.count { $0 < value }) + 0.5 * Double(draws.count { $0 == value })
    let share = below / Double(count)
    correction = share > 0 && share < 1 ? Normal.quantile(share) : 0
  }

  /// The standard deviation of the draws.
  public var standardError: Double {
    let mean = draws.reduce(0, +) / Double(draws.count)
    return (draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, draws.count - 1))).squareRoot()
  }

  public func interval(_ kind: Kind = .bca, level: Double = 0.95) -> Interval {
    let ends = [0.5 - level / 2, 0.5 + level / 2].map { p in
      if kind == .percentile { return Self.quantile(p, of: draws) }
      let z = correction + Normal.quantile(p)
      return Self.quantile(Normal.cdf(correction + z / (1 - acceleration * z)), of: draws)
    }
    return Interval(low: ends[0], high: ends[1], level: level)
  }

  /// The quantile of sorted values, linear between neighbours (Hyndman and Fan's type 7).
  static func quantile(_ p: Double, of sorted: [Double]) -> Double {
    let place = min(1, max(0, p)) * Double(sorted.count - 1)
    let below = Int(place), above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }
}
