public import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastMethods
internal import HoldfastTraining

/// What a study of the speciality–versatility frontier compares, as its YAML says it.
public struct FrontierStudy: Sendable {
  /// How the items of a task are scored.
  public enum Measuring: String, KeyChoice {
    /// Nats a label, along the whole run.
    case loss
    /// Share of items, at a run's end.
    case exactMatch = "exact_match", choice, likelihood
  }

  /// What seeds after the first repeat.
  public enum OtherSeeds: String, KeyChoice { case all, chosen }

  /// What is measured, where it decides and where it is reported.
  public struct Task: Sendable, Hashable {
    public let name: String
    /// Whether it is what tuning teaches; else what the base could do before.
    public let isNew: Bool
    public let validation: String
    public let test: String
    public let measures: [Measuring]
    /// Keys of a source of data, for the loss.
    let source: JSONObject

    func path(_ split: String) -> String { split == "test" ? test : validation }
  }

  /// How models are made of a trained one and the base.
  public enum Blend: String, KeyChoice {
    /// Wise-FT; a half of the matrices that goes back; a factor on what was moved.
    case interpolate, slerp, halfReset = "half_reset", arithmetic
  }

  /// Small experts under whom the study's model is decoded (emulated fine-tuning); `{seed}` in a path is a seed of the study.
  public struct Emulated: Sendable, Hashable {
    public var experts: [String]
    public var antiExpert: String
    /// Of the experts; empty: equal shares of 1.
    public let weights: [Double]
    /// Whether experts may come from other models than the anti-expert.
    public let allowsAnyExpert: Bool

    public func at(seed: Int) -> Emulated {
      var found = self
      found.experts = experts.map { $0.replacing("{seed}", with: "\(seed)") }
      found.antiExpert = antiExpert.replacing("{seed}", with: "\(seed)")
      return found
    }
  }

  /// One way of tuning with what is tried of it.
  public struct Method: Sendable {
    public let name: String
    /// Path of the knob that `strengths` are values of.
    public let knob: String?
    public let strengths: [Double]
    public let rates: [Double]
    /// For what comes after training: the method whose runs it takes, and what it makes of them.
    public let after: String?
    public let blend: Blend?
    /// For what trains nothing here: `strengths` are values of β.
    public let emulated: Emulated?
    /// Keys of a recipe in place of the shared ones, and sources beside the shared ones.
    let keys: JSONObject
    let added: [JSON]
    let lines: [String: Int]

    /// Whether it has no runs of its own.
    public var isAfterTraining: Bool { after != nil || emulated != nil }
  }

  public let name: String
  public let methods: [Method]
  public let seeds: [Int]
  public let otherSeeds: OtherSeeds
  public let tasks: [Task]
  public let suite: Suites?
  /// Steps between measurements of the loss.
  public let every: Int
  /// New scores at which old ones are compared, in shares of what the reference learns at most.
  public let targets: [Double]
  public let reference: String
  /// Whether losses or scores come first where both are measured.
  public let leadsWithScores: Bool
  /// Tokens of a generated answer at most, and items of a file at most.
  public let answerTokens: Int
  public let items: Int?
  /// Prompts whose answers the report shows.
  public let samples: Int
  /// Seconds after which no other point is begun.
  public let budget: Double?
  public let keepsModels: Bool
  public let points: String?
  public let output: String?
  /// Whether items of the tasks may stand in what is trained on.
  public let allowsTrainedItems: Bool
  let subject: String
  let shared: KeySource

  /// Suites that are scored at the ends of runs: the one that chooses, the one that reports, and where their paths begin.
  public struct Suites: Sendable, Hashable {
    public let validation: String
    public let test: String
    public let data: String?
  }

  public var lossTasks: [Task] { tasks.filter { $0.measures.contains(.loss) } }
  public var scoreTasks: [Task] { tasks.filter { task in task.measures.contains { $0 != .loss } } }

  /// Reads a study. Flags win over the file; `recipe.steps` is a key of its recipe.
  /// - Throws: every complaint about the study and every method's recipe, at once.
  public init(file path: String, overrides: [(key: String, value: String)] = []) throws {
    let file = try MappedFile(path: path)
    try self.init(yaml: try withExtendedLifetime(file) { try file.text() }, subject: Files.name(of: path), overrides: overrides)
  }

  public init(yaml text: String, subject: String = "study", overrides: [(key: String, value: String)] = []) throws {
    var source = try KeySource(yaml: text, subject: subject), ofRecipe: [String: (value: JSON, text: String)] = [:]
    for (key, text) in overrides {
      let path = key.replacingDashes(), value = try YAML.value(text, subject: key)
      if path.hasPrefix("recipe.") { ofRecipe[String(path.dropFirst(7))] = (value, text) } else { source.overrides[path] = (value, text) }
    }
    var object = source.object["recipe"]?.object ?? JSONObject(), lines: [String: Int] = [:], problems = Problems(subject)
    if let path = source.object["recipe"]?.string {
      object = try KeySource(file: path).object
    } else {
      for (path, line) in source.lines where path.hasPrefix("recipe.") { lines[String(path.dropFirst(7))] = line }
    }
    for key in ["learning_rate", "seed", "evaluate", "output", "stages", "search", "early_stopping", "watch", "export"] where object[key] != nil {
      problems.add("recipe.\(key): \(Self.refusals[key] ?? "the study says it")")
    }
    if (ofRecipe["initialize"]?.value ?? object["initialize"])?.string == "random" {
      problems.add("recipe.initialize: random weights know nothing that could be forgotten; a study begins with a model")
    }
    shared = KeySource(subject: subject, object: object, lines: lines, overrides: ofRecipe)
    self.subject = subject
    let (read, _, wrong) = KeyReader.attempt(source) { Keys($0, lines: source.lines) }
    for words in wrong.complaints { problems.add(words) }
    name = read.name
    methods = read.methods
    seeds = read.seeds
    otherSeeds = read.otherSeeds
    tasks = read.tasks
    suite = read.suite
    targets = read.targets
    reference = read.reference ?? methods.first?.name ?? ""
    leadsWithScores = read.leadsWithScores
    answerTokens = read.answerTokens
    items = read.items
    samples = read.samples
    budget = read.budget.map { $0 * 60 }
    keepsModels = read.keepsModels
    points = read.points
    output = read.output
    allowsTrainedItems = read.allowsTrainedItems
    // What could not be read is 0 here.
    every = max(1, read.every ?? (ofRecipe["steps"]?.value ?? object["steps"] ?? .null).int.map { $0 / 25 } ?? 50)
    var found = Problems(subject)
    check(read, &found)
    // Where a key could not be read its placeholder is missing too; that is said already.
    let unread = Set(wrong.complaints.compactMap { $0.split(separator: ":").first?.split(separator: ".").last?.prefix { $0 != "[" } })
    for words in found.complaints {
      if let end = words.firstRange(of: ": is required")?.lowerBound, let key = words[..<end].split(separator: " ").last,
        unread.contains(key) || unread.contains("recipe") && words.hasPrefix("methods: ")
      { continue }
      problems.add(words)
    }
    if !problems.isEmpty {
      // What lies behind the paths as well, so that one round of mending is enough.
      var items = Problems(subject)
      let scorer = FrontierScorer(self, &items)
      for words in try items.complaints + (allowsTrainedItems ? [] : trainedItems(among: trainingFiles(), scorer)) { problems.add(words) }
    }
    try problems.check()
  }

  /// Files that a method's runs are trained on, as far as their recipes can be read.
  private func trainingFiles() -> [String] {
    var found: [String] = []
    for method in methods where !method.isAfterTraining {
      guard let recipe = try? recipe(method, FrontierTrial(rate: 1), seed: 0) else { continue }
      for path in recipe.data.flatMap(\.paths) where !found.contains(path) { found.append(path) }
    }
    return found
  }

  /// What of the tasks' and the suites' items stands in these files of training data.
  func trainedItems(among files: [String], _ scorer: FrontierScorer) throws -> [String] {
    func readable(_ paths: [String]) -> [String] { paths.filter { Files.exists($0) && !Files.isFolder($0) } }
    return try FrontierOverlap.complaints(items: readable(tasks.flatMap { [$0.validation, $0.test] }), training: readable(files))
      + scorer.overlaps(training: readable(files))
  }

  private static let refusals = [
    "learning_rate": "the study's `rates` say it", "seed": "the study's `seeds` say it", "evaluate": "the study's `new` and `old` say what is measured",
    "stages": "a study compares single runs", "search": "does not stand in a study", "early_stopping": "the study reads every run off where it reaches the targets",
    "watch": "the study's `new` and `old` say what is measured, and all methods run as long",
    "export": "models of a study are whole ones",
  ]

  /// Keys that make runs of different methods incomparable.
  private static let common = ["model", "initialize", "objective", "sequence_length", "packing"]

  private func check(_ read: Keys, _ problems: inout Problems) {
    if methods.isEmpty { problems.add("methods: is required: at least one") }
    for (index, method) in methods.enumerated() {
      if methods[..<index].contains(where: { $0.name == method.name }) { problems.add("methods: \(method.name) stands twice") }
    }
    let referenceMethod = methods.first { $0.name == reference }
    if referenceMethod == nil, !methods.isEmpty {
      problems.add("reference: there is no method \(reference)" + (nearestName(to: reference, among: methods.map(\.name)).map { "; did you mean \($0)?" } ?? ""))
    }
    if referenceMethod?.isAfterTraining == true { problems.add("reference: \(reference) trains nothing itself; name a method that does") }
    if suite == nil, !tasks.contains(where: \.isNew) { problems.add("new: is required, or a suite: what tuning teaches") }
    if suite == nil, !tasks.contains(where: { !$0.isNew }) { problems.add("old: is required, or a suite: what the base could do before") }
    for (index, task) in tasks.enumerated() where tasks[..<index].contains(where: { $0.name == task.name }) {
      problems.add("new, old: \(task.name) stands twice")
    }
    if suite != nil, !scoreTasks.isEmpty { problems.add("suite: stands beside losses of new and old; it has their scores: \(scoreTasks.map(\.name).joined(separator: ", ")) measures one itself") }
    for (kind, list) in [("loss", lossTasks), ("score", suite == nil ? scoreTasks : [])] where !list.isEmpty && Set(list.map(\.isNew)).count == 1 {
      problems.add("new, old: every \(kind) stands on one side, \(list.map(\.name).joined(separator: ", ")); it needs a task of the other to be compared with")
    }
    if otherSeeds == .chosen, lossTasks.isEmpty { problems.add("other_seeds: chosen is by losses, along the run, and no task measures one") }
    if otherSeeds == .chosen, !scoreTasks.isEmpty || suite != nil { problems.add("other_seeds: chosen leaves scores with one seed, since they are read over all rates; take all") }
    if Set(seeds).count != seeds.count { problems.add("seeds: one stands twice") }
    var missing: [String] = []
    for method in methods {
      let place = "methods: \(method.name)"
      for key in Self.common where method.keys[key] != nil { problems.add("\(place): \(key) is the recipe's, or the methods cannot be compared") }
      for (key, words) in Self.refusals where method.keys[key] != nil { problems.add("\(place): \(key): \(words)") }
      if let emulated = method.emulated {
        if method.strengths.isEmpty { problems.add("\(place): strengths: is required: values of β, how strongly the experts act") }
        if method.strengths.contains(where: { !($0 > 0 && $0.isFinite) }) { problems.add("\(place): strengths: lie above 0, which is the base and there already") }
        if emulated.experts.isEmpty { problems.add("\(place): emulate.experts: is required: at least one") }
        if !emulated.weights.isEmpty, emulated.weights.count != emulated.experts.count {
          problems.add("\(place): emulate.weights: there are \(emulated.weights.count) for \(emulated.experts.count) experts")
        }
        if method.after != nil || method.knob != nil { problems.add("\(place): emulate stands alone: after, blend and knob are of trained methods") }
        if !method.keys.isEmpty || !method.added.isEmpty { problems.add("\(place): \((method.keys.keys + (method.added.isEmpty ? [] : ["add_data"])).joined(separator: ", ")): nothing is trained here") }
        for of in seeds.map(emulated.at) {
          for path in of.experts + [of.antiExpert] where !path.isEmpty && !Files.exists(path) && !missing.contains(path) { missing.append(path) }
        }
        continue
      }
      if let after = method.after {
        guard let parent = methods.first(where: { $0.name == after }) else {
          problems.add("\(place): after: there is no method \(after)" + (nearestName(to: after, among: methods.map(\.name)).map { "; did you mean \($0)?" } ?? ""))
          continue
        }
        if parent.isAfterTraining { problems.add("\(place): after: \(after) is not trained itself") }
        if parent.keys["adapter"] != nil || shared.object["adapter"] != nil { problems.add("\(place): after: \(after) trains an adapter; blends are of whole models") }
        if method.strengths.isEmpty { problems.add("\(place): strengths: is required: how far from the base (0) to the tuned model (1)") }
        if method.strengths.contains(where: { $0 <= 0 || $0 >= 1 }) { problems.add("\(place): strengths: lie between 0, the base, and 1, the tuned model, which are there already") }
        if method.knob != nil { problems.add("\(place): knob: is of trained methods; strengths are of the blend") }
        let unread = method.keys.keys + (method.added.isEmpty ? [] : ["add_data"])
        if !unread.isEmpty { problems.add("\(place): \(unread.joined(separator: ", ")): nothing is trained after training") }
        continue
      }
      if method.rates.isEmpty {
        problems.add("\(place): rates: is required, here or for all: the learning rates to try")
      } else if Set(method.rates).count < 3, !read.allowsFewRates {
        problems.add("\(place): rates: \(method.rates.count == 1 ? "one" : "two") of at least three; a method is as good as its best rate, and one is easily hit or missed (few_rates: true says that it is meant so)")
      }
      if method.strengths.isEmpty == (method.knob != nil) { problems.add("\(place): knob and strengths stand together: which knob takes these values") }
    }
    let trained = methods.filter { !$0.isAfterTraining }
    let counts = trained.map { FrontierTrial.grid(strengths: $0.strengths, rates: $0.rates).count }
    if Set(counts).count > 1, !read.allowsUnequalTrials {
      let words = zip(trained, counts).map { "\($0.name) \($1)" }.joined(separator: ", ")
      problems.add("methods: unequal trials (\(words)); who tries more often finds better (unequal_trials: true says that it is meant so)")
    }
    for task in tasks {
      if task.validation == task.test, !task.test.isEmpty { problems.add("\(task.name): validation and test are one file, \(task.test); what chooses cannot judge") }
      for path in [task.validation, task.test] where !path.isEmpty && !missing.contains(path) {
        if !Files.exists(path) { missing.append(path) } else if task.measures.contains(.loss), Self.isEmpty(path) { problems.add("\(task.name): \(path) has no rows") }
      }
    }
    var said: Set<String> = []
    for method in trained where !method.rates.isEmpty {
      do throws(Problems) {
        let recipe = try recipe(method, FrontierTrial.grid(strengths: method.strengths, rates: method.rates)[0], seed: seeds.first ?? 0)
        for path in FrontierIdentity.paths(recipe.resolved) where !Files.exists(path) && !path.contains("*") && !missing.contains(path) { missing.append(path) }
        if recipe.objective == .dpo, !lossTasks.isEmpty, said.insert("dpo").inserted {
          problems.add("recipe: under dpo the loss of new and old is that of pairs, which begins anew with each model; measure scores")
        }
      } catch {
        for words in error.complaints where said.insert(words).inserted { problems.add("methods: \(method.name): \(words)") }
      }
    }
    for path in missing { problems.add("\(path): no such file") }
  }

  private static func isEmpty(_ path: String) -> Bool {
    var rows = Rows([path])
    return (try? rows.next()) == nil
  }

  /// The recipe of a run.
  func recipe(_ method: Method, _ trial: FrontierTrial, seed: Int) throws(Problems) -> Recipe {
    var object = shared.object, lines = shared.lines, overrides = shared.overrides
    for (key, value) in method.keys.members {
      object[key] = value
      for path in Array(lines.keys) where path == key || path.hasPrefix(key + ".") || path.hasPrefix(key + "[") { lines[path] = nil }
      if key == "steps" { object["epochs"] = nil }
      if key == "epochs" { object["steps"] = nil }
    }
    lines.merge(method.lines) { $1 }
    if !method.added.isEmpty {
      let data = object["data"]
      object["data"] = .array((data?.array ?? data.map { [$0] } ?? []) + method.added)
    }
    object["learning_rate"] = .number(trial.rate ?? 1)
    object["seed"] = .integer(seed)
    if !lossTasks.isEmpty {
      let sources: [JSON] = ["validation", "test"].flatMap { split in
        lossTasks.map { task in
          var source = task.source
          source["path"] = .string(task.path(split))
          source["name"] = .string("\(split).\(task.name)")
          return JSON.object(source)
        }
      }
      object["evaluate"] = ["data": .array(sources), "every": .integer(every)]
    }
    if let knob = method.knob, let strength = trial.strength {
      let path = knob.contains(".") ? knob : "method.\(Self.methodName(object["method"]) ?? "full").\(knob)"
      let whole = Int(exactly: strength)
      overrides[path] = (whole.map { .integer($0) } ?? .number(strength), FrontierTrial.text(strength))
    }
    return try Recipe(KeySource(subject: subject, object: object, lines: lines, overrides: overrides), methods: tuningMethods.map { $0.keys })
  }

  /// The one method of a recipe; nil where there are several.
  private static func methodName(_ json: JSON?) -> String? {
    switch json {
    case .string(let name): name
    case .object(let object) where object.count == 1: object.keys[0]
    case .array(let list) where list.count == 1: methodName(list[0])
    default: nil
    }
  }
}
