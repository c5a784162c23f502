import HoldfastBasics
import HoldfastEvaluation
import Testing

/// Numbers of Scripts/make_statistics_fixtures.py.
@Suite("Statistics against SciPy") struct SciPyTests {
  let numbers: JSON

  init() throws {
    let file = try MappedFile(path: Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Fixtures/statistics/scipy.json")
    numbers = try withExtendedLifetime(file) { try file.json() }
  }

  private func rows(_ name: String) throws -> [[Double]] {
    let rows = try #require(numbers[name]?.array).map { $0.array?.compactMap(\.double) ?? [] }
    #expect(rows.count > 1)
    return rows
  }

  private func values(_ name: String) throws -> [Double] { try #require(numbers["data"]?[name]?.array).compactMap(\.double) }

  private func number(_ section: String, _ key: String) throws -> Double { try #require(numbers[section]?[key]?.double) }

  private func isNear(_ a: Double, _ b: Double, _ tolerance: Double = 1e-11) -> Bool { abs(a - b) <= tolerance * max(1e-3, abs(b)) }

  @Test("log gamma, incomplete beta and the normal quantile")
  func functions() throws {
    for row in try rows("log_gamma") { #expect(isNear(SpecialFunctions.logGamma(row[0]), row[1], 1e-13), "\(row)") }
    for row in try rows("beta") { #expect(isNear(SpecialFunctions.incompleteBeta(row[0], row[1], row[2]), row[3]), "\(row)") }
    for row in try rows("normal") { #expect(isNear(Normal.quantile(row[0]), row[1]), "\(row)") }
  }

  @Test("Student's t: distribution, two-sided p, quantile; the noncentral one")
  func studentT() throws {
    for row in try rows("t_cdf") { #expect(isNear(StudentT(degrees: row[1]).cdf(row[0]), row[2]), "\(row)") }
    for row in try rows("t_two_sided") { #expect(isNear(StudentT(degrees: row[1]).twoSided(row[0]), row[2], 1e-9), "\(row)") }
    for row in try rows("t_quantile") { #expect(isNear(StudentT(degrees: row[1]).quantile(row[0]), row[2]), "\(row)") }
    for row in try rows("nct_cdf") {
      #expect(abs(StudentT(degrees: row[1], noncentrality: row[2]).cdf(row[0]) - row[3]) < 1e-9, "\(row)")
    }
  }

  @Test("paired t over seeds and Welch's t")
  func intervals() throws {
    let first = try values("first"), second = try values("second")
    let paired = Comparison.seeds(first, second)
    #expect(isNear(paired.difference.value, try number("paired", "difference")))
    #expect(isNear(paired.pValue, try number("paired", "p")))
    #expect(isNear(try #require(paired.interval).low, try number("paired", "low")))
    #expect(isNear(try #require(paired.interval).high, try number("paired", "high")))
    #expect(try #require(Interval.studentT(zip(first, second).map { $1 - $0 })) == #require(paired.interval))

    let welch = try #require(Welch(first, Array(second.prefix(5))))
    #expect(isNear(welch.degrees, try number("welch", "degrees")))
    #expect(isNear(welch.pValue, try number("welch", "p")))
    #expect(isNear(welch.interval().low, try number("welch", "low")))
    #expect(isNear(welch.interval().high, try number("welch", "high")))
  }

  @Test("Wilson's interval, McNemar exact and corrected, Holm")
  func shares() throws {
    for row in try rows("wilson") {
      let interval = Interval.wilson(row[0], of: Int(row[1]), level: row[2])
      #expect(isNear(interval.low, row[3]) && isNear(interval.high, row[4]), "\(row)")
    }
    for row in try rows("mcnemar") {
      let test = McNemar(onlyFirst: Int(row[0]), onlySecond: Int(row[1]))
      #expect(isNear(test.exact, row[2]) && isNear(test.corrected, row[3]), "\(row)")
    }
    let p = try #require(numbers["holm"]?["p"]?.array).compactMap(\.double)
    let expected = try #require(numbers["holm"]?["adjusted"]?.array).compactMap(\.double)
    for (found, expected) in zip(Holm.adjusted(p), expected) { #expect(isNear(found, expected)) }
  }

  @Test("bootstrap: percentile and BCa intervals of a skewed mean")
  func bootstrap() throws {
    let skewed = try values("skewed")
    let bootstrap = Bootstrap(skewed, draws: 40_000)
    for (kind, name) in [(Bootstrap.Kind.percentile, "bootstrap_percentile"), (.bca, "bootstrap_bca")] {
      let expected = try #require(numbers[name]?.array).compactMap(\.double)
      let found = bootstrap.interval(kind)
      // Two generators, 40,000 and 400,000 draws: quantiles of a spread of 0.38 agree to two hundredths.
      #expect(abs(found.low - expected[0]) < 0.02 && abs(found.high - expected[1]) < 0.02, "\(kind): \(found)")
    }
    #expect(isNear(bootstrap.standardError, try #require(numbers["skewed_error"]?.double), 0.02))
    // Skewed to the right, the corrected interval lies further right.
    #expect(bootstrap.interval(.bca).low > bootstrap.interval(.percentile).low)
    #expect(Bootstrap(skewed, seed: 7).draws == Bootstrap(skewed, seed: 7).draws)
    #expect(Bootstrap(skewed, seed: 7).draws != Bootstrap(skewed, seed: 8).draws)
  }

  @Test("power of a paired t test")
  func power() throws {
    for row in try rows("power") {
      let found = StudyPower(seeds: Int(row[0]), deviation: 0.02).probability(ofFinding: -row[1] * 0.02)
      #expect(abs(found - row[2]) < 1e-8, "\(row)")
    }
    let design = StudyPower(seeds: 5, deviation: 0.02)
    #expect(isNear(design.probability(ofFinding: design.smallestDifference(power: 0.8)), 0.8, 1e-6))
  }
}
