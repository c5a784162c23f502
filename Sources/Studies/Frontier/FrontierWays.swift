internal import HoldfastRecords

/// New and old score of one state of a model; more is better.
package struct TwoScores: Hashable {
  package var new: Double
  package var old: Double

  package init(new: Double, old: Double) {
    self.new = new
    self.old = old
  }
}

/// Where a model was on its way, on both splits.
package struct FrontierStop: Hashable {
  /// Steps, or the place between base and tuned model.
  package var at: Double
  package var validation: TwoScores
  package var test: TwoScores

  package init(at: Double, validation: TwoScores, test: TwoScores) {
    self.at = at
    self.validation = validation
    self.test = test
  }
}

/// The way of one trial at one seed, from the base on.
package struct FrontierWay: Hashable {
  package var stops: [FrontierStop]

  package init(stops: [FrontierStop]) { self.stops = stops }

  /// What was kept where the new score first reaches `target`, between the two stops around it; nil where it never does: nothing is
  /// read off beyond the last stop.
  package func read(_ split: KeyPath<FrontierStop, TwoScores>, at target: Double) -> (old: Double, at: Double)? {
    var before: FrontierStop?
    for stop in stops {
      let here = stop[keyPath: split]
      if here.new >= target {
        guard let before else { return (here.old, stop.at) }
        let there = before[keyPath: split], share = (target - there.new) / (here.new - there.new)
        return (there.old + share * (here.old - there.old), before.at + share * (stop.at - before.at))
      }
      before = stop
    }
    return nil
  }

  func most(_ split: KeyPath<FrontierStop, TwoScores>) -> Double { stops.map { $0[keyPath: split].new }.max() ?? -.infinity }
}

/// The ways of one method by trial and seed.
package struct FrontierWays {
  package var name: String
  /// In the order of the plan.
  package var trials: [(label: String, bySeed: [Int: FrontierWay])]

  package init(name: String, trials: [(label: String, bySeed: [Int: FrontierWay])]) {
    self.name = name
    self.trials = trials
  }

  /// Seeds of which every trial that was begun is there; those that the method is judged by.
  var seeds: [Int] {
    let all = trials.map { Set($0.bySeed.keys) }.filter { !$0.isEmpty }
    guard let first = all.first else { return [] }
    return all.dropFirst().reduce(first) { $0.intersection($1) }.sorted()
  }

  /// What validation chooses at these targets, and what test says of it.
  func reading(share: Double, validation: Double, test: Double) -> FrontierSummary.Reading {
    let seeds = self.seeds
    var result = FrontierSummary.Reading(share: share, target: test, reached: 0, seeds: seeds.count)
    guard !seeds.isEmpty else { return result }
    var best: (index: Int, kept: Double)?
    for (index, trial) in trials.enumerated() where seeds.allSatisfy({ trial.bySeed[$0] != nil }) {
      let read = seeds.compactMap { trial.bySeed[$0]!.read(\.validation, at: validation)?.old }
      result.reached = max(result.reached, read.count)
      guard read.count == seeds.count else { continue }
      let kept = read.reduce(0, +) / Double(read.count)
      if best.map({ kept > $0.kept }) ?? true { best = (index, kept) }
    }
    guard let best else { return result }
    let read = seeds.compactMap { trials[best.index].bySeed[$0]!.read(\.test, at: test) }
    result.trial = trials[best.index].label
    result.reached = read.count
    result.at = read.isEmpty ? nil : read.reduce(0) { $0 + $1.at } / Double(read.count)
    if read.count == seeds.count { result.kept = Seeds.spread(read.map(\.old)) }
    return result
  }

  /// What a trial comes to at its end, over the method's seeds.
  func ends() -> [(trial: String, new: Double, old: Double)] {
    let seeds = self.seeds
    return trials.compactMap { trial in
      let last = seeds.compactMap { trial.bySeed[$0]?.stops.last?.test }
      guard !last.isEmpty else { return nil }
      let count = Double(last.count)
      return (trial.label, last.reduce(0) { $0 + $1.new } / count, last.reduce(0) { $0 + $1.old } / count)
    }
  }
}
