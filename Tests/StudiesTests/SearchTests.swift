import HoldfastBasics
import HoldfastDatasets
import HoldfastEvaluation
import HoldfastMethods
import HoldfastRecords
import HoldfastStudies
import HoldfastTraining
import Testing

/// The walk over the tree by made-up scores.
struct TreeWalkTests {
  private func scores(_ speciality: Double, _ versatility: Double) -> SearchScores {
    // Two values around the mean: an error of 0.01 that cancels in differences between nodes.
    func file(_ mean: Double) -> [SearchScores.File] { [.init(name: "f", values: [mean - 0.01, mean + 0.01])] }
    return SearchScores(speciality: file(speciality), versatility: file(versatility))
  }

  private func walk(dv: Double = 1, es: Double = 0.03, affords: (Int) -> Bool = { _ in true }, _ score: (SearchNode) -> (Double, Double)) throws -> TreeWalk {
    var walk = TreeWalk(dv: dv, es: es, base: scores(0.1, 0.8)), asked: [SearchNode] = []
    let isDone = try walk.run(
      affords: affords,
      measure: { node, _ in
        asked.append(node)
        let (s, v) = score(node)
        return scores(s, v)
      }, onVisit: { _ in })
    #expect(isDone && asked == walk.visited.map(\.node))
    return walk
  }

  /// How many quarters and parts of modules a node trains, and whether the planted ones are among them.
  private func holds(_ node: SearchNode) -> (isPlanted: Bool, size: Double) {
    guard !node.isWhole, case .share(let from, let to) = node.layers else { return (true, 30) }
    let parts = node.modules.reduce(0.0) { $0 + ($1 == .mlp ? 3 : $1 == .attention ? 4 : 1) }
    let hasDown = node.modules.contains(.mlp) || node.modules.contains(.down)
    return (from <= 0.25 && to >= 0.5 && hasDown, (to - from) * 4 * parts)
  }

  @Test func itNarrowsDownToThePlantedMatrix() throws {
    let found = try walk { node in
      let (isPlanted, size) = holds(node)
      return (isPlanted ? 0.6 : 0.2, 0.8 - 0.01 * size)
    }
    #expect(found.visited[found.best].node == SearchNode(layers: .share(from: 0.25, to: 0.5), modules: [.down]))
    #expect(found.visited.map(\.level) == [0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4])
    #expect(found.ending.hasSuffix("is a leaf"))
    // (0.6 − 0.1) / (0.6 − 0.1) and 0.79 / 0.8.
    let best = found.visited[found.best]
    #expect(abs(best.specialityShare - 1) < 1e-12 && abs(best.versatilityShare - 0.79 / 0.8) < 1e-12)
    #expect(abs(best.uni - (best.specialityShare + best.versatilityShare) / 2) < 1e-15)
  }

  @Test func thresholdsDecideWhereItEnds() throws {
    // Nobody keeps the speciality: the whole model is best and nothing is expanded.
    let none = try walk { $0.isWhole ? (0.6, 0.5) : (0.3, 0.52) }
    #expect(none.visited.count == 4 && none.best == 0 && none.ending.contains("level 1"), "\(none.ending)")
    #expect(none.visited[1].verdict.hasPrefix("speciality"))
    // A wider es lets them pass; the gain over the parent then has to be there too.
    #expect(try walk(es: 0.6) { $0.isWhole ? (0.6, 0.5) : (0.3, 0.52) }.visited.count == 11)
    let flat = try walk { $0.isWhole ? (0.6, 0.5) : (0.6, 0.49) }
    #expect(flat.visited.count == 4 && flat.visited[1].verdict.hasPrefix("versatility"))
  }

  @Test func theBudgetEndsIt() throws {
    var left = 2
    let ended = try walk(affords: { _ in
      left -= 1
      return left >= 0
    }) { node in (0.6, 0.8 - 0.01 * holds(node).size) }
    #expect(ended.visited.count == 6 && ended.ending.contains("budget"), "\(ended.ending)")
  }

  @Test func referencesThatSayNothingAreRefused() {
    #expect(throws: Problems.self) { try walk { _ in (0.1, 0.5) } }
  }

  @Test func theLatticeHoldsEveryNodeOnce() {
    let all = SearchTree.lattice
    #expect(all.count == 40 && Set(all).count == 40)
    #expect(all.count { SearchTree.children(of: $0).isEmpty } == 24)
  }
}

/// Whole searches on the model that comes with Holdfast.
@Suite(.serialized) struct RegionSearchTests {
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

  private func prepared(_ folder: String, _ knobs: JSONObject = JSONObject(), method: JSON = "full") throws -> PreparedRun {
    let world = LittleWorld()
    try Files.makeFolder(folder)
    try Files.writeAtomically(world.jsonl(.clinic, .train, count: 200), to: folder + "/clinic.jsonl")
    for family in [LittleWorld.Family.clinic, .sums, .facts] {
      try Files.writeAtomically(world.jsonl(family, .test, count: 12), to: "\(folder)/\(family.rawValue).test.jsonl")
    }
    var search: JSONObject = [
      "speciality": [["path": .string(folder + "/clinic.test.jsonl"), "measure": "likelihood"]],
      "versatility": [
        ["path": .string(folder + "/sums.test.jsonl"), "measure": "likelihood"], ["path": .string(folder + "/facts.test.jsonl"), "measure": "likelihood"],
      ],
      "probe_budget": 0.25, "budget": 9, "dv": -100, "es": 1,
    ]
    for (key, value) in knobs.members { search[key] = value }
    let recipe = try Recipe([
      "model": .string(Self.root + "/World/base"), "data": [["path": .string(folder + "/clinic.jsonl"), "format": "prompt_completion"]],
      "sequence_length": 64, "batch": 4, "steps": 8, "learning_rate": 2e-3, "schedule": "constant", "threads": 1, "method": method, "search": .object(search),
    ], methods: tuningMethods.map { $0.keys })
    return try PreparedRun(recipe, methods: tuningMethods) { _ in nil }
  }

  @Test func aStoppedSearchGoesOnAndRepeatsNothing() throws {
    let folder = Self.root + "/.build/search-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    let run = try prepared(folder)
    let whole = Observer()
    let result = try #require(try RegionSearch(run, output: folder + "/a").search(surroundings: surroundings, observer: whole) { _ in })
    // The whole tree: eleven probes of two steps, then the best region and full tuning in eight.
    #expect(result.visited.count == 11 && result.runs == 13 && whole.began == 13 && whole.steps == 11 * 2 + 2 * 8)
    #expect(abs(result.cost - (11 * 0.25 + 2)) < 1e-12)
    #expect(result.full.count == 2 && result.full[1].name == "everything" && result.lenses.count == 3)
    #expect(result.lenses.allSatisfy { $0.speciality.count == 5 && $0.versatility.count == 5 })
    let log = try MappedFile(path: folder + "/a/search.jsonl").text().split(separator: "\n").map { try JSON(text: String($0)) }
    #expect(log.count == 11 && log[0]["node"] == "everything" && log[10]["level"] == 4)
    // Probes leave their scores and no weights.
    let probes = try Files.list(folder + "/a/runs").filter { $0.hasSuffix("-2-steps") }
    #expect(probes.count == 11 && probes.allSatisfy { !Files.exists("\(folder)/a/runs/\($0)/final") })
    let chosen = try Recipe(file: result.recipe, methods: tuningMethods.map { $0.keys })
    #expect(chosen.search == nil && chosen.duration == .steps(8))
    // The better one of the two full runs.
    let winner = result.visited[result.chosen].node
    #expect(winner.label == (result.full[0].uni > result.full[1].uni ? result.full[0].name : "everything"))
    if winner.isWhole {
      #expect(chosen.methods.map(\.name) == ["full"])
    } else {
      #expect(chosen.methods[0].name == "freezing" && chosen.methods[0].knobs["modules"] == winner.modules.json)
    }

    // Stopped in the middle of the fourth probe, and again in the middle of a full run.
    var steps = 0, began = 0
    for limit in [7, 20] {
      let stopped = Observer()
      stopped.limit = limit
      #expect(try RegionSearch(run, output: folder + "/b").search(surroundings: surroundings, observer: stopped) { _ in } == nil)
      steps += stopped.steps
      began += stopped.began
    }
    let last = Observer()
    let again = try #require(try RegionSearch(run, output: folder + "/b").search(surroundings: surroundings, observer: last) { _ in })
    #expect(steps + last.steps == whole.steps && began + last.began == whole.began + 2)
    #expect(try MappedFile(path: folder + "/b/search.jsonl").text() == MappedFile(path: folder + "/a/search.jsonl").text())
    #expect(again.visited == result.visited && again.full.map(\.scores) == result.full.map(\.scores))
    // Once more: nothing is left to do.
    let idle = Observer()
    _ = try RegionSearch(run, output: folder + "/b").search(surroundings: surroundings, observer: idle) { _ in }
    #expect(idle.began == 0)
    // Another search does not go on in its folder.
    #expect(throws: Problems.self) {
      try RegionSearch(prepared(folder, ["es": 0.5]), output: folder + "/b").search(surroundings: surroundings, observer: idle) { _ in }
    }
  }

  /// With a method that must know something first: one pass for all runs. What is held trains in none of them.
  @Test func methodsWithPreparationsAndHeldModules() throws {
    let folder = Self.root + "/.build/search-hold-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    let knobs: JSONObject = ["hold": ["embeddings", "norms", "final_norm"], "controls": 1, "budget": 10]
    let run = try prepared(folder, knobs, method: ["ewc": ["lambda": 1, "data": .string(folder + "/clinic.jsonl"), "examples": 4, "length": 32]])
    let result = try #require(try RegionSearch(run, output: folder + "/a").search(surroundings: surroundings, observer: Observer()) { _ in })
    #expect(try Files.list(folder + "/a/runs/artifacts").count { $0.hasPrefix("fisher") && !$0.contains(".") } == 1)
    #expect(result.full.map(\.name).suffix(2) == ["everything", "random 1"])
    for name in ["everything-2-steps", "everything-8-steps", "random-1-8-steps"] {
      let parts = try Manifest(file: "\(folder)/a/runs/\(name)/manifest.json").trained
      #expect(parts.filter { !$0.part.hasPrefix("layer") }.allSatisfy { $0.trained == 0 }, "\(name)")
    }
    let whole = try Manifest(file: folder + "/a/runs/everything-8-steps/manifest.json")
    // 4 layers of q and o (128²), k and v (64 · 128), gate, up and down (384 · 128).
    let count = whole.trained.map(\.trained).reduce(0, +), matrices = 2 * 128 * 128 + 2 * 64 * 128 + 3 * 384 * 128
    #expect(count == 4 * matrices)
    #expect(whole.recipe["method"]?.array?.first?["freezing"]?["hold"] == ["embeddings", "norms", "final_norm"])
    #expect(result.fractions[.whole]! < 0.95)
  }

  @Test func badSearchesAreRefusedBeforeTheyRun() throws {
    let folder = Self.root + "/.build/search-bad-test"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    func complaints(_ knobs: JSONObject) throws -> [String] {
      do {
        _ = try RegionSearch(prepared(folder, knobs), output: folder + "/x")
        return []
      } catch let problems as Problems { return problems.complaints }
    }
    #expect(try complaints(["max_runs": 5]).first?.contains("take 6") == true)
    #expect(try complaints(["budget": 2.5]).first?.contains("take 3.0") == true)
    #expect(try complaints(["probe_budget": 0.01]).first?.contains("less than one") == true)
    #expect(try complaints(["speciality": .string(folder + "/nowhere.jsonl")]).first?.contains("nowhere.jsonl") == true)
    #expect(try complaints(["hold": ["mlp"]]).first?.contains("the search chooses itself") == true)
    #expect(try complaints(["hold": ["head"]]).first?.contains("the head is the embedding") == true)
    #expect(!Files.exists(folder + "/x"))
    #expect(throws: Problems.self) { try prepared(folder, ["versatility": nil]) }
  }
}
