/// What a study of some seeds can find, known before it runs.
public struct StudyPower: Sendable, Hashable {
  /// Pairs of runs, one a seed.
  public let seeds: Int
  /// Standard deviation of the paired difference between two methods at one seed.
  public let deviation: Double
  /// Of the interval.
  public let level: Double

  public init(seeds: Int, deviation: Double, level: Double = 0.95) {
    precondition(seeds >= 2 && deviation > 0, "\(seeds) seeds with a spread of \(deviation)")
    self.seeds = seeds
    self.deviation = deviation
    self.level = level
  }

  private var threshold: Double { StudentT(degrees: Double(seeds - 1)).quantile(0.5 + level / 2) }

  /// The probability that a true difference is found, with its right sign (noncentral t).
  public func probability(ofFinding difference: Double) -> Double {
    let delta = abs(difference) / deviation * Double(seeds).squareRoot()
    return 1 - StudentT(degrees: Double(seeds - 1), noncentrality: delta).cdf(threshold)
  }

  /// The smallest difference that is found with this probability.
  public func smallestDifference(power: Double = 0.8) -> Double {
    precondition(power > (1 - level) / 2 && power < 1)
    var high = deviation
    while probability(ofFinding: high) < power { high *= 2 }
    return SpecialFunctions.root(of: power, in: 0...high, probability)
  }

  /// In words, to be printed before the study runs.
  public func sentence(difference: Double, scale: Double = 1, unit: String = "") -> String {
    func number(_ value: Double) -> String { Comparison.text(value * scale, like: deviation * scale) + (unit.isEmpty ? "" : " " + unit) }
    let percent = Int((probability(ofFinding: difference) * 100).rounded())
    return "with \(seeds) seeds and a spread of \(number(deviation)) between paired differences, a difference of \(number(abs(difference))) is found with a probability of \(percent) %; one of \(number(smallestDifference())) with 80 %"
  }
}
