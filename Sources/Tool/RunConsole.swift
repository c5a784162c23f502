import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastModels
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

/// Shows a run on the terminal, writes its events for TensorBoard and its page, and passes Ctrl-C on to it.
final class RunConsole: RunObserver {
  private let recipe: Recipe
  private let data: DataPlan
  private let folder: RunFolder
  private var firstStep = 0
  private var began = ThisProcess.now()
  private var events: EventLog?
  private var looks: [(domain: Double, general: Double)] = []

  init(_ run: PreparedRun, folder: String) {
    recipe = run.recipe
    data = run.data
    self.folder = RunFolder(folder)
  }

  func observe(_ event: RunEvent) throws -> RunAnswer {
    switch event {
    case .began(let manifest, let steps, let from):
      firstStep = from
      began = ThisProcess.now()
      events = try EventLog(folder.events)
      let total = manifest.trained.reduce(0) { $0 + $1.total }, trained = manifest.trained.reduce(0) { $0 + $1.trained }
      printError(
        "\(recipe.methods.map(\.name).joined(separator: " + ")): \(Numbers.grouped(trained)) of \(Numbers.grouped(total)) parameters train (\(Numbers.percent(manifest.trainedFraction)) %), \(recipe.precision.rawValue) on \(manifest.device), threads: \(manifest.threads)")
      for source in data.dataset.sources { printError(Self.line(source)) }
      printError(from == 0 ? "\(steps) step\(steps == 1 ? "" : "s")" : "goes on at step \(from) of \(steps)")
    case .preparing(let method, let name, let done, let total):
      if done == 1 || done == total || done % max(1, total / 10) == 0 { printError("  \(method): \(name), \(done) of \(total) microbatches") }
    case .prepared(let method, let name, let path, let isReused):
      printError("\(method): \(name) \(isReused ? "is there already" : "is kept"): \(path)")
    case .step(let record, let timing, let total):
      try events?.write(
        [("loss", record.loss), ("gradient_norm", record.gradientNorm), ("learning_rate", record.learningRate), ("tokens_per_second", timing.tokensPerSecond)],
        step: record.step)
      if record.step + 1 == total || (record.step + 1) % recipe.reportEvery == 0 || record.step == firstStep {
        let elapsed = ThisProcess.now() - began, done = record.step + 1 - firstStep
        let left = ProgressLine.secondsLeft(step: done, of: total - firstStep, elapsed: elapsed)
        printError(
          ProgressLine(step: record.step + 1, of: total, loss: record.loss, tokensPerSecond: timing.tokensPerSecond, watched: watched, secondsLeft: left).text(width: 100))
      }
    case .evaluated(let score, let isBest):
      try events?.write([(score.name, score.value)], step: (score.step ?? 1) - 1)
      printError("  held-out loss \(Numbers.plusMinus(score.value, score.standardError))\(isBest ? ", the lowest so far" : "")")
    case .watched(let scores, let isBest, let share):
      try events?.write(scores.map { ($0.name, $0.value) }, step: scores.first?.step ?? 0)
      try note(scores, isBest: isBest, share: share)
    case .overBudget(let step, let forgetting, let budget, let best):
      printError(
        "stopped after step \(step): the general loss rose by \(Numbers.significant(forgetting)) nats a label, more than the forgetting budget of \(Numbers.significant(budget)); the export holds the weights after step \(best)")
    case .saved(let path, _): printError("  saved \(path)")
    case .warned(let method, let text): printError("  warning: \(method): \(text)")
    case .stoppedEarly(let step, let best, let evaluations):
      printError("stopped early after step \(step): no improvement in \(evaluations) evaluations; the best was after step \(best)")
    case .exported(let path, let step, let difference):
      let why = recipe.earlyStopping != nil ? ", where the held-out loss was lowest" : recipe.watch?.keep == .best ? ", the best of those watched" : ""
      let which = "after step \(step)\(why)"
      printError("exported \(path): the weights \(which)")
      printError("  read back: its logits differ by at most \(Numbers.significant(difference)) from the trained weights'")
    }
    return ThisProcess.isInterrupted ? .stop : .goOn
  }

  /// How far the watched losses are from where they began; nil before the second look.
  private var watched: (domain: Double, general: Double)? {
    guard looks.count > 1, let first = looks.first, let last = looks.last else { return nil }
    return (last.domain - first.domain, last.general - first.general)
  }

  /// What was watched, with both curves so far.
  private func note(_ scores: [ScoreRecord], isBest: Bool, share: Double) throws {
    // A resumed run goes on with the points that it had.
    if looks.isEmpty, firstStep > 0 {
      let before = WatchCurve(try folder.readMetrics().scores.filter { ($0.step ?? 0) <= firstStep }, rule: WatchRule(tradeOff: 0.5, forgettingBudget: nil))
      looks = before?.points.map { ($0.domain, $0.general) } ?? []
    }
    guard let general = scores.first(where: { $0.name == WatchPoint.generalName }), let domain = scores.first(where: { $0.name == WatchPoint.domainName })
    else { return }
    looks.append((domain.value, general.value))
    var words = "  watched: domain \(Numbers.plusMinus(domain.value, domain.standardError)), general \(Numbers.plusMinus(general.value, general.standardError))"
    if let watched {
      words += "; since the start \(Numbers.change(watched.domain, 3)) and \(Numbers.change(watched.general, 3))  \(sparkline(looks.map(\.domain), width: 16)) \(sparkline(looks.map(\.general), width: 16))"
      words += isBest ? "  the best so far" : ""
      words += "  (\(Numbers.percent(share)) % of the time)"
    }
    printError(words)
  }

  /// What was read of a source, and every example that is not as it stands in the file.
  private static func line(_ source: SourceFacts) -> String {
    var line = "\(source.path): \(Numbers.grouped(source.examples)) examples, \(Numbers.grouped(source.tokens)) tokens, \(Numbers.grouped(source.trainedTokens)) learned"
    if source.truncated > 0 { line += "; \(Numbers.grouped(source.truncated)) cut to the row" }
    if source.dropped > 0 { line += "; \(Numbers.grouped(source.dropped)) longer than the row and left out" }
    if source.skipped > 0 { line += "; \(Numbers.grouped(source.skipped)) bad rows skipped" }
    return line
  }

  func finish(_ result: RunResult) throws {
    if result.end == .interrupted {
      printError("interrupted after step \(result.steps) and saved; go on with: holdfast resume \(result.folder.path)")
      throw ExitCode(ThisProcess.interruptedStatus)
    }
    let metrics = try result.folder.readMetrics()
    var report = RunReport(
      name: Files.name(of: result.folder.path), manifest: try Manifest(file: result.folder.manifest), steps: metrics.steps,
      timing: try result.folder.readTiming(), scores: metrics.scores)
    if recipe.initialize == .pretrained, recipe.adapter == nil {
      let distance = try WeightDistance(base: ModelFolder(modelFolder(recipe.model)), tuned: ModelFolder(result.folder.final))
      var groups: [(name: String, relative: Double)] = [], seen: Set<String> = []
      func name(_ part: WeightDistance.Part) -> String { part.layer.map { "layer \($0)" } ?? part.module }
      for key in distance.parts.map(name) where seen.insert(key).inserted {
        groups.append((key, WeightDistance.relative(distance.parts.filter { name($0) == key })))
      }
      report.moved = RunReport.Moved(modules: distance.modules, cells: distance.cells, groups: groups)
    }
    try Files.writeAtomically(report.page.html, to: result.folder.report)
    printError("the run's page: \(result.folder.report)")
    print(result.folder.final)
  }
}

/// The run's numbers for TensorBoard.
private final class EventLog {
  private let writer: EventWriter

  init(_ path: String) throws { writer = try EventWriter(path: path, wallTime: ThisProcess.wallTime()) }

  func write(_ values: [(tag: String, value: Double)], step: Int) throws {
    try writer.scalars(values, step: step, wallTime: ThisProcess.wallTime())
  }
}
