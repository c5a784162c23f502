import ArgumentParser
import HoldfastBasics
import HoldfastEvaluation
import HoldfastRecords
import HoldfastReports

extension EvaluateCommand {
  func run(suite path: String) throws {
    // Everything that can be wrong with the suite is said before a model is looked at.
    let suite = try readSuite(path)
    let model = try ensemble.suiteModel(), reference = try base.map { try ensemble.options.suiteModel(of: $0) }
    let runner = SuiteRunner(suite, cache: noCache ? nil : cache ?? evaluationCache())
    let clock = ContinuousClock()
    var begun = clock.now, seconds: [Double?] = []
    let result = try runner.run(model, base: reference) { event in
      switch event {
      case .asking(let task, let number, let count):
        begun = clock.now
        if Terminal.hasColour { printError("\(number)/\(count) \(task.name): \(task.what)") }
      case .finished(_, let isCached): seconds.append(isCached ? nil : (clock.now - begun) / .seconds(1))
      }
    }
    if let output { try Files.writeAtomically(result.json.text() + "\n", to: output) }
    var buffer = OutputBuffer()
    if json {
      for task in result.tasks { try buffer.line(task.summary) }
    } else {
      let page = SuitePage(result, seconds: seconds)
      buffer.append(page.table.terminal(width: Terminal.width, colour: Terminal.hasColour))
      for line in page.notes { buffer.append(line + "\n") }
    }
    try buffer.flush()
  }
}

extension EvaluateCommand {
  /// What is wrong with a suite, trained-on items among it, is the command line's: exit status 64.
  private func readSuite(_ path: String) throws -> EvaluationSuite {
    do {
      let suite = try EvaluationSuite(file: path, data: data)
      if suite.needsBase && ensemble.isEmulated {
        throw Problems(suite.name, ["drift is a distance of one model's weights and logits from its base's; an ensemble moves no weight"])
      }
      if suite.needsBase && base == nil {
        throw Problems(suite.name, ["it measures drift from a base model: name its folder with --base"])
      }
      if !trainedOn.isEmpty {
        var seen = TrainedOn()
        for file in trainedOn { try seen.remember(file: file) }
        try seen.check(suite)
      }
      return suite
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
  }
}

/// Where finished tasks are kept unless somebody says otherwise; nil where there is no home.
func evaluationCache() -> String? {
  let caches = environment("XDG_CACHE_HOME").flatMap { $0.isEmpty ? nil : $0 } ?? environment("HOME").map { $0 + "/.cache" }
  return caches.map { $0 + "/holdfast/evaluations" }
}

extension TaskResult {
  /// Everything but the values of single items and the texts.
  fileprivate var summary: JSON {
    guard var object = json.object else { return json }
    for key in ["per_item", "item_weights", "samples"] { object[key] = nil }
    return .object(object)
  }
}

/// A suite's result as a table.
struct SuitePage {
  private(set) var table = Table(columns: [
    .init("task", .left), .init("metric", .left), .init("score ± s.e."), .init("95 % interval"), .init("chance"), .init("items"), .init("seconds"),
  ])
  private(set) var notes: [String] = []

  init(_ result: SuiteResult, seconds: [Double?]) {
    for role in [EvaluationTask.Role.general, .domain] {
      let members = zip(result.tasks, seconds).filter { $0.0.role == role }
      if members.isEmpty { continue }
      table.addRule()
      for (task, seconds) in members {
        let estimate = task.estimate
        table.add([
          .init(task.name), .init(task.metric.rawValue), .init(Self.number(estimate.value, estimate.standardError, task.metric)),
          .init(task.interval().map { Self.range($0, task.metric) } ?? ""), .init(task.chance.map { Self.number($0, nil, task.metric) } ?? ""),
          .init(Numbers.grouped(task.perItem.count)), .init(seconds.map { Numbers.fixed($0, 1) } ?? "kept"),
        ])
        note(task)
      }
      // A mean of several units means nothing; the table then ends without one.
      if result.members(role).count > 1, let mean = try? result.mean(role), let first = result.members(role).first {
        table.add([
          .init("mean, \(role.rawValue)", .strong), .init(""), .init(Self.number(mean.estimate.value, mean.estimate.standardError, first.metric), .strong),
          .init(mean.estimate.interval().map { Self.range($0, first.metric) } ?? ""), .init(""), .init(""), .init(""),
        ])
      }
    }
  }

  /// What a row has no room for.
  private mutating func note(_ task: TaskResult) {
    if let above = task.aboveChance, above < 3 {
      notes.append("\(task.name): not above chance by three standard errors (\(Numbers.fixed(above, 1))), so that nothing can be lost there")
    }
    if !task.forms.isEmpty, let deviation = task.formDeviation {
      let values = task.forms.map { Self.number($0.value, nil, task.metric) }.joined(separator: ", ")
      notes.append("\(task.name): forms of the prompt \(values); they spread by \(Self.number(deviation, nil, task.metric))")
    }
    for other in task.others {
      let name = other.name.hasPrefix(task.name + ".") ? String(other.name.dropFirst(task.name.count + 1)) : other.name
      notes.append("\(task.name): \(name) \(Numbers.plusMinus(other.value, other.standardError)) \(other.unit)")
    }
  }

  /// Shares as percent, everything else as it is.
  private static func number(_ value: Double, _ error: Double?, _ metric: TaskMetric) -> String {
    metric.isShare ? Numbers.percent(value, error) + " %" : Numbers.plusMinus(value, error)
  }

  private static func range(_ interval: Interval, _ metric: TaskMetric) -> String {
    if metric.isShare { return "\(Numbers.fixed(interval.low * 100, 1)) to \(Numbers.fixed(interval.high * 100, 1))" }
    return "\(Numbers.significant(interval.low)) to \(Numbers.significant(interval.high))"
  }
}
