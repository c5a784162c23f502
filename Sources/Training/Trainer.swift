internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastRecords

/// How a run ended.
public struct RunResult: Sendable {
  public enum End: String, Sendable { case finished, stoppedEarly = "stopped early", interrupted }

  public let end: End
  public let folder: RunFolder
  /// Steps that are done.
  public let steps: Int
  /// Why it stopped early, in words.
  public var reason: String?
}

extension RunResult.End {
  fileprivate var outcome: RunOutcome.End {
    switch self {
    case .finished: .finished
    case .stoppedEarly: .stoppedEarly
    case .interrupted: .interrupted
    }
  }
}

/// Trains: one loop for every method, objective and precision.
///
/// The same recipe, data, machine, libtorch and number of threads give the same bytes in weights, optimizer state and
/// metrics.jsonl, through any number of kills and resumes.
public final class Trainer {
  let run: PreparedRun
  let folder: RunFolder
  let surroundings: Surroundings
  let observer: any RunObserver
  let model: Decoder
  let source: any WeightSource
  let stack: MethodStack
  let candidates: [String]
  let objective: any Objective
  let reference: ReferenceModel
  let optimizer: AdamW
  let checkpoints: CheckpointStore
  let manifest: Manifest
  var trained: [Parameter] = []
  /// Parameters that methods watch though they do not train.
  var watched: [Parameter] = []
  var state = RunState()
  var began = 0.0
  var tokensSeen = 0
  /// Seconds of watching since the run began or was resumed.
  var watchSeconds = 0.0
  /// Seconds of training before that, where the cadence of watching wants to know them.
  var trainedBefore = 0.0

  // MARK: - Doors

  /// Trains from the beginning into a folder that must be new or empty.
  public static func start(_ run: PreparedRun, in path: String, surroundings: Surroundings, observer: any RunObserver) throws -> RunResult {
    // Everything that can be wrong is found before the folder exists.
    var loaded = try LoadedRun(run, surroundings)
    let folder = try RunFolder.create(path)
    try loaded.manifest.write(to: folder.manifest)
    return try noting(run, folder) {
      guard try loaded.prepare(in: artifactFolder(run, path), surroundings, observer) else {
        return RunResult(end: .interrupted, folder: folder, steps: 0)
      }
      try loaded.manifest.write(to: folder.manifest)
      return try Trainer(loaded, folder, surroundings, observer).train()
    }
  }

  /// Goes on where a run's newest whole checkpoint stands; from the beginning where there is none.
  public static func resume(
    _ run: PreparedRun, in path: String, allowOtherBits: Bool = false, surroundings: Surroundings, observer: any RunObserver
  ) throws -> RunResult {
    let folder = RunFolder(path)
    var loaded = try LoadedRun(run, surroundings)
    let before = try Manifest(file: folder.manifest)
    let differences = loaded.manifest.differences(
      from: before, ignoring: Manifest.places.union(run.stage.number > 0 ? ["model"] : []))
    if !differences.run.isEmpty { throw Problems("\(path) cannot be resumed", differences.run) }
    if !differences.bits.isEmpty, !allowOtherBits {
      throw Problems(
        "\(path) would not go on bit for bit", differences.bits + ["--allow-other-bits resumes all the same, with other last bits"])
    }
    return try noting(run, folder) {
      guard try loaded.prepare(in: artifactFolder(run, path), surroundings, observer) else {
        return RunResult(end: .interrupted, folder: folder, steps: try CheckpointStore(folder: folder.checkpoints, keep: 1).newest().checkpoint?.step ?? 0)
      }
      if !run.preparations.isEmpty {
        // A run that was killed while it prepared has not said yet what it found.
        if let known = before.facts["preparations"], known != loaded.manifest.facts["preparations"], !allowOtherBits {
          throw Problems("\(path) would not go on bit for bit", [
            "its preparations gave \(known.text(.spaced)), now \((loaded.manifest.facts["preparations"] ?? .null).text(.spaced))",
            "--allow-other-bits resumes all the same, with other last bits",
          ])
        }
        try loaded.manifest.write(to: folder.manifest)
      }
      let trainer = try Trainer(loaded, folder, surroundings, observer)
      try trainer.restore()
      return try trainer.train()
    }
  }

  /// One step of everything, saving and exporting included, in a folder that is removed again unless it is to be kept.
  public static func dryRun(
    _ run: PreparedRun, in path: String, keepsFolder: Bool = false, surroundings: Surroundings, observer: any RunObserver
  ) throws {
    var loaded = try LoadedRun(run, surroundings)
    let folder = try RunFolder.create(path)
    defer { if !keepsFolder { try? Files.remove(path) } }
    guard try loaded.prepare(in: path + "/artifacts", mostMicrobatches: 2, surroundings, observer) else { return }
    let trainer = try Trainer(loaded, folder, surroundings, observer)
    try trainer.train(upTo: 1, exporting: true)
  }

  /// Says in the folder how the run ended; while it works, nothing is said.
  private static func noting(_ run: PreparedRun, _ folder: RunFolder, _ body: () throws -> RunResult) throws -> RunResult {
    try Files.remove(folder.outcome)
    do {
      let result = try body()
      try RunOutcome(result.end.outcome, planned: run.steps, reason: result.reason).write(to: folder.outcome)
      return result
    } catch {
      // What went wrong is what is thrown, also where it can no longer be written down.
      try? RunOutcome(.failed, planned: run.steps, reason: "\(error)").write(to: folder.outcome)
      throw error
    }
  }

  /// Beside the run, where its neighbours find what it prepared; or where the recipe says.
  private static func artifactFolder(_ run: PreparedRun, _ path: String) -> String {
    run.recipe.artifacts ?? Files.folder(of: path) + "/artifacts"
  }

  private init(_ loaded: LoadedRun, _ folder: RunFolder, _ surroundings: Surroundings, _ observer: any RunObserver) throws {
    run = loaded.run
    self.folder = folder
    self.surroundings = surroundings
    self.observer = observer
    model = loaded.model
    source = loaded.source
    stack = loaded.stack
    candidates = loaded.candidates
    objective = loaded.objective
    reference = loaded.reference
    optimizer = AdamW(loaded.run.recipe.optimizer)
    checkpoints = CheckpointStore(folder: folder.checkpoints, keep: loaded.run.recipe.checkpoint.keep)
    manifest = loaded.manifest
    state.watch = loaded.run.recipe.watch.map(WatchState.init)
  }

  // MARK: - The loop

  @discardableResult
  private func train(upTo limit: Int? = nil, exporting: Bool = true) throws -> RunResult {
    let total = run.steps, recipe = run.recipe
    let metrics = try FileWriter(appendingTo: folder.metrics, at: state.metricsBytes)
    let timing = try FileWriter(appendingTo: folder.timing, at: Files.exists(folder.timing) ? Files.size(folder.timing) : 0)
    began = surroundings.now()
    trainedBefore = state.watch?.cadence?.training ?? 0
    _ = try observer.observe(.began(manifest, steps: total, from: state.step))
    try passOnWarnings()
    var end: RunResult.End = isOutOfPatience || isOverBudget && state.step < total ? .stoppedEarly : .finished
    var savedStep = state.step == 0 ? -1 : state.step
    if state.step == 0, run.watched != nil { _ = try watch(metrics) }
    while end == .finished, state.step < min(total, limit ?? total) {
      let step = Step(number: state.step, total: total, learningRate: recipe.schedule.rate(step: state.step, of: total))
      let record = try take(step)
      state.step += 1
      state.metricsBytes += try write(record.line, to: metrics)
      let time = timingRecord()
      _ = try write(time.line, to: timing)
      let answer = try observer.observe(.step(record, time, of: total))
      var isSaveDue = state.step % recipe.checkpoint.every == 0 || state.step == total || limit != nil
      if isEvaluationDue(after: step) || limit != nil && recipe.evaluate != nil {
        let (scores, isBest) = try evaluate()
        for (number, score) in scores.enumerated() {
          state.metricsBytes += try write(score.line, to: metrics)
          _ = try observer.observe(.evaluated(score, isBest: isBest && number == 0))
        }
        if recipe.earlyStopping != nil, isBest { isSaveDue = true }
        if isOutOfPatience, state.step < total { end = .stoppedEarly }
      }
      var isBestPoint = false
      if isWatchDue() || limit != nil && run.watched != nil {
        isBestPoint = try watch(metrics) && recipe.watch?.keep == .best
        if isOverBudget, state.step < total { end = .stoppedEarly }
      }
      if case .stop = answer { end = .interrupted }
      if case .save = answer { isSaveDue = true }
      if end != .finished { isSaveDue = true }
      if isSaveDue || isBestPoint, savedStep != state.step {
        try metrics.sync()
        if isSaveDue { try save() } else { try savingBest(save) }
        savedStep = state.step
      }
    }
    if end == .stoppedEarly, let forgetting = state.watch?.excess, let budget = recipe.watch?.forgettingBudget {
      _ = try observer.observe(.overBudget(step: state.step, forgetting: forgetting, budget: budget, best: bestStep ?? state.step))
    } else if end == .stoppedEarly {
      _ = try observer.observe(.stoppedEarly(step: state.step, best: state.stopping.bestStep, evaluations: state.stopping.waited))
    }
    if end != .interrupted, exporting {
      try passOnWatching()
      let best = try takeBest()
      try finish()
      try export(step: best)
      try record()
    }
    return RunResult(end: end, folder: folder, steps: state.step, reason: end == .stoppedEarly ? whyStopped : nil)
  }

  private func timingRecord() -> TimingRecord {
    let seconds = surroundings.now() - began
    return TimingRecord(
      step: state.step - 1, seconds: seconds, tokensPerSecond: Double(tokensSeen) / max(seconds, 1e-9), peakBytes: surroundings.peakBytes(),
      watchSeconds: run.watched == nil ? nil : watchSeconds)
  }

  func write(_ line: String, to file: borrowing FileWriter) throws -> Int {
    try file.write(line)
    return line.utf8.count
  }
}
