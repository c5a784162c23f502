import Foundation
import HoldfastBasics
import HoldfastRecords
import HoldfastRunIndex
import Testing

/// A folder of runs that goes away with its test.
private final class Shelf: Sendable {
  let root: String

  init() throws {
    var template = Array("/tmp/holdfast-runs-XXXXXX".utf8CString)
    root = String(cString: mkdtemp(&template))
  }

  deinit { try? Files.remove(root) }

  var file: String { root + "/" + RunIndex.name }

  /// - Parameter lines: steps that are done, of `steps`.
  func run(
    _ path: String, method: JSON = "full", model: String = "models/tiny", rate: Double = 1e-3, steps: Int = 3, done: Int = 3, loss: Double = 0.5,
    heldOut: Double? = nil, outcome: RunOutcome.End? = .finished, reason: String? = nil
  ) throws {
    let run = try RunFolder.create(root + "/" + path)
    let manifest = Manifest(
      recipe: ["model": .string(model), "method": [method], "seed": 3, "learning_rate": .number(rate), "steps": .integer(steps)], data: [], model: [],
      code: "1", libtorch: "2.13", device: "cpu", processor: "p", threads: 1, seeds: [], trained: [TrainedCount(part: "all", trained: 1, total: 4)])
    try manifest.write(to: run.manifest)
    var lines = "", times = ""
    for step in 0..<done {
      let at = loss + Double(done - 1 - step)
      lines += StepRecord(step: step, loss: at, units: 1, gradientNorm: 1, learningRate: rate, epoch: 0, firstRow: 0).line
      // The clock began anew with the last step.
      times += TimingRecord(step: step, seconds: step == done - 1 ? 0.5 : Double(step + 1), tokensPerSecond: 1, peakBytes: 1).line
    }
    if let heldOut { lines += ScoreRecord(name: "held_out.loss", value: heldOut, standardError: nil, count: 1, unit: "nats a label", what: "x", step: done).line }
    if done > 0 { try Files.writeAtomically(lines, to: run.metrics) }
    if done > 0 { try Files.writeAtomically(times, to: run.timing) }
    if let outcome { try RunOutcome(outcome, planned: steps, reason: reason).write(to: run.outcome) }
  }

  func study(_ path: String, methods: [String], report: JSON? = nil) throws {
    try Files.makeFolder(root + "/" + path)
    let points = methods.map {
      FrontierPoint(key: "k-\($0)", method: $0, rate: 1e-3, seed: 1, stations: [FrontierStation(at: 0)], trainingSeconds: 2, code: "1", libtorch: "2", processor: "p", threads: 1)
    }
    try Files.writeAtomically(points.map(\.line).joined(), to: "\(root)/\(path)/points.jsonl")
    if let report { try Files.writeAtomically(report.text(), to: "\(root)/\(path)/report.json") }
  }

  func index(anew: Bool = false) throws -> RunIndex { try RunIndex(of: root, anew: anew, waiting: 0.2) }
}

private func query(_ change: (inout RunIndex.Query) -> Void) -> RunIndex.Query {
  var query = RunIndex.Query()
  change(&query)
  return query
}

@Suite struct RunIndexTests {
  @Test func everyFactOfARunIsFound() throws {
    let shelf = try Shelf()
    try shelf.run("a", method: ["l2": ["lambda": 1]], heldOut: 0.75)
    let a = try #require(shelf.index().find().first)
    #expect(a.path == "a" && a.kind == .run && a.state == .finished && a.method == "l2" && a.model == "models/tiny" && a.seed == 3 && a.learningRate == 1e-3)
    #expect(a.steps == 3 && a.planned == 3 && a.loss == 0.5 && a.trained == 0.25 && a.libtorch == "2.13" && a.device == "cpu" && a.part == nil)
    #expect(a.scores == ["held_out.loss": 0.75] && a.seconds == 2.5)
    #expect(abs(a.modified - Date().timeIntervalSince1970) < 600)
  }

  /// What ended a run is what it said itself; what said nothing is open, and half a line is no step.
  @Test func statesAreWhatTheFoldersSay() throws {
    let shelf = try Shelf()
    try shelf.run("stopped", done: 2, outcome: .interrupted)
    try shelf.run("failed", done: 1, outcome: .failed, reason: "the loss is no number")
    try shelf.run("early", steps: 9, outcome: .stoppedEarly, reason: "no improvement")
    try shelf.run("killed", done: 2, outcome: nil)
    try Files.writeAtomically(String(decoding: Files.read(shelf.root + "/killed/metrics.jsonl"), as: UTF8.self) + #"{"step":2,"lo"#, to: shelf.root + "/killed/metrics.jsonl")
    try shelf.run("begun", done: 0, outcome: nil)
    // Made by an earlier version, which wrote no outcome; and a folder that is no run yet.
    try shelf.run("old", outcome: nil)
    try Files.makeFolder(shelf.root + "/old/final")
    try IntegrityManifest.seal(shelf.root + "/old/final")
    try Files.makeFolder(shelf.root + "/coming/checkpoints")
    let index = try shelf.index(), all = Dictionary(uniqueKeysWithValues: try index.find().map { ($0.path, $0) })
    #expect(all.mapValues(\.state) == ["stopped": .stopped, "failed": .failed, "early": .finished, "killed": .open, "begun": .open, "old": .finished])
    #expect(all["failed"]?.reason == "the loss is no number" && all["early"]?.reason == "no improvement" && all["early"]?.planned == 9)
    #expect(all["killed"]?.steps == 2 && all["killed"]?.loss == 0.5 && all["begun"]?.steps == 0 && all["begun"]?.loss == nil)
    #expect(try index.find(query { $0.state = .open }).map(\.path).sorted() == ["begun", "killed"])
    #expect(index.change.broken == [])
  }

  @Test func conditionsAndOrdersFindWhatTheySay() throws {
    let shelf = try Shelf()
    try shelf.run("a", method: ["l2": ["lambda": 1]], loss: 0.5, heldOut: 2)
    try shelf.run("b", method: "half", model: "models/Base-1B", rate: 1e-4, loss: 1.5, heldOut: 1)
    try shelf.run("deep/er/c", method: "half", loss: 1.25)
    let index = try shelf.index()
    func paths(_ change: (inout RunIndex.Query) -> Void) throws -> [String] { try index.find(query(change)).map(\.path) }
    func fits(_ text: String) throws -> [String] { try paths { $0.conditions = try! RunIndex.Condition.read(text) }.sorted() }
    #expect(try paths { $0.sort = "loss" } == ["a", "deep/er/c", "b"])
    #expect(try paths { $0.sort = "loss"; $0.isDescending = true; $0.limit = 2 } == ["b", "deep/er/c"])
    // What has no such score comes last, whichever way.
    #expect(try paths { $0.sort = "held_out.loss" } == ["b", "a", "deep/er/c"])
    #expect(try paths { $0.sort = "held_out.loss"; $0.isDescending = true } == ["a", "b", "deep/er/c"])
    #expect(try paths { $0.method = "HALF"; $0.sort = "loss" } == ["deep/er/c", "b"])
    #expect(try paths { $0.model = "base" } == ["b"])
    #expect(try paths { $0.since = 1e11 } == [] && paths { $0.since = 0 }.count == 3)
    #expect(try fits("loss < 1.25") == ["a"] && fits("loss <= 1.25") == ["a", "deep/er/c"] && fits("loss>1.25 and seed==3") == ["b"])
    #expect(try fits("held_out.loss >= 2") == ["a"] && fits("held_out.loss != 2") == ["b"] && fits("loss < 2 AND held_out.loss < 2") == ["b"])
    #expect(try fits("learning_rate = 1e-4") == ["b"] && fits("method = HALF") == ["b", "deep/er/c"] && fits("method != half") == ["a"])
    // Every name that is not there, and what no number is, in one go; no value reaches SQL but as a value.
    let error = #expect(throws: Problems.self) {
      try index.find(query { $0.conditions = try! RunIndex.Condition.read("los < 1 and steps > many and zzz > 1"); $0.sort = "held_out.los" })
    }
    let words = try #require(error?.description)
    for part in ["score los; did you mean loss?", "steps is compared with a number, which \"many\" is not", "score zzz; there are loss", "did you mean held_out.loss?"] {
      #expect(words.contains(part), "\(words)")
    }
    #expect(try fits("path = x'; DROP TABLE runs; --") == [] && index.find().count == 3)
    for text in ["loss", "loss <", "< 3", "loss < 1 and", ""] { #expect(throws: RunIndex.NotACondition.self) { try RunIndex.Condition.read(text) } }
  }

  @Test func studiesAndSequencesHoldTheirRuns() throws {
    let shelf = try Shelf()
    try shelf.study(
      "study", methods: ["base", "full", "l2"],
      report: ["done": 3, "planned": 3, "measures": [["methods": [["name": "full", "targets": [["old": ["mean": 1.5]]]], ["name": "l2", "targets": [["old": .null]]]]]]])
    try shelf.run("study/runs/full-1", model: "models/base")
    try shelf.study("open", methods: ["base", "half"])
    try Files.makeFolder(shelf.root + "/search/runs")
    try Files.writeAtomically(#"{"format": 1, "recipe": {"model": "m", "seed": 4, "search": {"max_runs": 9}}}"#, to: shelf.root + "/search/search.json")
    try Files.writeAtomically(#"{"chosen": "mlp", "runs": 6, "full": [{"name": "mlp", "uni": 0.5}]}"#, to: shelf.root + "/search/result.json")
    try Files.makeFolder(shelf.root + "/stages")
    try Files.writeAtomically(#"{"format": 1, "recipe": {"model": "m", "stages": [{"method": "full"}, {"method": ["half"]}]}}"#, to: shelf.root + "/stages/stages.json")
    try Files.writeAtomically(#"{"after": [[]], "forgetting": 0.25, "backward_transfer": null}"#, to: shelf.root + "/stages/matrix.json")
    try shelf.run("stages/stage-1-a")
    let index = try shelf.index(), all = Dictionary(uniqueKeysWithValues: try index.find().map { ($0.path, $0) })
    #expect(Set(all.keys) == ["study", "open", "search", "stages"])
    let study = try #require(all["study"])
    #expect(study.kind == .study && study.method == "full, l2" && study.model == "models/base" && study.state == .finished && study.scores == ["kept.full": 1.5])
    #expect(study.steps == 2 && study.seconds == 6 && all["open"]?.state == .open)
    #expect(all["search"]?.state == .finished && all["search"]?.scores == ["uni.mlp": 0.5] && all["search"]?.reason == "chosen: mlp" && all["search"]?.planned == 9)
    #expect(all["stages"]?.state == .open && all["stages"]?.steps == 1 && all["stages"]?.planned == 2 && all["stages"]?.method == "full, half" && all["stages"]?.scores == ["forgetting": 0.25])
    let parts = try index.find(query { $0.includesParts = true; $0.kind = .run })
    #expect(Dictionary(uniqueKeysWithValues: parts.map { ($0.path, $0.part) }) == ["study/runs/full-1": "study", "stages/stage-1-a": "stages"])
    // Names: a path, a folder's name, a part; what is meant twice is not guessed.
    #expect(try index.entry(named: "stages/stage-1-a/").path == "stages/stage-1-a" && index.entry(named: "full-1").path == "study/runs/full-1")
    #expect(try index.entry(named: shelf.root + "/open").path == "open" && index.entry(named: "sear").path == "search")
    #expect(throws: Problems.self) { try index.entry(named: "st") }
    let missing = #expect(throws: Problems.self) { try index.entry(named: "serach") }
    #expect(missing?.description.contains("did you mean search?") == true)
  }

  @Test func onlyWhatChangedIsReadAndWhatIsGoneIsDropped() throws {
    let shelf = try Shelf()
    for name in ["a", "b", "c"] { try shelf.run(name, done: 2, outcome: .interrupted) }
    #expect(try shelf.index().change == RunIndex.Change(read: 3))
    #expect(try shelf.index().change == RunIndex.Change(kept: 3))
    try Files.remove(shelf.root + "/a")
    try Files.remove(shelf.root + "/b")
    try shelf.run("b", done: 3, loss: 0.25)
    #expect(try shelf.index().change == RunIndex.Change(read: 1, dropped: 1, kept: 1))
    let b = try shelf.index().entry(named: "b")
    #expect(b.steps == 3 && b.loss == 0.25 && b.state == .finished)
    // A folder that looks like a run and is none is said, each time, and in nobody's way; what was known of it goes.
    try Files.writeAtomically("{", to: shelf.root + "/b/manifest.json")
    for dropped in [1, 0] {
      let change = try shelf.index().change
      #expect(change.broken.count == 1 && change.broken[0].hasPrefix("b: ") && change.dropped == dropped && change.kept == 1)
    }
    #expect(try shelf.index().find().map(\.path) == ["c"])
  }

  @Test(arguments: ["lost", "no database", "a page overwritten", "cut off", "another version", "no tables", "a folder"])
  func anIndexThatIsNoneIsMadeAnew(damage: String) throws {
    let shelf = try Shelf()
    for number in 0..<6 { try shelf.run("run-\(number)", heldOut: Double(number)) }
    #expect(try shelf.index().change.read == 6)
    var bytes = try Files.read(shelf.file)
    try #require(bytes.count > 16384)
    try Files.remove(shelf.file)
    switch damage {
    case "lost": bytes = []
    case "no database": bytes = Array("not a database, but long enough to be taken for one by its size".utf8)
    case "a page overwritten": for at in 4096..<8192 { bytes[at] = 0xA5 }
    case "cut off": bytes.removeLast(bytes.count / 2)
    case "another version": bytes[63] = 99  // user_version, big-endian at 60
    // Empty pages under the right version.
    case "no tables": bytes = Array(bytes[..<100]) + [13] + Array(repeating: 0, count: 4 + 3) + Array(repeating: 0, count: 4096 - 108)
    default: try Files.makeFolder(shelf.file + "/x")
    }
    if !bytes.isEmpty, damage != "a folder" { try bytes.withUnsafeBytes { try FileWriter(path: shelf.file).write($0) } }
    let again = try shelf.index()
    #expect(again.change.read == 6 && again.isKept == (damage != "a folder"), "\(again.change)")
    #expect(try again.find(query { $0.conditions = try! RunIndex.Condition.read("held_out.loss < 2") }).count == 2)
  }

  @Test func anIndexInUseIsNotTakenAway() throws {
    let shelf = try Shelf()
    try shelf.run("a")
    let first = try shelf.index()
    // Somebody has the folder open: the second one works without the file, and the file stays.
    let second = try shelf.index(anew: true)
    #expect(!second.isKept && second.change.read == 1)
    #expect(try second.find().count == 1 && first.find().count == 1 && first.isKept)
  }

  /// Many at once, some of whom throw the index away, while runs come and go.
  @Test func manyAtOnceDoNotBreakIt() async throws {
    let shelf = try Shelf()
    for number in 0..<10 { try shelf.run("run-\(number)") }
    try await withThrowingTaskGroup(of: Int.self) { group in
      for task in 0..<12 {
        group.addTask {
          var found = 0
          for round in 0..<4 {
            let index = try RunIndex(of: shelf.root, anew: task % 4 == 0 && round % 3 == 0, waiting: 0.1)
            found = try index.find().count
            if task == 1 { try shelf.run("late-\(round)") }
          }
          return found
        }
      }
      for try await found in group { #expect((10...14).contains(found)) }
    }
    let index = try shelf.index()
    #expect(try index.find().count == 14 && index.change.broken == [] && index.isKept)
    #expect(try Files.list(shelf.root).filter { $0.hasPrefix(".") } == [RunIndex.name])
  }

  @Test func aLinkThatLeadsBackIsFollowedOnce() throws {
    let shelf = try Shelf()
    try shelf.run("a/b")
    try FileManager.default.createSymbolicLink(atPath: shelf.root + "/a/up", withDestinationPath: "..")
    #expect(try shelf.index().find().map(\.path) == ["a/b"])
  }
}
