internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
internal import HoldfastRecords
internal import HoldfastTokenizers
internal import HoldfastTraining

/// The runs of a search: each at most once, whoever asks for it and how often.
final class SearchRuns {
  private let search: RegionSearch
  private let surroundings: Surroundings
  private let observer: any RunObserver
  /// By parameters and steps.
  private var known: [Key: (scores: SearchScores, folder: String, seconds: Double)] = [:]
  private(set) var runs = 0
  /// In runs of full length.
  private(set) var cost = 0.0

  private struct Key: Hashable {
    let parameters: [String]
    let steps: Int
  }

  init(search: RegionSearch, surroundings: Surroundings, observer: any RunObserver) {
    self.search = search
    self.surroundings = surroundings
    self.observer = observer
  }

  /// The base model's scores, measured once.
  func base() throws -> SearchScores {
    let path = search.output + "/base.json"
    if let found = try finished(path) { return found.scores }
    let scores = try measure(search.run.folder.path)
    try Files.writeAtomically(scores.json.text() + "\n", to: path)
    return scores
  }

  func knows(_ node: SearchNode, steps: Int) throws -> Bool {
    try known[key(node, steps)] != nil || Files.exists(folder(node, steps) + "/result.json")
  }

  /// A node's scores after so many steps; nil where the observer asked to stop.
  func scores(of node: SearchNode, steps: Int, keepsModel: Bool) throws -> SearchScores? {
    try scores(key(node, steps), in: folder(node, steps), keepsModel: keepsModel) { try self.search.recipe(node, steps: steps) }
  }

  /// A random region of that size, trained in full.
  func control(_ number: Int, share: Double) throws -> SearchScores? {
    try scores(Key(parameters: ["random \(number)"], steps: search.run.steps), in: controlFolder(number), keepsModel: true) {
      try self.search.controlRecipe(number, share: share)
    }
  }

  func controlFolder(_ number: Int) -> String { "\(search.output)/runs/random-\(number + 1)-\(search.run.steps)-steps" }

  private func scores(_ key: Key, in folder: String, keepsModel: Bool, _ recipe: () throws -> Recipe) throws -> SearchScores? {
    let steps = key.steps
    if let found = known[key] { return found.scores }
    let result = folder + "/result.json"
    var seconds = 0.0, scores: SearchScores
    if let found = try finished(result), !keepsModel || Files.exists(folder + "/final") {
      (scores, seconds) = found
    } else {
      let began = surroundings.now()
      guard try train(recipe(), in: folder) else { return nil }
      scores = try measure(folder + "/final")
      seconds = surroundings.now() - began
      var json = scores.json.object ?? JSONObject()
      json["seconds"] = .number(seconds)
      try Files.writeAtomically(JSON.object(json).text() + "\n", to: result)
    }
    if !keepsModel, search.isLattice || steps < search.run.steps {
      // A probe is its scores; its weights are wanted by nobody and would fill the disk.
      try Files.remove(folder + "/final")
      try Files.remove(folder + "/checkpoints")
    }
    known[key] = (scores, folder, seconds)
    runs += 1
    cost += Double(steps) / Double(search.run.steps)
    return scores
  }

  private func train(_ recipe: Recipe, in folder: String) throws -> Bool {
    let run = try search.run.with(recipe)
    let result: RunResult
    if Files.exists(folder + "/manifest.json") {
      result = try Trainer.resume(
        run, in: folder, allowOtherBits: search.allowOtherBits, surroundings: surroundings, observer: observer)
    } else {
      // What a kill left before the run had begun.
      try Files.remove(folder)
      result = try Trainer.start(run, in: folder, surroundings: surroundings, observer: observer)
    }
    return result.end != .interrupted
  }

  private func measure(_ folder: String) throws -> SearchScores {
    let evaluator = try Evaluator(model: ModelFolder(folder).load(), tokenizer: Tokenizer(folder: folder))
    return try search.items.scores(of: evaluator)
  }

  func lens(_ name: String, _ folder: String) throws -> RegionSearch.Lens {
    let evaluator = try Evaluator(model: ModelFolder(folder).load(), tokenizer: Tokenizer(folder: folder))
    return RegionSearch.Lens(
      name: name, speciality: try evaluator.logitLens(search.items.speciality.flatMap(\.items)),
      versatility: try evaluator.logitLens(search.items.versatility.flatMap(\.items)))
  }

  func full(
    _ name: String, _ scores: SearchScores, reference: SearchScores, base: SearchScores, fraction: Double, folder: String
  ) -> RegionSearch.FullRun {
    let before = SearchScores.mean(base.speciality).value
    return RegionSearch.FullRun(
      name: name, scores: scores,
      specialityShare: (SearchScores.mean(scores.speciality).value - before) / (SearchScores.mean(reference.speciality).value - before),
      versatilityShare: SearchScores.mean(scores.versatility).value / SearchScores.mean(base.versatility).value,
      trainedFraction: fraction, folder: folder + "/final")
  }

  /// Share of the parameters that trains.
  func fraction(of node: SearchNode) throws -> Double {
    let names = Set(try search.parameters(of: node))
    return Double(search.model.parameters.reduce(0) { $0 + (names.contains($1.name) ? $1.count : 0) }) / Double(search.model.count)
  }

  func seconds(of node: SearchNode, steps: Int) throws -> Double { try known[key(node, steps)]?.seconds ?? 0 }

  private func key(_ node: SearchNode, _ steps: Int) throws(Problems) -> Key { Key(parameters: try search.parameters(of: node), steps: steps) }

  func folder(_ node: SearchNode, _ steps: Int) -> String { "\(search.output)/runs/\(node.slug)-\(steps)-steps" }

  private func finished(_ path: String) throws -> (scores: SearchScores, seconds: Double)? {
    guard Files.exists(path) else { return nil }
    let file = try MappedFile(path: path)
    let json = try withExtendedLifetime(file) { try file.json() }
    guard let scores = SearchScores(json) else { throw Problems(path, ["holds no scores; remove the folder and it is run again"]) }
    return (scores, json["seconds"]?.double ?? 0)
  }
}

/// Every visited node as a line of JSON; the whole file is written again with each, so that an attempt that goes on repeats no line.
struct SearchLog {
  let path: String
  private var lines = ""

  init(path: String) { self.path = path }

  mutating func add(_ visited: VisitedNode, cost: Double, fraction: Double, seconds: Double) throws {
    func estimate(_ e: Estimate) -> JSON {
      ["value": .number(e.value), "standard_error": e.standardError.map { .number($0) } ?? .null, "count": .integer(e.count)]
    }
    let line: JSON = [
      "node": .string(visited.node.label), "layers": visited.node.layers.json, "modules": visited.node.modules.json,
      "level": .integer(visited.level), "parent": visited.parent.map { .integer($0) } ?? .null, "trained_fraction": .number(fraction),
      "speciality": estimate(visited.speciality), "versatility": estimate(visited.versatility),
      "versatility_gain": visited.gain.map(estimate) ?? .null, "speciality_share": .number(visited.specialityShare),
      "versatility_share": .number(visited.versatilityShare), "uni": .number(visited.uni), "expandable": .bool(visited.isExpandable),
      "verdict": .string(visited.verdict), "cost_so_far": .number(cost), "seconds": .number(seconds),
    ]
    lines += line.text() + "\n"
    try Files.writeAtomically(lines, to: path)
  }
}
