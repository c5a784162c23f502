internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastRecords

/// Looks at the watched slices, and what follows from it.
extension Trainer {
  /// Seconds of training in all parts of the run.
  private var trainingSeconds: Double { trainedBefore + surroundings.now() - began - watchSeconds }

  func isWatchDue() -> Bool {
    guard let recipe = run.recipe.watch else { return false }
    let done = state.step, total = run.steps
    switch recipe.every {
    case .steps(let every): return done == total || done % every == 0
    case .auto: return state.watch?.cadence?.isDue(after: done, of: total, training: trainingSeconds, share: recipe.share ?? 0) ?? false
    }
  }

  /// Measures both slices and writes them down; true when the point is the best so far.
  func watch(_ metrics: borrowing FileWriter) throws -> Bool {
    guard let recipe = run.recipe.watch, let slices = run.watched else { preconditionFailure("nothing is watched") }
    let began = surroundings.now(), objective = LabelObjective(), done = state.step
    var records: [ScoreRecord] = []
    for (name, plan) in [(WatchPoint.generalName, slices.general), (WatchPoint.domainName, slices.domain)] {
      let loss = try run.loss(of: model, on: plan, objective: objective)
      records.append(loss.record(name, unit: objective.scoreUnit, step: done))
    }
    let point = WatchPoint(step: done, general: records[0].value, domain: records[1].value)
    let isBest = state.watch?.take(point, recipe.rule) ?? false
    for record in records { state.metricsBytes += try write(record.line, to: metrics) }
    let seconds = surroundings.now() - began
    watchSeconds += seconds
    state.watch?.cadence?.looked(seconds, after: done, of: run.steps, share: recipe.share ?? 0)
    _ = try observer.observe(.watched(records, isBest: isBest, share: watchSeconds / max(surroundings.now() - self.began, 1e-9)))
    return isBest
  }

  /// Saves what was found best; the time counts as watching.
  func savingBest(_ body: () throws -> Void) throws {
    let began = surroundings.now(), done = state.step
    try body()
    let seconds = surroundings.now() - began
    watchSeconds += seconds
    state.watch?.cadence?.saved(seconds, after: done, of: run.steps, share: run.recipe.watch?.share ?? 0)
  }

  /// Whether more was forgotten than the recipe allows.
  var isOverBudget: Bool { state.watch?.excess != nil }

  /// What the user should hear of the weights that are exported.
  func passOnWatching() throws {
    guard let recipe = run.recipe.watch, let watch = state.watch else { return }
    func say(_ text: String) throws { _ = try observer.observe(.warned(method: "watch", text: text)) }
    if recipe.keep == .best, watch.bestStep == 0 {
      try say("no watched point was within the forgetting budget; the export holds the weights of the last step")
    } else if recipe.keep == .best, watch.bestGain < 0 {
      try say("no watched point was better than the start, as trade_off weighs it; the export holds the least bad, after step \(watch.bestStep)")
    }
  }
}
