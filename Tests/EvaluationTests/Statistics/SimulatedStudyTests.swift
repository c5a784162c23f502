import HoldfastBasics
import HoldfastEvaluation
import Testing

#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

/// Whole studies from a seed: items of unequal difficulty, seeds that shift a whole run (partly in both arms alike, as data
/// order does), and answers that are right or wrong by chance.
struct SimulatedStudy {
  let seeds: Int
  /// What the second arm truly loses.
  var loss = 0.0
  let items = 1000
  /// Of a seed's shift in both arms, and of each arm's own, in shares of items.
  let common = 0.02, own = 0.008

  private func difficulty(_ item: Int) -> Double { 0.35 + 0.4 * Double(item) / Double(items - 1) }

  /// Of the difference between the arms at one seed: each arm's own shift, and right or wrong by chance, Σ p(1 − p)/n² an arm.
  var deviation: Double {
    let chance = (0..<items).reduce(0.0) { $0 + difficulty($1) * (1 - difficulty($1)) } / Double(items * items)
    return (2 * own * own + 2 * chance).squareRoot()
  }

  func verdict(study: Int) -> Verdict {
    var draw = CounterGenerator(seed: 5, "simulated study", seeds, study, Int(loss * 1000))
    func normal() -> Double { (-2 * log(1 - draw.unit())).squareRoot() * cos(2 * .pi * draw.unit()) }
    var first: [Double] = [], second: [Double] = []
    for _ in 0..<seeds {
      let shared = common * normal()
      for loss in [0, loss] {
        let shift = shared + own * normal() - loss
        let right = (0..<items).count { draw.unit() < difficulty($0) + shift }
        if second.count == first.count { first.append(Double(right) / Double(items)) } else { second.append(Double(right) / Double(items)) }
      }
    }
    return Comparison.seeds(first, second, resolution: 1 / Double(items)).verdict
  }
}

@Suite("2,000 simulated studies") struct SimulatedStudyTests {
  static let studies = 2000

  @Test("identical arms are judged equal in 94 to 96.5 %", arguments: [3, 5])
  func identicalArms(seeds: Int) {
    let study = SimulatedStudy(seeds: seeds)
    let equal = (0..<Self.studies).count { study.verdict(study: $0) == .noDifference }
    let share = Double(equal) / Double(Self.studies)
    #expect((0.94...0.965).contains(share), "\(seeds) seeds: \(share)")
  }

  @Test("a planted loss of three points is found with the power printed beforehand, within three points", arguments: [3, 5])
  func plantedLoss(seeds: Int) {
    let study = SimulatedStudy(seeds: seeds, loss: 0.03)
    let power = StudyPower(seeds: seeds, deviation: study.deviation).probability(ofFinding: 0.03)
    let found = Double((0..<Self.studies).count { study.verdict(study: $0) == .worse }) / Double(Self.studies)
    #expect(abs(found - power) < 0.03, "\(seeds) seeds: printed \(power), found \(found)")
    #expect(power > 0.05 && power < 0.95)
  }
}
