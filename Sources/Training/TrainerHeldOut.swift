internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastRecords

/// When the held-out loss is due, and what early stopping makes of it.
extension Trainer {
  var isOutOfPatience: Bool { run.recipe.earlyStopping.map { state.stopping.waited >= $0.patience } ?? false }

  /// What ended the run before its last step.
  var whyStopped: String {
    if let excess = state.watch?.excess, let budget = run.recipe.watch?.forgettingBudget {
      return "the general loss rose by \(excess) nats a label, more than the forgetting budget of \(budget)"
    }
    return "the held-out loss did not improve in \(state.stopping.waited) evaluations; the best was after step \(state.stopping.bestStep)"
  }

  /// The step whose weights are exported in place of the last: of the lowest held-out loss under early stopping, or of the best watched point.
  var bestStep: Int? {
    run.recipe.bestStep(state.stopping, state.watch)
  }

  /// Puts the best weights into the model; the step they are of.
  func takeBest() throws -> Int {
    guard let best = bestStep, best != state.step else { return state.step }
    let checkpoint = try checkpoints.checkpoint(step: best)
    _ = try Torch.withoutGradients { try read(checkpoint) }
    return best
  }

  func isEvaluationDue(after step: Step) -> Bool {
    guard let evaluate = run.recipe.evaluate else { return false }
    if step.number + 1 == run.steps { return true }
    if let every = evaluate.every { return (step.number + 1) % every == 0 }
    // The last step of an epoch: the sum of the epochs so far is the number of the next step.
    var first = 0, epoch = 0
    while first <= step.number {
      first += run.data.stepsPerEpoch(epoch)
      epoch += 1
    }
    return first == step.number + 1
  }

  /// Nats a label on the held-out rows.
  func evaluate() throws -> (scores: [ScoreRecord], isBest: Bool) {
    guard let measured = try run.heldOutLoss(of: model, objective: objective) else { preconditionFailure("nothing is held out") }
    let isBest = state.stopping.take(
      measured.mean, step: state.step, minimumImprovement: run.recipe.earlyStopping?.minimumImprovement ?? 0)
    return (measured.records(unit: objective.scoreUnit, step: state.step), isBest)
  }
}

extension Recipe {
  /// nil where the last step's weights are the result.
  func bestStep(_ stopping: StoppingState?, _ watching: WatchState?) -> Int? {
    let step = earlyStopping != nil ? stopping?.bestStep ?? 0 : watch?.keep == .best ? watching?.bestStep ?? 0 : 0
    return step > 0 ? step : nil
  }
}
