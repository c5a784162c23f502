import HoldfastEvaluation
import Testing

@Suite("Standard errors") struct EstimateTests {
  private func isNear(_ a: Double?, _ b: Double) -> Bool { a.map { abs($0 - b) <= 1e-14 * max(1, abs(b)) } ?? false }

  @Test("the mean of values, against scipy.stats.sem")
  func mean() {
    let estimate = Estimate.mean([0.5, 1.25, -2, 3.75, 0, 1.5])
    #expect(isNear(estimate.value, 0.8333333333333334))
    #expect(isNear(estimate.standardError, 0.7736996258956773))
    #expect(estimate.count == 6)
  }

  @Test("a share of items is binomial: √(p (1 − p) / (n − 1))")
  func share() {
    let estimate = Estimate.mean([1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
    #expect(isNear(estimate.value, 0.7))
    #expect(isNear(estimate.standardError, (0.7 * 0.3 / 9).squareRoot()))
  }

  @Test("clusters, and perplexity by the delta method")
  func clusters() {
    let estimate = Estimate.ratio(sums: [10, 6.5, 12.25, 3], counts: [4, 3, 5, 2])
    #expect(isNear(estimate.value, 2.267857142857143))
    #expect(isNear(estimate.standardError, 0.1678641211873684))
    #expect(estimate.count == 14)
    #expect(isNear(estimate.exponential.value, 9.658681448148789))
    #expect(isNear(estimate.exponential.standardError, 1.6213460731222353))
  }

  @Test("a pair of lists is compared item by item")
  func pairs() {
    let estimate = Estimate.pairedDifference([1, 0, 1, 1], [1, 1, 1, 0])
    #expect(isNear(estimate.value, 0))
    #expect(isNear(estimate.standardError, (2.0 / 3 / 4).squareRoot()))
  }

  @Test("one value has no standard error, none no value")
  func few() {
    #expect(Estimate.mean([3]) == Estimate(value: 3, standardError: nil, count: 1))
    #expect(Estimate.mean([]).value.isNaN)
    #expect(Estimate.mean([]).standardError == nil)
    #expect(Estimate.mean([1, 1, 1]).standardError == 0)
  }
}
