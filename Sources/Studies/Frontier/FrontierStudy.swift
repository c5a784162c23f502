public import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastMethods
internal import HoldfastRecords
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

  /// Files that the methods' runs and the experts' are trained on, as far as their recipes can be read.
  func trainingFiles() -> [String] {
    var found: [String] = []
    func note(_ recipe: Recipe?) {
      for path in recipe?.data.flatMap(\.paths) ?? [] {
        for file in (try? SourceFiles.expand([path])) ?? [path] where !found.contains(file) { found.append(file) }
      }
    }
    for method in methods where !method.isAfterTraining { note(try? recipe(method, method.firstTrial, seed: 0)) }
    // An expert's run, and the runs that made what it began with.
    var folders = methods.compactMap(\.emulated).flatMap { of in seeds.flatMap { of.at(seed: $0).experts } }, seen: Set<String> = []
    while let folder = folders.popLast() {
      let run = Files.folder(of: folder)
      guard seen.insert(run).inserted, let manifest = try? Manifest(file: RunFolder(run).manifest),
        let recipe = try? Recipe(manifest.recipe, methods: tuningMethods.map { $0.keys })
      else { continue }
      note(recipe)
      folders += [recipe.model] + (recipe.adapter.map { $0.over + [$0.from].compactMap { $0 } } ?? [])
    }
    return found
  }

  /// What of the tasks' and the suites' items stands in these files of training data.
  func trainedItems(among files: [String], _ scorer: FrontierScorer) throws -> [String] {
    func readable(_ paths: [String]) -> [String] { paths.filter { Files.exists($0) && !Files.isFolder($0) } }
    return try FrontierOverlap.complaints(items: readable(tasks.flatMap { [$0.validation, $0.test] }), training: readable(files))
      + scorer.overlaps(training: readable(files))
  }

  static let refusals = [
    "learning_rate": "the study's `rates` say it", "seed": "the study's `seeds` say it", "evaluate": "the study's `new` and `old` say what is measured",
    "stages": "a study compares single runs", "search": "does not stand in a study", "early_stopping": "the study reads every run off where it reaches the targets",
    "watch": "the study's `new` and `old` say what is measured, and all methods run as long",
    "export": "models of a study are whole ones",
  ]

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
