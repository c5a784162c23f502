import HoldfastBasics
import HoldfastDatasets
import HoldfastRecords
import HoldfastStudies
import HoldfastTraining
import Testing

/// Whole studies on the model that comes with Holdfast, a few steps each.
@Suite(.serialized) struct FrontierTests {
  private static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
  private let surroundings = Surroundings(now: { 0 }, peakBytes: { 0 }, processor: "any", cores: 1, code: "test")

  /// Counts what happens and stops after so many steps.
  private final class Observer: RunObserver {
    var began = 0, steps = 0, limit = Int.max
    func observe(_ event: RunEvent) throws -> RunAnswer {
      if case .began = event { began += 1 }
      if case .step = event { steps += 1 }
      return steps >= limit ? .stop : .goOn
    }
  }

  /// A folder with a study's data, and the study's text; `changes` replace lines by their keys.
  private func study(_ folder: String, _ changes: [String: String] = [:]) throws -> String {
    let world = LittleWorld()
    try Files.makeFolder(folder)
    try Files.writeAtomically(world.jsonl(.clinic, .train, count: 60), to: folder + "/clinic.jsonl")
    for family in [LittleWorld.Family.clinic, .sums] {
      for split in [LittleWorld.Split.validation, .test] {
        try Files.writeAtomically(world.jsonl(family, split, count: 6), to: "\(folder)/\(family.rawValue).\(split.rawValue).jsonl")
      }
    }
    func task(_ name: String) -> String {
      "[{name: \(name), validation: \(folder)/\(name).validation.jsonl, test: \(folder)/\(name).test.jsonl, format: prompt_completion, measure: [loss, likelihood]}]"
    }
    var lines: [(String, String)] = [
      ("recipe", "{model: \(Self.root)/World/base, data: [{path: \(folder)/clinic.jsonl, format: prompt_completion}], sequence_length: 64, batch: 4, steps: 4, schedule: constant, threads: 1}"),
      ("new", task("clinic")), ("old", task("sums")), ("every", "2"), ("seeds", "[1, 2]"), ("rates", "[3e-3, 1e-3, 3e-4]"), ("targets", "[0.5, 3]"),
      ("methods", "[full, {name: l2, method: {l2: {lambda: 10}}}, {name: wise, after: full, blend: interpolate, strengths: [0.5]}]"),
    ]
    for (key, value) in changes {
      if let at = lines.firstIndex(where: { $0.0 == key }) { lines[at].1 = value } else { lines.append((key, value)) }
    }
    return lines.filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1)\n" }.joined()
  }

  private func frontier(_ yaml: String, _ output: String) throws -> Frontier {
    try Frontier(FrontierStudy(yaml: yaml), output: output) { $0 }
  }

  private func run(_ frontier: inout Frontier, _ observer: Observer) throws -> (ending: Frontier.Ending, labels: [String]) {
    var doors = Frontier.Doors { _ in nil }, labels: [String] = []
    doors.isStopped = { observer.steps >= observer.limit }
    let ending = try frontier.run(surroundings: surroundings, doors: doors, observer: observer) { event in
      if case .finished(_, let entry) = event { labels.append(entry.label) }
    }
    return (ending, labels)
  }

  @Test func aStoppedStudyGoesOnAndRepeatsNothing() throws {
    let folder = Self.root + "/.build/frontier-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    let yaml = try study(folder), whole = Observer()
    var first = try frontier(yaml, folder + "/a")
    let done = try run(&first, whole)
    // Two trained methods of three rates at two seeds in four steps each, and six blends.
    #expect(done.ending == .finished && done.labels.count == 18 && whole.began == 12 && whole.steps == 48)
    // Every method at the first seed and the middle rate, then the other rates, then the other seed.
    #expect(Array(done.labels.prefix(5)) == ["full, rate 1e-3, seed 1", "wise, rate 1e-3, seed 1", "l2, rate 1e-3, seed 1", "full, rate 3e-3, seed 1", "wise, rate 3e-3, seed 1"])
    #expect(done.labels.prefix(9).allSatisfy { $0.hasSuffix("seed 1") } && done.labels.suffix(9).allSatisfy { $0.hasSuffix("seed 2") })
    let point = try #require(first.points.points.first { $0.method == "full" })
    #expect(point.stations.map(\.at) == [0, 2, 4] && Set(point.stations[1].losses.test.keys) == ["clinic", "sums"])
    #expect(point.stations[1].scores.isEmpty && point.stations[2].scores.test["sums"]?.count == 6 && point.trained == 1)
    // The blend's ends are the base and the run.
    let blend = try #require(first.points.points.first { $0.method == "wise" })
    #expect(blend.stations.map(\.at) == [0, 0.5, 1])
    for (task, score) in blend.stations[2].losses.test { #expect(abs(score.value - point.stations[2].losses.test[task]!.value) < 1e-5) }
    // Models go once nobody needs them.
    #expect(try Files.list(folder + "/a/runs").allSatisfy { !Files.exists("\(folder)/a/runs/\($0)/final") })
    let summary = try #require(first.summary())
    #expect(summary.measures.map(\.kind) == [.loss, .score] && summary.measures[0].arms.map(\.name) == ["full", "l2", "wise"])
    #expect(summary.measures[0].arms.allSatisfy { $0.targets[1].kept == nil }, "three times what full learns is not reached")
    #expect(summary.done == 18 && summary.planned == 18 && summary.costs.map(\.trials) == [3, 3, 3])

    // Stopped in the middle of the second run, and again later.
    var steps = 0, labels: [String] = []
    for limit in [6, 17] {
      let stopped = Observer()
      stopped.limit = limit
      var part = try frontier(yaml, folder + "/b")
      let found = try run(&part, stopped)
      #expect(found.ending == .interrupted)
      steps += stopped.steps
      labels += found.labels
    }
    let last = Observer()
    var rest = try frontier(yaml, folder + "/b")
    labels += try run(&rest, last).labels
    #expect(steps + last.steps == whole.steps && labels == done.labels)
    func numbers(_ frontier: Frontier) -> [[FrontierStation]] { frontier.points.points.map(\.stations) }
    let isSame = numbers(rest) == numbers(first)
    #expect(isSame)

    // A fresh clone with the committed points has nothing left to do.
    let clone = try study(folder, ["points": folder + "/a/points.jsonl"]), idle = Observer()
    var again = try frontier(clone, folder + "/c")
    #expect(try run(&again, idle).labels == [] && idle.began == 0 && again.summary() == summary)
    // Another number of steps is another study: only the base is known.
    let other = try frontier(clone.replacing("steps: 4", with: "steps: 5"), folder + "/c")
    #expect(other.done == 0 && other.points[other.plan.base] != nil)
  }

  /// Seeds after the first repeat only what the first one chose; the second half costs less and every method is judged by all seeds.
  @Test func otherSeedsRepeatWhatWasChosen() throws {
    let folder = Self.root + "/.build/frontier-chosen-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    func task(_ name: String) -> String { "[{name: \(name), validation: \(folder)/\(name).validation.jsonl, test: \(folder)/\(name).test.jsonl, format: prompt_completion}]" }
    let changes = ["other_seeds": "chosen", "new": task("clinic"), "old": task("sums"), "targets": "[0.5]", "seeds": "[1, 2, 3]"]
    var frontier = try frontier(study(folder, changes), folder + "/a")
    #expect(frontier.plan.points.count == 27 && frontier.due.count == 27)
    let (ending, labels) = try run(&frontier, Observer())
    #expect(ending == .finished && labels.count == frontier.due.count && frontier.done == labels.count)
    let first = labels.filter { $0.hasSuffix("seed 1") }, second = labels.filter { $0.hasSuffix("seed 2") }
    #expect(first.count == 9 && (3...6).contains(second.count), "\(labels)")
    #expect(second == labels.filter { $0.hasSuffix("seed 3") }.map { $0.dropLast() + "2" })
    let summary = try #require(frontier.summary())
    #expect(summary.done == summary.planned && summary.measures[0].arms.count == 3)
    for arm in summary.measures[0].arms { #expect(arm.targets[0].seeds == 3 && arm.ends.count < 3, "\(arm.name)") }
    // What every method was judged by at the first seed alone is among what was repeated.
    let trial = try #require(summary.measures[0].arms[1].targets[0].trial)
    #expect(second.contains("l2, \(trial), seed 2"))
    #expect(try run(&frontier, Observer()).labels == [])
    #expect(throws: Problems.self) { try self.frontier(self.study(folder, ["other_seeds": "chosen"]), folder + "/b") }
  }

  @Test func theBudgetEndsItBetweenPoints() throws {
    let folder = Self.root + "/.build/frontier-budget-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    var frontier = try frontier(study(folder, ["budget": "1", "methods": "[full]", "seeds": "[1]"]), folder + "/a")
    final class Clock: @unchecked Sendable { var now = 0.0 }
    let clock = Clock(), observer = Observer()
    var slow = surroundings
    slow.now = {
      clock.now += 9
      return clock.now
    }
    let ending = try frontier.run(surroundings: slow, doors: .init { _ in nil }, observer: observer) { _ in }
    #expect(ending == .outOfBudget && frontier.done > 0 && frontier.done < 3)
  }

  /// A rate that is too high ends its run, not the study; the next call tries it again.
  @Test func aRunThatFailsLeavesTheOthers() throws {
    let folder = Self.root + "/.build/frontier-failing-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    var frontier = try frontier(study(folder, ["methods": "[full]", "seeds": "[1]", "rates": "[1e-3, 1e-4, 1e30]"]), folder + "/a")
    var failed: [String] = []
    let ending = try frontier.run(surroundings: surroundings, doors: .init { _ in nil }, observer: Observer()) { event in
      if case .failed(let entry, _) = event { failed.append(entry.label) }
    }
    #expect(ending == .failed(1) && failed == ["full, rate 1.0e+30, seed 1"] || failed == ["full, rate 1e+30, seed 1"], "\(ending) \(failed)")
    #expect(frontier.done == 2 && frontier.summary()?.done == 2)
    #expect(try run(&frontier, Observer()).ending == .failed(1) && frontier.done == 2)
  }

  @Test func everythingWrongIsSaidAtOnce() throws {
    let folder = Self.root + "/.build/frontier-bad-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    func complaints(_ changes: [String: String]) throws -> String {
      let yaml = try study(folder, changes)
      do {
        _ = try frontier(yaml, folder + "/x")
        return ""
      } catch let problems as Problems { return problems.description }
    }
    #expect(try complaints([:]) == "")
    let many = try complaints([
      "rates": "[1e-3, 3e-4]", "old": "[{name: facts, validation: \(folder)/none.jsonl, test: \(folder)/sums.test.jsonl, format: prompt_completion}]",
      "methods": "[full, {name: k, method: {kll: {}}}, {name: l2, method: {l2: {lambda: 1}}, rates: [1e-3, 1e-4, 1e-5], seed: 3}, {name: w, after: ful, blend: interpolate, strengths: [2]}]",
      "reference": "fulll",
    ])
    #expect(many.contains("fulll; did you mean full?"), "\(many)")
    // A key, a missing file, an empty one, a rate too few, items that are trained on and a suite that is not there: one round.
    try Files.writeAtomically("", to: folder + "/empty.jsonl")
    let round = try complaints([
      "rates": "[1e-3, 3e-4]", "every": "often", "reference": "fulll",
      "old": "[{name: facts, validation: \(folder)/none.jsonl, test: \(folder)/empty.jsonl, format: prompt_completion, measure: [los]}]",
      "new": "[{name: clinic, validation: \(folder)/clinic.validation.jsonl, test: \(folder)/clinic.jsonl, format: prompt_completion}]",
      "suite": "{validation: \(folder)/no-suite.yaml, test: \(folder)/no-suite.yaml}",
    ])
    for words in [
      "every: often is not valid", "measure: [\"los\"] is not valid", "none.jsonl: no such file", "empty.jsonl has no rows", "rates: two of at least three",
      "60 of its rows are trained on", "no-suite.yaml", "reference: there is no method fulll; did you mean full?",
    ] { #expect(round.contains(words), "lacks \(words): \(round)") }
    let more = try complaints([
      "rates": "[1e-3, 3e-4]", "old": "[{name: facts, validation: \(folder)/none.jsonl, test: \(folder)/sums.test.jsonl, format: prompt_completion}]",
      "methods": "[full, {name: k, method: {kll: {}}}, {name: l2, method: {l2: {lambda: 1}}, rates: [1e-3, 1e-4, 1e-5], seed: 3}, {name: w, after: ful, blend: interpolate, strengths: [2]}]",
    ])
    for words in [
      "full: rates: two of at least three", "there is no method kll", "did you mean kl?", "l2: seed: the study's `seeds` say it", "unequal trials (full 2, k 2, l2 3)",
      "w: after: there is no method ful; did you mean full?", "none.jsonl: no such file",
    ] { #expect(more.contains(words), "lacks \(words): \(more)") }
    #expect(try complaints(["rates": "[1e-3]", "few_rates": "true"]) == "")
    #expect(try complaints(["recipe": "{model: m, data: [{path: d.jsonl}], steps: 4, learning_rate: 1, seed: 2}"]).contains("recipe.learning_rate: the study's `rates` say it"))
    #expect(try complaints(["recipe": "{model: m, data: [{path: d.jsonl}], steps: 4, watch: {domain: d.jsonl}}"]).contains("recipe.watch: the study's `new` and `old`"))
    // One file for both decides what it judges.
    let same = "[{name: sums, validation: \(folder)/sums.test.jsonl, test: \(folder)/sums.test.jsonl, format: prompt_completion, measure: [loss, likelihood]}]"
    #expect(try complaints(["old": same]).contains("what chooses cannot judge"))
    // Items that are trained on.
    let learnt = "[{name: clinic, validation: \(folder)/clinic.validation.jsonl, test: \(folder)/clinic.jsonl, format: prompt_completion, measure: [loss, likelihood]}]"
    #expect(try complaints(["new": learnt]).contains("60 of its rows are trained on"))
    #expect(try complaints(["new": learnt, "trained_items": "true"]) == "")
    // A method whose knob must be given is read with its strengths.
    let knob = "[{name: l2, method: {l2: {}}, knob: lambda, strengths: [1, 2], rates: [1e-3, 1e-4, 1e-5]}]"
    #expect(try complaints(["methods": knob]) == "")
    #expect(try complaints(["methods": knob, "new": learnt]).contains("60 of its rows are trained on"))
    #expect(try complaints(["old": "[]"]).contains("old"))
    #expect(!Files.exists(folder + "/x"))
  }
}
