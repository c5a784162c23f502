import HoldfastRecords
import HoldfastStudies
import Testing

/// Reading methods against each other, on ways that were made up.
struct FrontierReadingTests {
  private let base = FrontierStop(at: 0, validation: TwoScores(new: -2, old: -1), test: TwoScores(new: -2, old: -1))

  /// A way along which `new` rises to −2 + reach, and every nat of it costs `price` of the old score.
  private func way(price: Double, reach: Double = 1, steps: Int = 10, onTest extra: Double = 0) -> FrontierWay {
    FrontierWay(stops: [base] + (1...steps).map { step in
      let gain = reach * Double(step) / Double(steps)
      return FrontierStop(
        at: Double(step) * 10, validation: TwoScores(new: -2 + gain, old: -1 - price * gain), test: TwoScores(new: -2 + gain, old: -1 - (price + extra) * gain))
    })
  }

  private func method(_ name: String, prices: [Double], reach: Double = 1, trials: Int = 1) -> FrontierWays {
    FrontierWays(
      name: name,
      trials: (0..<trials).map { trial in
        ("trial \(trial)", Dictionary(uniqueKeysWithValues: prices.enumerated().map { ($0 + 1, way(price: $1 + Double(trial), reach: reach)) }))
      })
  }

  private func measure(_ ways: [FrontierWays], targets: [Double] = [0.8, 0.95]) throws -> FrontierSummary.Measure {
    try #require(
      FrontierAnalysis(
        kind: .loss, unit: "nats a label", newTasks: ["new"], oldTasks: ["old"], base: base, reference: "full", targets: targets, ways: ways
      ).measure())
  }

  @Test func theOldScoreIsReadOffBetweenTwoStops() throws {
    let found = try #require(way(price: 0.5).read(\.test, at: -1.35))
    // 0.65 nats lie between the sixth and the seventh stop.
    #expect(abs(found.old - (-1 - 0.5 * 0.65)) < 1e-12 && abs(found.at - 65) < 1e-9)
    #expect(way(price: 0.5, reach: 0.6).read(\.test, at: -1.35) == nil)
    #expect(way(price: 0.5).read(\.test, at: -2)?.old == -1)
    // What falls back again is read where it first gets there.
    var down = way(price: 0.5)
    down.stops.append(FrontierStop(at: 110, validation: base.validation, test: base.test))
    #expect(try abs(#require(down.read(\.test, at: -1.2)).at - 80) < 1e-9)
  }

  @Test func curvesTargetsAndDifferencesAreThePlantedOnes() throws {
    let found = try measure([
      method("full", prices: [0.50, 0.52, 0.48]), method("better", prices: [0.20, 0.22, 0.19]), method("same", prices: [0.49, 0.53, 0.485]),
      method("short", prices: [0.1, 0.1, 0.1], reach: 0.5),
    ])
    #expect(abs(found.topNew - -1) < 1e-12)
    let full = found.arms[0], better = found.arms[1], same = found.arms[2], short = found.arms[3]
    let kept = try #require(full.targets[0].kept)
    #expect(abs(kept.mean - (-1 - 0.5 * 0.8)) < 1e-12 && kept.values.count == 3 && full.curve.count == 20)
    let d = try #require(better.targets[0].difference)
    #expect(abs(d.mean - 0.8 * (0.30 + 0.30 + 0.29) / 3) < 1e-12 && d.verdict == .more && d.seeds == 3)
    #expect(try #require(d.low) > 0.2)
    #expect(try #require(d.adjusted) < 0.01)
    #expect(same.targets[0].difference?.verdict == FrontierSummary.Verdict.none)
    // Half of the way is half of the way: nothing is made up beyond it.
    #expect(short.targets.allSatisfy { $0.kept == nil && $0.reached == 0 && $0.seeds == 3 } && short.curve.count == 10)
    #expect(short.areaTo == 0.5 && short.area?.verdict == .more)
    // The area of a straight line is that of a triangle: half of the last difference.
    #expect(abs(try #require(better.area).mean - 0.5 * (0.30 + 0.30 + 0.29) / 3) < 1e-12)
    let pair = try #require(found.pairs.first { $0.first == "full" && $0.second == "better" })
    #expect(pair.dominant == "better" && pair.to == 1)
    #expect(found.pairs.first { $0.first == "full" && $0.second == "same" }?.dominant == nil)
    let advice = try #require(FrontierAdvice.of(found, reference: "full"))
    #expect(advice.method == "better" && advice.trial == "trial 0" && abs(advice.at - 80) < 1e-9)
    // Spec and Vers are probabilities; at the same end the relative speciality is 1.
    let composites = try #require(full.composites)
    #expect(abs(composites.relativeSpec - 1) < 1e-12 && abs(composites.spec - 0.36787944117144233) < 1e-12)
    #expect(abs(composites.uni - (1 + composites.relativeVers) / 2) < 1e-12 && composites.backwardTransfer < 0)
  }

  @Test func validationChoosesAndTestReports() throws {
    // The trial that looks better on validation is the worse one on test.
    var full = method("full", prices: [0.5, 0.5, 0.5])
    full.trials.append(("lucky", [1: way(price: 0.3, onTest: 0.9), 2: way(price: 0.3, onTest: 0.9), 3: way(price: 0.3, onTest: 0.9)]))
    let found = try measure([full])
    #expect(found.arms[0].targets[0].trial == "lucky")
    #expect(abs(try #require(found.arms[0].targets[0].kept).mean - (-1 - 1.2 * 0.8)) < 1e-12)
  }

  @Test func oneSeedSaysNothingAndAMissingOneIsNotReached() throws {
    let alone = try measure([method("full", prices: [0.5]), method("other", prices: [0.1])])
    let difference = try #require(alone.arms[1].targets[0].difference)
    #expect(difference.verdict == .unknown && difference.low == nil && abs(difference.mean - 0.32) < 1e-12)
    #expect(FrontierAdvice.of(alone, reference: "full")?.method == "full")
    var other = method("other", prices: [0.1, 0.1, 0.1])
    other.trials[0].bySeed[2] = way(price: 0.1, reach: 0.7)
    let mixed = try measure([method("full", prices: [0.5, 0.5, 0.51]), other])
    #expect(mixed.arms[1].targets[0].kept == nil && mixed.arms[1].targets[0].reached == 2 && mixed.arms[1].targets[0].seeds == 3)
    // A reference that learned nothing gives no scale.
    #expect(
      FrontierAnalysis(
        kind: .loss, unit: "", newTasks: ["a"], oldTasks: ["b"], base: base, reference: "full", targets: [0.8],
        ways: [FrontierWays(name: "full", trials: [("t", [1: FrontierWay(stops: [base, base])])])]
      ).measure() == nil)
  }

  @Test func trialsGoFromTheMiddleOutwards() {
    let rates = FrontierTrial.grid(strengths: [], rates: [1e-3, 1e-4, 3e-4]).map { $0.rate }
    #expect(rates == [3e-4, 1e-3, 1e-4])
    let both = FrontierTrial.grid(strengths: [1, 10, 100], rates: [1e-3, 1e-4, 3e-4])
    #expect(both.count == 9 && both[0] == FrontierTrial(strength: 10, rate: 3e-4))
    #expect(both[0].label(knob: "method.l2.lambda") == "lambda 10, rate 3e-4")
    #expect([1e-3, 0.25, 2.5e-5, 1, 3e-12].map { FrontierTrial(rate: $0).label(knob: nil) } == ["rate 1e-3", "rate 0.25", "rate 2.5e-5", "rate 1", "rate 3e-12"])
  }
}
