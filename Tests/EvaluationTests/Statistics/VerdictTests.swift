import HoldfastBasics
import HoldfastEvaluation
import Testing

@Suite("Verdicts") struct VerdictTests {
  @Test("what is better depends on the direction of the score")
  func direction() {
    let low = [0.50, 0.52, 0.51, 0.49], high = [0.60, 0.63, 0.60, 0.60]
    #expect(Comparison.seeds(low, high).verdict == .better)
    #expect(Comparison.seeds(high, low).verdict == .worse)
    #expect(Comparison.seeds(low, high, higherIsBetter: false).verdict == .worse)
    #expect(Comparison.seeds(low, low).verdict == .noDifference)
    #expect(Comparison.seeds(low, [0.51, 0.50, 0.53, 0.48]).verdict == .noDifference)
    #expect(Comparison.independentSeeds(low, high)?.verdict == .better)
  }

  @Test("one seed, and seeds that agree, give no verdict by themselves")
  func unknownSpread() {
    let one = Comparison.seeds([0.5], [0.9])
    #expect(one.verdict == .noDifference && one.interval == nil && one.pValue.isNaN)
    #expect(one.sentence(first: "full", second: "half") == "half against full: no verdict; the difference is 0.40, but one seed says nothing of the spread")

    // 0.1, 0.2 and 0.3 more, each the same 0.05 apart but for the last bit.
    let equal = Comparison.seeds([0.1, 0.2, 0.3], [0.15, 0.25, 0.35])
    #expect(equal.verdict == .noDifference && equal.pValue.isNaN)
    // With 20 items a difference of one item in all of three seeds is what chance brings; a difference of all is not.
    #expect(Comparison.seeds([0.1, 0.2, 0.3], [0.15, 0.25, 0.35], resolution: 0.05).verdict == .noDifference)
    #expect(Comparison.seeds([0, 0, 0], [1, 1, 1], resolution: 0.05).verdict == .better)
    #expect(Comparison.seeds([0.5, 0.6], [0.5, 0.6]).pValue == 1)
  }

  @Test("the sentence carries difference, interval and p")
  func sentence() {
    let found = Comparison.seeds([0.412, 0.455, 0.391, 0.47, 0.433], [0.446, 0.461, 0.42, 0.468, 0.47])
    #expect(
      found.sentence(first: "full", second: "half", scale: 100, unit: "points")
        == "no difference between half and full: 2.08 points, 95 % interval −0.11 to 4.27 (paired t over 5 seeds, p = 0.058)")
    let clear = Comparison.seeds([0.50, 0.52, 0.51, 0.49], [0.60, 0.63, 0.60, 0.60])
    #expect(clear.sentence(first: "full", second: "half").hasPrefix("half is better than full: 0.1025, 95 % interval 0.0"))
  }

  @Test("among many comparisons a finding must be clearer")
  func many() {
    let base = [0.50, 0.52, 0.51, 0.49]
    let near = Comparison.seeds(base, [0.53, 0.54, 0.55, 0.51]), same = Comparison.seeds(base, [0.51, 0.51, 0.50, 0.50])
    #expect(near.verdict == .better)
    let all = Comparison.holm([near] + Array(repeating: same, count: 9))
    #expect(all[0].verdict == .noDifference)
    #expect(all[0].adjusted == min(1, near.pValue * 10))
    #expect(all[0].sentence(first: "a", second: "b").contains("among all comparisons"))
  }

  @Test("two models on the same items: McNemar where items are right or wrong, z elsewhere")
  func items() {
    let first = (0..<200).map { $0 < 100 ? 1.0 : 0 }, second = (0..<200).map { $0 < 20 || $0 >= 110 ? 0.0 : 1 }
    let found = Comparison.items(first, second)
    #expect(found.test == "McNemar over 200 items" && found.verdict == .noDifference)  // 20 lost, 10 won: p = 0.099
    #expect(abs(found.pValue - 0.0987371) < 1e-6)
    #expect(found.interval.map { $0.contains(-0.05) && $0.low > -0.12 && $0.high < 0.02 } == true)
    let nats = Comparison.items([2.0, 2.5, 3.0, 2.2], [1.8, 2.2, 2.9, 2.0], weights: [10, 20, 5, 8], higherIsBetter: false)
    #expect(nats.verdict == .better && nats.test == "paired items, 4")
    #expect(abs(nats.difference.value - (-2 - 6 - 0.5 - 1.6) / 43) < 1e-12)
  }

  @Test("a weighted mean has the error of a ratio over clusters")
  func weighted() {
    let ratio = Estimate.ratio(sums: [10, 6.5, 12.25, 3], counts: [4, 3, 5, 2])
    let weighted = Estimate.weighted([2.5, 6.5 / 3, 2.45, 1.5], weights: [4, 3, 5, 2])
    #expect(abs(weighted.value - ratio.value) < 1e-14)
    #expect(abs(weighted.standardError! - ratio.standardError!) < 1e-14)
  }

  @Test("the noise floor pools repetitions of each arm")
  func noise() throws {
    let floor = try #require(NoiseFloor([[1, 2, 3], [5, 7], [4]]))
    #expect(floor.degrees == 3 && abs(floor.deviation - ((2 + 2) / 3.0).squareRoot()) < 1e-14)
    // t(0.975, 3) = 3.182446
    #expect(abs(floor.smallestDifference(repetitions: 2) - 3.182446305284264 * floor.deviation) < 1e-9)
    #expect(NoiseFloor([[1], [2]]) == nil)
  }

  @Test("a design says beforehand what it can find")
  func power() {
    #expect(
      StudyPower(seeds: 3, deviation: 0.02).sentence(difference: -0.03, scale: 100, unit: "points")
        == "with 3 seeds and a spread of 2.0 points between paired differences, a difference of 3.0 points is found with a probability of 32 %; one of 6.5 points with 80 %")
  }
}
