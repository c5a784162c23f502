internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
internal import HoldfastRecords
internal import HoldfastTokenizers
public import HoldfastTraining

/// Looks for the layers and modules whose training teaches a domain at the least cost to what the model knew (CoFiTune's
/// coarse level, Zhang et al. 2024, arXiv 2404.10306).
///
/// Every node is an ordinary run by `freezing`, in a folder of its own below `runs/`. A finished one holds `result.json` and is
/// never run again, so a search that was killed goes on where it stood. Data is read once, the base is measured once, and
/// nodes that come to the same parameters share a run.
public struct RegionSearch {
  /// What happens, for whoever shows it.
  public enum Event: Sendable {
    case measured(base: SearchScores)
    /// `isKnown`: its result was there already.
    case running(SearchNode, level: Int, steps: Int, isKnown: Bool)
    case visited(VisitedNode, cost: Double)
    case measuredInFull(FullRun)
    case reading(String)
  }

  /// A region that was trained for the run's full length.
  public struct FullRun: Sendable {
    public let name: String
    public let scores: SearchScores
    public let specialityShare: Double
    public let versatilityShare: Double
    public let trainedFraction: Double
    /// Folder of the model.
    public let folder: String
    public var uni: Double { (specialityShare + versatilityShare) / 2 }
  }

  /// Log-probability of right answers behind each layer of one model, nats a token.
  public struct Lens: Sendable {
    public let name: String
    public let speciality: [Estimate]
    public let versatility: [Estimate]
  }

  /// All that the search found.
  public struct Result: Sendable {
    public let base: SearchScores
    public let visited: [VisitedNode]
    /// Index of the best.
    public let chosen: Int
    /// Best first, full tuning last; empty where every node was run in full.
    public let full: [FullRun]
    public let lenses: [Lens]
    /// Runs that were made, those of earlier attempts included.
    public let runs: Int
    /// In runs of full length.
    public let cost: Double
    public let ending: String
    /// The recipe with the chosen region.
    public let recipe: String
    public let model: ModelFacts
    /// Share of the parameters that trains, by node.
    public let fractions: [SearchNode: Double]
  }

  public let run: PreparedRun
  public let output: String
  /// Whether every node is run in full in place of the search.
  public var isLattice = false
  public var allowOtherBits = false

  let settings: SearchRecipe
  /// What no run trains.
  let held: [Region.Module]
  let items: SearchItems
  let model: ModelFacts
  private let kept: JSON

  /// Reads the items and checks everything that can be known before the first run.
  public init(_ run: PreparedRun, output: String) throws {
    guard let settings = run.recipe.search else {
      throw Problems("search", ["the recipe has no `search:` part that names items for speciality and versatility"])
    }
    self.run = run
    self.output = output
    self.settings = settings
    model = ModelFacts(configuration: run.folder.configuration, parameters: try run.folder.configuration.parameters())
    var problems = Problems("search")
    let count = model.configuration.layerCount
    for (from, to) in SearchTree.quarters where SearchTree.span(from, to).layers(of: count).isEmpty {
      problems.add("the model has \(count) layers: \(SearchNode(layers: SearchTree.span(from, to), modules: SearchTree.both).label) holds none")
    }
    let reserved = settings.finalists + settings.controls + 1
    let least = 1 + SearchTree.first.count + reserved
    let cost = Double(1 + SearchTree.first.count) * settings.probeBudget + Double(reserved)
    if least > settings.maxRuns {
      problems.add("max_runs is \(settings.maxRuns), but the first level, full tuning and \(settings.finalists) finalist take \(least)")
    }
    if cost > settings.budget {
      problems.add("budget is \(settings.budget) full runs, but the first level, full tuning and \(settings.finalists) finalist take \(cost)")
    }
    if run.recipe.methods.contains(where: { $0.name == Freezing.name }) {
      problems.add("the recipe's method already freezes a region; leave that to the search")
    }
    if run.recipe.adapter != nil { problems.add("a region is a part of the model's own weights, which stay as they are beside an adapter: take the adapter out") }
    if Int((settings.probeBudget * Double(run.steps)).rounded()) < 1 { problems.add("probe_budget of \(run.steps) steps is less than one") }
    held = settings.hold.compactMap { word in
      let outside = [Region.Module.norms, .embeddings, .head, .finalNorm]
      if let module = Region.Module(rawValue: word), outside.contains(module) { return module }
      problems.add("hold: \(word) is none of \(outside.map(\.rawValue).joined(separator: ", ")); among attention and MLP the search chooses itself")
      return nil
    }
    do throws(Problems) {
      if !held.isEmpty { _ = try Region(modules: [], held: held).parameters(of: model) }
    } catch {
      for complaint in error.complaints { problems.add(complaint) }
    }
    try problems.check()
    items = try SearchItems(settings)
    var recipe = run.recipe.resolved
    for key in ["output", "data_cache", "threads", "report_every", "checkpoint", "artifacts"] { recipe[key] = nil }
    let suites = Set((settings.speciality + settings.versatility).map(\.path)).sorted()
    let files = try run.dataFacts() + run.modelFacts() + suites.map { try FileFact(of: $0) }
    kept = ["format": 1, "recipe": .object(recipe), "files": .array(files.map { .string($0.sha256) })]
  }

  /// Full runs that come after the walk.
  private var reserved: Int { settings.finalists + settings.controls + 1 }

  private var probeSteps: Int { max(1, Int((settings.probeBudget * Double(run.steps)).rounded())) }

  /// Searches; nil where the observer asked to stop. Called again it goes on, and repeats no finished run.
  public func search(surroundings: Surroundings, observer: any RunObserver, onEvent: (Event) throws -> Void) throws -> Result? {
    try begin()
    try Torch.setThreads(run.recipe.threads ?? surroundings.cores)
    let work = SearchRuns(search: self, surroundings: surroundings, observer: observer)
    let base = try work.base()
    try onEvent(.measured(base: base))

    var walk = TreeWalk(dv: settings.dv, es: settings.es, base: base), log = SearchLog(path: output + "/search.jsonl")
    let steps = isLattice ? run.steps : probeSteps
    func measure(_ node: SearchNode, _ level: Int) throws -> SearchScores? {
      try onEvent(.running(node, level: level, steps: steps, isKnown: work.knows(node, steps: steps)))
      return try work.scores(of: node, steps: steps, keepsModel: false)
    }
    func note(_ visited: VisitedNode) throws {
      try log.add(visited, cost: work.cost, fraction: work.fraction(of: visited.node), seconds: work.seconds(of: visited.node, steps: steps))
      try onEvent(.visited(visited, cost: work.cost))
    }
    let isDone =
      try isLattice ? walk.runAll(measure: measure, onVisit: note)
      : walk.run(affords: { count in
        work.runs + count + reserved <= settings.maxRuns
          && work.cost + Double(count) * settings.probeBudget + Double(reserved) <= settings.budget + 1e-9
      }, measure: measure, onVisit: note)
    guard isDone else { return nil }

    var full: [FullRun] = [], lenses: [Lens] = []
    if !isLattice {
      let finalists = walk.ranking.map { walk.visited[$0].node }.filter { !$0.isWhole }.prefix(settings.finalists)
      guard let reference = try work.scores(of: .whole, steps: run.steps, keepsModel: true) else { return nil }
      for node in finalists + [.whole] {
        try onEvent(.running(node, level: 0, steps: run.steps, isKnown: work.knows(node, steps: run.steps)))
        guard let scores = try work.scores(of: node, steps: run.steps, keepsModel: true) else { return nil }
        full.append(work.full(node.label, scores, reference: reference, base: base, fraction: try work.fraction(of: node), folder: work.folder(node, run.steps)))
        try onEvent(.measuredInFull(full.last!))
      }
      let size = try finalists.first.map { try work.fraction(of: $0) } ?? 1
      var controls: [FullRun] = []
      for number in 0..<(finalists.isEmpty ? 0 : settings.controls) {
        guard let scores = try work.control(number, share: size) else { return nil }
        controls.append(work.full("random \(number + 1)", scores, reference: reference, base: base, fraction: size, folder: work.controlFolder(number)))
        try onEvent(.measuredInFull(controls.last!))
      }
      full = full.dropLast().sorted { $0.uni > $1.uni } + full.suffix(1) + controls
      let everything = full.count - controls.count - 1
      try onEvent(.reading("what each layer says of the answers, before and after"))
      lenses.append(try work.lens("base", run.folder.path))
      lenses.append(try work.lens(full[0].name, full[0].folder))
      if everything > 0 { lenses.append(try work.lens("everything", full[everything].folder)) }
    }
    // What was run in full decides over what was probed.
    let chosen = full.filter { run in walk.visited.contains { $0.node.label == run.name } }.max { ($0.uni, -$0.trainedFraction) < ($1.uni, -$1.trainedFraction) }
      .flatMap { best in walk.visited.firstIndex { $0.node.label == best.name } } ?? walk.best
    let recipe = output + "/chosen.yaml"
    try Files.writeAtomically(try chosenRecipe(walk.visited[chosen].node).yaml, to: recipe)
    try writeResult(walk, chosen, full, work)
    return Result(
      base: base, visited: walk.visited, chosen: chosen, full: full, lenses: lenses, runs: work.runs, cost: work.cost, ending: walk.ending,
      recipe: recipe, model: model, fractions: try Dictionary(uniqueKeysWithValues: walk.visited.map { ($0.node, try work.fraction(of: $0.node)) }))
  }

  /// What was chosen, for programs.
  private func writeResult(_ walk: TreeWalk, _ chosen: Int, _ full: [FullRun], _ work: SearchRuns) throws {
    let json: JSON = [
      "chosen": .string(walk.visited[chosen].node.label), "runs": .integer(work.runs), "cost": .number(work.cost), "ending": .string(walk.ending),
      "full": .array(full.map {
        [
          "name": .string($0.name), "speciality": .number(SearchScores.mean($0.scores.speciality).value),
          "versatility": .number(SearchScores.mean($0.scores.versatility).value), "speciality_share": .number($0.specialityShare),
          "versatility_share": .number($0.versatilityShare), "uni": .number($0.uni), "trained_fraction": .number($0.trainedFraction),
        ]
      }),
    ]
    try Files.writeAtomically(json.text(.pretty) + "\n", to: output + "/result.json")
  }

  /// A folder of its own, which a later attempt finds with the same search in it.
  private func begin() throws {
    let path = output + "/search.json"
    if Files.exists(path) {
      let file = try MappedFile(path: path)
      let before = try withExtendedLifetime(file) { try file.json() }
      var problems = Problems("\(output) holds another search")
      let old = before["recipe"]?.object ?? JSONObject(), new = kept["recipe"]?.object ?? JSONObject()
      for key in old.keys + new.keys.filter({ old[$0] == nil }) where old[key] != new[key] {
        problems.add("\(key) was \(old[key]?.text(.spaced) ?? "absent"), now \(new[key]?.text(.spaced) ?? "absent")")
      }
      if problems.isEmpty, before["files"] != kept["files"] { problems.add("data, model or items have other contents than they had") }
      try problems.check()
      return
    }
    if Files.exists(output), try !Files.list(output).isEmpty {
      throw FileError(path: output, doing: "search in", code: 0, reason: "the folder is not empty and holds no search; name another output")
    }
    try Files.makeFolder(output + "/runs")
    try Files.writeAtomically(kept.text(.pretty) + "\n", to: path)
  }

  /// The recipe of a run of a node: `freezing` in the place of what chooses a region, other methods beside it.
  func recipe(_ node: SearchNode, steps: Int) throws(Problems) -> Recipe {
    try changed(node, steps: steps) { $0.name != "full" && $0.name != "cofitune" }
  }

  /// As many parameters as the winner trains, drawn at random.
  func controlRecipe(_ number: Int, share: Double) throws(Problems) -> Recipe {
    let others = run.recipe.methods.filter { $0.name != "full" && $0.name != "cofitune" }.map(\.json)
    var knobs: JSONObject = ["share": .number(share), "seed": .integer(number + 1)]
    if !held.isEmpty { knobs["hold"] = held.json }
    return try with([["random_subset": .object(knobs)]] + others, steps: run.steps)
  }

  private func chosenRecipe(_ node: SearchNode) throws(Problems) -> Recipe {
    // CoFiTune's fine level takes the region as knobs of its own.
    if !node.isWhole, let at = run.recipe.methods.firstIndex(where: { $0.name == "cofitune" }) {
      var methods = run.recipe.methods.map { $0.json }, knobs = run.recipe.methods[at].knobs
      for (key, value) in Self.knobs(node).members { knobs[key] = value }
      methods[at] = ["cofitune": .object(knobs)]
      return try with(methods, steps: nil)
    }
    return try changed(node, steps: nil) { $0.name != "full" && $0.name != "cofitune" }
  }

  /// What trains at a node: its modules, or everything that is not held.
  func parameters(of node: SearchNode) throws(Problems) -> [String] {
    if !node.isWhole { return try Region(layers: node.layers, modules: node.modules).parameters(of: model) }
    return held.isEmpty ? model.parameters.map(\.name) : try Region(modules: [], held: held).parameters(of: model)
  }

  private static func knobs(_ node: SearchNode) -> JSONObject { ["layers": node.layers.json, "modules": node.modules.json] }

  private func changed(_ node: SearchNode, steps: Int?, keeping: (MethodRecipe) -> Bool) throws(Problems) -> Recipe {
    var methods = run.recipe.methods.filter(keeping).map(\.json)
    if node.isWhole {
      if !held.isEmpty { methods.insert(["freezing": ["hold": held.json]], at: 0) }
      if methods.isEmpty { methods = ["full"] }
    } else {
      methods.insert(["freezing": .object(Self.knobs(node))], at: 0)
    }
    return try with(methods, steps: steps)
  }

  private func with(_ methods: [JSON], steps: Int?) throws(Problems) -> Recipe {
    var object = run.recipe.resolved
    object["search"] = nil
    object["output"] = nil
    object["method"] = .array(methods)
    if let steps {
      object["epochs"] = nil
      object["steps"] = .integer(steps)
    }
    return try Recipe(object, methods: tuningMethods.map { $0.keys })
  }
}
