#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
internal import HoldfastEvaluation
package import HoldfastRecords

/// Reads methods against each other at the same new score.
///
/// The new score is counted in shares of what the reference learns at most: 0 is the base, 1 the best mean over seeds of any trial of
/// the reference, chosen on validation. At each level a method's trial is chosen on validation, by what it keeps in the mean over seeds,
/// and read off on test. A level that not every seed reaches is not reached; nothing is extrapolated.
package struct FrontierAnalysis {
  let kind: FrontierSummary.Measure.Kind
  let unit: String
  let newTasks: [String]
  let oldTasks: [String]
  let base: FrontierStop
  let reference: String
  let targets: [Double]
  let ways: [FrontierWays]
  /// The least step in which an old score changes; 0 for losses.
  package var resolution = 0.0
  /// Whether scores lie between 0 and 1.
  package var isShare = false

  package init(
    kind: FrontierSummary.Measure.Kind, unit: String, newTasks: [String], oldTasks: [String], base: FrontierStop, reference: String,
    targets: [Double], ways: [FrontierWays]
  ) {
    self.kind = kind
    self.unit = unit
    self.newTasks = newTasks
    self.oldTasks = oldTasks
    self.base = base
    self.reference = reference
    self.targets = targets
    self.ways = ways
  }

  /// Steps of the curves.
  static let grid = 0.05

  /// nil where the reference has no finished trial, or learned nothing on either split.
  package func measure() -> FrontierSummary.Measure? {
    guard let top = top() else { return nil }
    func level(_ share: Double) -> (validation: Double, test: Double) {
      (base.validation.new + share * (top.validation - base.validation.new), base.test.new + share * (top.test - base.test.new))
    }
    func read(_ method: FrontierWays, _ share: Double) -> FrontierSummary.Reading {
      let at = level(share)
      return method.reading(share: share, validation: at.validation, test: at.test)
    }
    func curve(_ method: FrontierWays) -> [FrontierSummary.Reading] {
      var curve: [FrontierSummary.Reading] = []
      for step in 1...40 {
        let reading = read(method, Double(step) * Self.grid)
        guard reading.kept != nil else { break }
        curve.append(reading)
      }
      return curve
    }
    let judged = ways.filter { !$0.seeds.isEmpty }
    let curves = judged.map(curve)
    var readings = judged.map { method in targets.map { read(method, $0) } }
    let at = judged.firstIndex { $0.name == reference }!

    // To the reference at each target, each target a family of comparisons.
    for target in targets.indices {
      var found: [(arm: Int, difference: FrontierSummary.Difference)] = []
      guard let other = readings[at][target].kept else { continue }
      for arm in judged.indices where arm != at {
        guard let kept = readings[arm][target].kept else { continue }
        let (first, second) = Self.common(other.values, judged[at].seeds, kept.values, judged[arm].seeds)
        if !first.isEmpty { found.append((arm, Seeds.difference(first, second, resolution: resolution))) }
      }
      var differences = found.map(\.difference)
      Seeds.judge(&differences)
      for (entry, difference) in zip(found, differences) { readings[entry.arm][target].difference = difference }
    }

    // Areas: of every pair, and to the reference.
    var pairs: [FrontierSummary.Pair] = []
    for a in judged.indices {
      for b in judged.indices where b > a {
        if let pair = pair(judged[a], curves[a], judged[b], curves[b]) { pairs.append(pair) }
      }
    }
    var all = pairs.map(\.area)
    Seeds.judge(&all)
    for i in pairs.indices { pairs[i].area = all[i] }
    var areas: [(arm: Int, area: FrontierSummary.Difference, to: Double)] = []
    for arm in judged.indices where arm != at {
      if let pair = pair(judged[arm], curves[arm], judged[at], curves[at]) { areas.append((arm, pair.area, pair.to)) }
    }
    var toReference = areas.map(\.area)
    Seeds.judge(&toReference)

    let arms = judged.indices.map { arm in
      let area = areas.firstIndex { $0.arm == arm }
      return FrontierSummary.Arm(
        name: judged[arm].name, curve: curves[arm], targets: readings[arm], area: area.map { toReference[$0] },
        areaTo: area.map { areas[$0].to } ?? 0, ends: judged[arm].ends(), composites: composites(judged[arm], readings[arm], top))
    }
    let noise = readings[at].first?.kept.flatMap { NoiseFloor([$0.values])?.deviation }
    return FrontierSummary.Measure(
      kind: kind, unit: unit, newTasks: newTasks, oldTasks: oldTasks, baseNew: base.test.new, baseOld: base.test.old, topNew: top.test,
      arms: arms, pairs: pairs, noise: noise, power: power(readings, judged, at), isShare: isShare)
  }

  /// What a study of so many seeds finds, from the spread of all paired differences at the first target.
  private func power(_ readings: [[FrontierSummary.Reading]], _ judged: [FrontierWays], _ at: Int) -> String? {
    guard let other = readings[at].first?.kept else { return nil }
    let differences = judged.indices.filter { $0 != at }.compactMap { arm -> [Double]? in
      guard let kept = readings[arm].first?.kept else { return nil }
      let (first, second) = Self.common(other.values, judged[at].seeds, kept.values, judged[arm].seeds)
      return zip(first, second).map { $1 - $0 }
    }
    guard let noise = NoiseFloor(differences), noise.deviation > 0, other.values.count > 1 else { return nil }
    let power = StudyPower(seeds: other.values.count, deviation: noise.deviation)
    return power.sentence(difference: 2 * noise.deviation, scale: isShare ? 100 : 1, unit: isShare ? "points" : unit)
  }

  /// The most that the reference learns, mean over seeds of the trial that validation calls the best.
  private func top() -> (trial: Int, validation: Double, test: Double)? {
    guard let method = ways.first(where: { $0.name == reference }), !method.seeds.isEmpty else { return nil }
    let seeds = method.seeds
    func mean(_ trial: Int, _ split: KeyPath<FrontierStop, TwoScores>) -> Double {
      seeds.reduce(0) { $0 + method.trials[trial].bySeed[$1]!.most(split) } / Double(seeds.count)
    }
    let whole = method.trials.indices.filter { trial in seeds.allSatisfy { method.trials[trial].bySeed[$0] != nil } }
    guard let best = whole.max(by: { mean($0, \.validation) < mean($1, \.validation) }) else { return nil }
    let top = (best, mean(best, \.validation), mean(best, \.test))
    return top.1 > base.validation.new && top.2 > base.test.new ? top : nil
  }

  /// The values of seeds that both have.
  private static func common(_ a: [Double], _ aSeeds: [Int], _ b: [Double], _ bSeeds: [Int]) -> ([Double], [Double]) {
    let both = aSeeds.indices.compactMap { i in bSeeds.firstIndex(of: aSeeds[i]).map { (a[i], b[$0]) } }
    return (both.map(\.0), both.map(\.1))
  }

  /// Mean over levels from the base, where both kept everything, to where both reach, of the first less the second.
  private func pair(
    _ a: FrontierWays, _ aCurve: [FrontierSummary.Reading], _ b: FrontierWays, _ bCurve: [FrontierSummary.Reading]
  ) -> FrontierSummary.Pair? {
    let count = min(aCurve.count, bCurve.count)
    guard count > 0 else { return nil }
    var areas: (a: [Double], b: [Double]) = ([], []), isAbove = true, isBelow = true
    for level in 0..<count {
      let (x, y) = Self.common(aCurve[level].kept!.values, a.seeds, bCurve[level].kept!.values, b.seeds)
      guard !x.isEmpty else { return nil }
      if areas.a.isEmpty { areas = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: x.count)) }
      // Trapezoids; at the base, where the first one begins, both are the same.
      let weight = (level == count - 1 ? 0.5 : 1.0) / Double(count)
      for seed in x.indices {
        areas.a[seed] += weight * x[seed]
        areas.b[seed] += weight * y[seed]
      }
      let mean = zip(x, y).reduce(0) { $0 + $1.0 - $1.1 }
      if mean < 0 { isAbove = false }
      if mean > 0 { isBelow = false }
    }
    let area = Seeds.difference(areas.b, areas.a, resolution: resolution)
    return FrontierSummary.Pair(
      first: a.name, second: b.name, area: area, to: Double(count) * Self.grid, firstIsAbove: isAbove == isBelow ? nil : isAbove)
  }

  private func composites(
    _ method: FrontierWays, _ readings: [FrontierSummary.Reading], _ top: (trial: Int, validation: Double, test: Double)
  ) -> FrontierSummary.Composites? {
    guard kind == .loss || isShare, let trial = readings.compactMap(\.trial).first, let end = method.ends().first(where: { $0.trial == trial }) else { return nil }
    // Of a loss the probability of a label (geometric mean): ratios of log-probabilities mean nothing.
    func absolute(_ score: Double) -> Double { kind == .loss ? exp(score) : score }
    let spec = absolute(end.new), vers = absolute(end.old), baseNew = absolute(base.test.new), baseOld = absolute(base.test.old)
    let old = Double(oldTasks.count), new = Double(newTasks.count)
    return FrontierSummary.Composites(
      trial: trial, spec: spec, vers: vers, relativeSpec: (spec - baseNew) / (absolute(top.test) - baseNew), relativeVers: vers / baseOld,
      overall: (old * vers + new * spec) / (old + new), backwardTransfer: vers - baseOld)
  }
}
