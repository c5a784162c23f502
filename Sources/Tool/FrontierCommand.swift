import ArgumentParser
import HoldfastBasics
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

struct FrontierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier", abstract: "Compare methods at the same new score: what did each of them keep?",
    discussion: """
      Runs the methods of a study at several rates and seeds, measures what they learn and what they keep, and reads them \
      against each other where they have learned the same. Finished points are lines of a file and are never made again: \
      stopped or killed, the same command goes on. Flags override the study's keys, such as --seeds "[1, 2]" or \
      --recipe.steps 50. Docs/frontier.md describes the study's file.
      """)

  @Argument(help: "The study, YAML.") var study: String
  @Flag(help: "Show the plan and what it takes, and run nothing.") var dryRun = false
  @Flag(help: "Read the points that are there and write the report; run nothing.") var reportOnly = false
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Go on though threads, libtorch or processor are others: the last bits will differ.") var allowOtherBits = false
  @Argument(parsing: .captureForPassthrough, help: .hidden) var overrides: [String] = []

  func run() throws {
    var flags = overrides
    func takes(_ flag: String, _ isGiven: Bool) -> Bool {
      let found = flags.contains(flag)
      flags.removeAll { $0 == flag }
      return isGiven || found
    }
    let isDry = takes("--dry-run", dryRun), isReport = takes("--report-only", reportOnly), asJSON = takes("--json", json)
    let others = takes("--allow-other-bits", allowOtherBits)
    if flags.contains("--help") || flags.contains("-h") { throw CleanExit.helpRequest(self) }
    var frontier: Frontier
    do {
      let read = try FrontierStudy(file: study, overrides: Overrides.parse(flags))
      try Self.checkExperts(read)
      frontier = try Frontier(read, output: read.output ?? "runs/\(ThisProcess.stamp())-frontier", place: modelFolder)
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
    for words in frontier.warnings { printError("warning: \(words)") }
    printError(FrontierConsole.budget(frontier))
    if isDry {
      print(FrontierConsole.plan(frontier))
      return
    }
    var failures = 0
    if !isReport {
      ThisProcess.noteInterrupts()
      var doors = Frontier.Doors(messages: chatTemplate)
      doors.cache = dataCache(isStrict: false)
      doors.allowsOtherBits = others
      doors.emulated = { model, experts, beta, precision in
        // Whose children the experts are was looked at before the first run.
        try Self.options(model, experts, beta: beta, anyExpert: true, precision: precision == "bf16" ? "bf16" : "f32").evaluator()
      }
      doors.isStopped = { ThisProcess.isInterrupted }
      doors.tellsPeak = ThisProcess.resetPeak()
      doors.resetPeak = { ThisProcess.resetPeak() }
      let ending = try frontier.run(surroundings: ThisProcess.surroundings, doors: doors, observer: FrontierConsole()) { event in
        if let words = FrontierConsole.words(event) { printError(words) }
      }
      if case .failed(let count) = ending { failures = count }
      if ending == .interrupted {
        printError("interrupted after \(frontier.done) of \(frontier.due.count) points; go on with: holdfast frontier \(study) --output \(frontier.output)")
        throw ExitCode(ThisProcess.interruptedStatus)
      }
    }
    guard let summary = frontier.summary() else {
      printError("nothing to compare yet: the base or the reference \(frontier.study.reference) has no point, or the reference learned nothing")
      throw ExitCode(1)
    }
    let report = try FrontierReport(summary, frontier, studyFile: study)
    try report.write()
    print(asJSON ? report.json.text() : report.terminal(width: Terminal.width, colour: Terminal.hasColour))
    if failures > 0 {
      printError("\(failures) of \(frontier.due.count) points failed; the same command tries them again")
      throw ExitCode(1)
    }
  }
}

extension FrontierCommand {
  private static func options(_ model: String, _ of: FrontierStudy.Emulated, beta: Double? = nil, anyExpert: Bool = false, precision: String? = nil) throws -> EnsembleOptions {
    try .of(model, experts: of.experts, antiExpert: of.antiExpert, weights: of.weights, beta: beta, anyExpert: anyExpert, precision: precision)
  }

  /// An expert of another parent is found before anything runs.
  private static func checkExperts(_ study: FrontierStudy) throws {
    var problems = Problems("experts")
    let all = Set(study.methods.compactMap(\.emulated).flatMap { of in study.seeds.map(of.at) })
    for experts in all.filter({ !$0.allowsAnyExpert }).sorted(by: { $0.experts.lexicographicallyPrecedes($1.experts) }) {
      do { try options("", experts).checkOrigins() } catch let found as Problems { for words in found.complaints { problems.add(words) } }
    }
    try problems.check()
  }
}

/// What a study says while it runs.
private final class FrontierConsole: RunObserver {
  /// Passes Ctrl-C on to the run that is going on.
  func observe(_ event: RunEvent) throws -> RunAnswer { ThisProcess.isInterrupted ? .stop : .goOn }

  /// Runs times seconds, before anything runs.
  static func budget(_ frontier: Frontier) -> String {
    let all = frontier.due, left = all.count - frontier.done
    let blends = all.count { $0.parent != nil }, emulated = all.count { $0.parent == nil && !$0.isRun }
    var parts = ["\(all.count - blends - emulated) runs"]
    if blends > 0 { parts.append("\(blends) blends of their models") }
    if emulated > 0 { parts.append("\(emulated) emulated") }
    var words = "\(frontier.study.name): \(all.count) points: \(parts.joined(separator: " and "))"
    words += ", \(frontier.study.seeds.count) \(frontier.study.seeds.count == 1 ? "seed" : "seeds")"
    if frontier.study.otherSeeds == .chosen, all.count == frontier.plan.points.count { words += ", fewer when the first has chosen" }
    if frontier.done > 0 { words += "; \(frontier.done) are there" }
    if left == 0 { return words }
    if let seconds = frontier.secondsLeft {
      words += "; the \(left) others take about \(Numbers.duration(seconds)) (\(Numbers.duration(seconds / Double(left))) each, as those that are there)"
    } else {
      words += "; how long one takes is known after the first"
    }
    if let budget = frontier.study.budget { words += "; no other is begun after \(Numbers.duration(budget))" }
    return words
  }

  static func plan(_ frontier: Frontier) -> String {
    var table = Table(columns: [.init(""), .init("method", .left), .init("trial", .left), .init("seed"), .init("", .left)])
    for (number, entry) in frontier.due.enumerated() {
      let knob = frontier.study.methods.first { $0.name == entry.method }?.knob
      table.add([
        .init("\(number + 1)"), .init(entry.method, .strong), .init(entry.trial.label(knob: knob)), .init("\(entry.seed)"),
        .init(frontier.points[entry.key] != nil ? "done" : entry.isRun ? "run" : entry.parent == nil ? "emulated, nothing trains" : "blend of the run before it", .faint),
      ])
    }
    return table.terminal(width: Terminal.width, colour: Terminal.hasColour)
  }

  static func words(_ event: Frontier.Event) -> String? {
    switch event {
    case .measuringBase: return "measuring the base"
    case .running(let entry, let number, let count, let left):
      return "[\(number) of \(count)] \(entry.label)" + (left.map { "; about \(Numbers.duration($0)) left" } ?? "")
    case .finished(let point, _):
      func mean(_ scores: [String: TaskScore]) -> String { scores.sorted { $0.key < $1.key }.map { "\($0.key) \(Numbers.significant($0.value.value, 3))" }.joined(separator: ", ") }
      guard let last = point.stations.last else { return nil }
      var words = ["  at its end, test:"]
      if !last.losses.isEmpty { words.append("loss " + mean(last.losses.test)) }
      if !last.scores.isEmpty { words.append("score " + mean(last.scores.test)) }
      let seconds = (point.preparingSeconds ?? 0) + (point.trainingSeconds ?? 0) + (point.measuringSeconds ?? 0)
      return words.joined(separator: " ") + "; \(Numbers.duration(seconds))"
    case .failed(_, let error): return "  failed: \(error)"
    case .outOfBudget(let left): return "the budget is spent; \(left) points are left for another time"
    }
  }
}
