internal import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
public import HoldfastRecords
internal import HoldfastTokenizers
public import HoldfastTraining

/// Trains the stages of a recipe one after another and measures every task before, between and after them.
///
/// Each stage is a run with a folder of its own, `stage-1-NAME`, over the export of the one before: optimizer and draws are
/// fresh, weights are rounded to the stored type, and what methods recorded is handed on. A stage whose scores stand is done;
/// another one goes on where its newest checkpoint is.
public struct StageSequence {
  public enum Event: Sendable {
    case measuring(String)
    /// A stage begins or goes on, over the weights in a folder.
    case training(PreparedRun, name: String, number: Int, of: Int, folder: String)
    case measured(StageMatrix)
  }

  public enum Outcome: Sendable {
    case finished(StageMatrix)
    /// The observer stopped a stage.
    case interrupted(RunResult)
  }

  public let recipe: StagedRecipe
  public let folder: String
  /// Where the first stage's model lies, if its recipe says so in another way.
  public var place: String?
  public var cache: DataCachePlace?
  public var workers = 1
  public var allowsOtherBits = false

  public static let description = "stages.json"
  public static let matrix = "matrix.json"

  public init(_ recipe: StagedRecipe, in folder: String) {
    self.recipe = recipe
    self.folder = folder
  }

  /// The recipe that a sequence's folder was begun with.
  public static func recipe(in folder: String, methods: [MethodKeys]) throws -> StagedRecipe {
    let json = try MappedFile(path: folder + "/" + description).json()
    return try StagedRecipe(json["recipe"]?.object ?? JSONObject(), subject: folder + "/" + description, methods: methods)
  }

  /// - Parameter console: watches a stage's run.
  public func run(
    surroundings: Surroundings, messages: @escaping (String) throws -> (any MessageRenderer)?, console: (PreparedRun, String) -> any RunObserver,
    onEvent: (Event) throws -> Void
  ) throws -> Outcome {
    let items = try checked(messages)
    try begin()

    var before: [ScoreRecord]?
    if recipe.stages[0].recipe.initialize == .pretrained {
      before = try scores(in: folder + "/before.json") { try onEvent(.measuring("the model before any stage")); return try measure(base, items, surroundings) }
    }
    var rows: [[ScoreRecord]] = []
    for part in try parts() {
      if !Files.exists(part.folder + "/scores.json") {
        let run = try prepared(part, messages)
        try onEvent(.training(run, name: part.stage.name, number: part.place.number + 1, of: recipe.stages.count, folder: part.folder))
        let observer = console(run, part.folder)
        let result: RunResult
        if Files.exists(part.folder + "/manifest.json") {
          result = try Trainer.resume(run, in: part.folder, allowOtherBits: allowsOtherBits, surroundings: surroundings, observer: observer)
        } else {
          try Files.remove(part.folder)
          result = try Trainer.start(run, in: part.folder, surroundings: surroundings, observer: observer)
        }
        if result.end == .interrupted { return .interrupted(result) }
      }
      rows.append(try scores(in: part.folder + "/scores.json") {
        try onEvent(.measuring("after stage \(part.place.number + 1), \(part.stage.name)"))
        return try measure(part, items, surroundings)
      })
      let matrix = matrix(before, rows)
      try Files.writeAtomically(matrix.json.text(.pretty) + "\n", to: folder + "/" + Self.matrix)
      try onEvent(.measured(matrix))
    }
    return .finished(matrix(before, rows))
  }

  /// One step of every stage over what the one before left, recorded importance included, and two items of every test; the sequence's folder,
  /// which must be free, is removed again.
  public func dryRun(
    surroundings: Surroundings, messages: @escaping (String) throws -> (any MessageRenderer)?, console: (PreparedRun, String) -> any RunObserver
  ) throws {
    let items = try checked(messages).mapValues { Array($0.prefix(2)) }
    try begin()
    defer { try? Files.remove(folder) }
    for part in try parts() {
      let run = try prepared(part, messages)
      try Trainer.dryRun(run, in: part.folder, keepsFolder: true, surroundings: surroundings, observer: console(run, part.folder))
      _ = try measure(part, items, surroundings)
    }
  }

  // MARK: - Parts

  /// A stage with its place in the sequence.
  private struct Part {
    let stage: StagedRecipe.Stage
    /// Over what the stage before leaves.
    let recipe: Recipe
    let folder: String
    /// Where the model lies that the recipe names.
    let model: String
    let place: StagePlace
  }

  private var base: String { place ?? recipe.stages[0].recipe.model }

  private func parts() throws -> [Part] {
    var parts: [Part] = []
    for (number, stage) in recipe.stages.enumerated() {
      let own = try parts.last.map { try stage.recipe(after: $0.recipe, final: $0.folder + "/final") } ?? stage.recipe
      // An adapter's model is still the first one, wherever that lies.
      let isFirst = own.model == recipe.stages[0].recipe.model
      var place = place(number)
      if let before = parts.last { (place.earlier, place.earlierData) = (before.folder, recipe.stages[number - 1].recipe.data) }
      parts.append(Part(
        stage: stage, recipe: own, folder: "\(folder)/stage-\(number + 1)-\(stage.name)", model: isFirst ? base : own.model, place: place))
    }
    return parts
  }

  private func place(_ number: Int) -> StagePlace {
    StagePlace(number: number, origin: recipe.stages[0].recipe.initialize == .pretrained ? base : nil)
  }

  /// What is wrong with any stage's data or items shows now, not after hours. Items by the names of their tests.
  private func checked(_ messages: @escaping (String) throws -> (any MessageRenderer)?) throws -> [String: [EvaluationItem]] {
    let items = try Dictionary(uniqueKeysWithValues: allTests.map { ($0.name, try read($0)) })
    for (number, stage) in recipe.stages.enumerated().dropFirst() {
      _ = try prepared(Part(stage: stage, recipe: stage.recipe, folder: "", model: base, place: place(number)), messages)
    }
    try refuseOverlap(messages)
    return items
  }

  /// General ability measured on the very text that importance was recorded on would flatter the method.
  private func refuseOverlap(_ messages: (String) throws -> (any MessageRenderer)?) throws {
    let recording = recipe.stages.filter { stage in stage.recipe.methods.contains { $0.name == PathIntegral.name } }
    let held = recipe.stages.flatMap { $0.recipe.evaluate?.data ?? [] } + recipe.general.map { DataSource(path: $0.path) }
    if recording.isEmpty || held.isEmpty { return }
    let tokenizer = try Tokenizer(folder: base)
    var check = DataCheck(
      tokenizer: tokenizer, renderer: ExampleRenderer(encoder: tokenizer, messages: try messages(base)), rowLength: nil, workers: workers)
    for source in held { try check.remember(evaluation: source) }
    var problems = Problems("stages")
    for stage in recording {
      for source in stage.recipe.data {
        let found = try check.check(source)
        if found.contaminated > 0 {
          problems.add(
            "stage \(stage.name) records importance on \(source.label), of which \(found.contaminated) examples are what general ability is measured on: \(found.firstContaminated.joined(separator: ", ")); take them out of one of the two")
        }
      }
    }
    try problems.check()
  }

  // MARK: - Folders

  private func begin() throws {
    let path = folder + "/" + Self.description
    let json: JSON = ["format": 1, "recipe": .object(recipe.object)]
    if Files.exists(path) {
      var before = try MappedFile(path: path).json()["recipe"]?.object ?? JSONObject(), now = recipe.object
      before["output"] = nil
      now["output"] = nil
      guard before == now else { throw Problems(folder, ["another sequence of stages is there; name another output"]) }
      return
    }
    let isTaken = try Files.exists(folder) && (!Files.isFolder(folder) || !Files.list(folder).isEmpty)
    if isTaken {
      throw FileError(path: folder, doing: "begin a sequence of stages in", code: 0, reason: "something is there; name another output")
    }
    try Files.makeFolder(folder)
    try Files.writeAtomically(json.text(.pretty) + "\n", to: path)
  }

  private func prepared(_ part: Part, _ messages: (String) throws -> (any MessageRenderer)?) throws -> PreparedRun {
    do {
      return try PreparedRun(
        part.recipe, methods: tuningMethods, place: part.model, workers: workers, cache: cache, stage: part.place, messages: messages)
    } catch let problems as Problems {
      throw Problems("stage \(part.stage.name): \(problems.subject)", problems.complaints)
    }
  }

  // MARK: - Measuring

  private var allTests: [StagedRecipe.Test] { recipe.stages.compactMap(\.test) + recipe.general }

  private func read(_ test: StagedRecipe.Test) throws -> [EvaluationItem] {
    let items = try ItemFile.read(test.path, needsOptions: test.kind == .choices)
    return Array(items.prefix(test.items ?? items.count))
  }

  /// Scores of all tests in their order, kept in a file.
  private func scores(in path: String, _ measure: () throws -> [ScoreRecord]) throws -> [ScoreRecord] {
    if Files.exists(path) {
      let list = try MappedFile(path: path).json().array ?? []
      return try list.map { try ScoreRecord($0, subject: path) }
    }
    let scores = try measure()
    try Files.writeAtomically(JSON.array(scores.map(\.json)).text(.pretty) + "\n", to: path)
    return scores
  }

  private func measure(_ part: Part, _ items: [String: [EvaluationItem]], _ surroundings: Surroundings) throws -> [ScoreRecord] {
    guard let adapter = part.recipe.adapter else { return try measure(part.folder + "/final", items, surroundings) }
    return try measure(part.model, adapters: adapter.over + [part.folder + "/final"], items, surroundings)
  }

  private func measure(_ folder: String, adapters: [String] = [], _ items: [String: [EvaluationItem]], _ surroundings: Surroundings) throws -> [ScoreRecord] {
    let tests = allTests
    if tests.isEmpty { return [] }
    let own = recipe.stages[0].recipe
    try Torch.setThreads(own.threads ?? surroundings.cores)
    guard let device = Device(own.device.rawValue), try device.isAvailable else { throw EngineError("the device \(own.device.rawValue) is not available") }
    let model = try ModelFolder(folder).load(device: device)
    for path in adapters {
      let adapter = try AdapterFolder(path)
      try model.attach(adapter.configuration, weights: adapter.weights, subject: path)
    }
    let evaluator = try Evaluator(model: model, tokenizer: Tokenizer(folder: folder))
    return try tests.map { test in
      let share: Estimate
      switch test.kind {
      case .answers: share = try evaluator.exactMatch(items[test.name]!, maximumTokens: test.maximumTokens).share
      case .choices: share = try evaluator.choices(items[test.name]!).accuracy(.none)
      }
      return share.record(test.name, unit: "share of items", what: test.path)
    }
  }

  private func matrix(_ before: [ScoreRecord]?, _ rows: [[ScoreRecord]]) -> StageMatrix {
    let tasks = recipe.stages.compactMap { $0.test?.name }
    var next = 0
    let taught: [Int?] = recipe.stages.map { stage in
      guard stage.test != nil else { return nil }
      defer { next += 1 }
      return next
    }
    return StageMatrix(
      stages: recipe.stages.map(\.name), taught: taught, tasks: tasks, before: before.map { Array($0.prefix(tasks.count)) },
      after: rows.map { Array($0.prefix(tasks.count)) }, general: recipe.general.map(\.name), generalBefore: before.map { Array($0.dropFirst(tasks.count)) },
      generalAfter: rows.map { Array($0.dropFirst(tasks.count)) })
  }
}
