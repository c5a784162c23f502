internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
internal import HoldfastRecords
internal import HoldfastTokenizers
internal import HoldfastTraining

/// Makes the points of a study, each an ordinary run in a folder of its own that goes on where a kill left it.
final class FrontierRuns {
  private let study: FrontierStudy
  private let plan: FrontierPlan
  private let output: String
  private let model: String
  private let scorer: FrontierScorer
  private let surroundings: Surroundings
  private let doors: Frontier.Doors
  private let observer: any RunObserver

  init(
    study: FrontierStudy, plan: FrontierPlan, output: String, model: String, scorer: FrontierScorer, surroundings: Surroundings,
    doors: Frontier.Doors, observer: any RunObserver
  ) {
    self.study = study
    self.plan = plan
    self.output = output
    self.model = model
    self.scorer = scorer
    self.surroundings = surroundings
    self.doors = doors
    self.observer = observer
  }

  // MARK: - Points

  /// The model before tuning.
  func base() throws -> FrontierPoint {
    let first = study.methods.first { !$0.isAfterTraining }!
    let run = try prepared(study.recipe(first, FrontierTrial.grid(strengths: first.strengths, rates: first.rates)[0], seed: study.seeds[0]))
    let began = surroundings.now()
    let station = try measured(run, model, at: 0, keepingSamplesAs: "base")
    return try point(plan.base, method: "base", FrontierTrial(), seed: 0, [station], measuring: surroundings.now() - began, run)
  }

  /// A run of its own; nil where the observer asked to stop. `base` is the first stop of its way.
  func trained(_ entry: FrontierPlan.Point, base: FrontierStation) throws -> FrontierPoint? {
    guard let method = study.methods.first(where: { $0.name == entry.method }) else { preconditionFailure("no method \(entry.method)") }
    let run = try prepared(study.recipe(method, entry.trial, seed: entry.seed)), folder = folder(entry)
    doors.resetPeak()
    let watch = Stopwatch(observer, surroundings.now), isResumed = Files.exists(folder + "/metrics.jsonl"), began = surroundings.now()
    guard let result = try train(run, in: folder, watch) else { return nil }
    let whole = surroundings.now() - began, peak = surroundings.peakBytes()
    var stations = [base] + (try losses(result.folder))
    let before = surroundings.now()
    if !scorer.isEmpty {
      let scores = try scored(result.folder.final, run, keepingSamplesAs: entry.seed == study.seeds[0] ? entry.key : nil)
      if stations.count == 1 { stations.append(FrontierStation(at: Double(result.steps))) }
      stations[stations.count - 1].scores = scores
    }
    let manifest = try Manifest(file: result.folder.manifest)
    var found = try point(entry.key, method: entry.method, entry.trial, seed: entry.seed, stations, measuring: watch.measuring + surroundings.now() - before, run)
    found.trained = manifest.trainedFraction
    found.preparingSeconds = watch.preparing
    found.trainingSeconds = max(0, whole - watch.measuring - watch.preparing)
    found.peakBytes = doors.tellsPeak ? peak : nil
    found.bytes = try Self.bytes(result.folder.final)
    found.isResumed = isResumed
    return found
  }

  /// What is made of a run's model and the base.
  func blended(_ entry: FrontierPlan.Point, parent: FrontierPlan.Point, base: FrontierStation) throws -> FrontierPoint? {
    guard let method = study.methods.first(where: { $0.name == entry.method }), let blend = method.blend,
      let of = study.methods.first(where: { $0.name == parent.method })
    else { preconditionFailure("no method \(entry.method)") }
    let run = try prepared(study.recipe(of, parent.trial, seed: parent.seed)), tuned = folder(parent) + "/final"
    if !Files.exists(tuned) {
      // A fresh clone has the parent's numbers and not its model.
      guard try train(run, in: folder(parent), observer) != nil else { return nil }
    }
    let place = output + "/runs/" + entry.slug, began = surroundings.now()
    var stations = [base]
    for strength in method.strengths.sorted() {
      try Files.remove(place)
      let rule: any MergeRule =
        switch blend {
        case .interpolate: WeightInterpolation(alpha: strength)
        case .slerp: SphericalInterpolation(alpha: strength)
        case .arithmetic: TaskArithmetic(scale: strength)
        case .halfReset:
          try HalfReset(
            ModelFacts(configuration: run.folder.configuration, parameters: run.folder.configuration.parameters()), ratio: strength,
            seed: UInt64(entry.seed))
        }
      try rule.write(base: ModelFolder(model), tuned: [ModelFolder(tuned)], tokenizerFiles: Tokenizer(folder: model).files, to: place)
      stations.append(try measured(run, place, at: strength))
      if try isStopped() { return nil }
    }
    stations.append(try measured(run, tuned, at: 1))
    let bytes = try Self.bytes(place)
    try Files.remove(place)
    var found = try point(entry.key, method: entry.method, entry.trial, seed: entry.seed, stations, measuring: surroundings.now() - began, run)
    found.bytes = bytes
    return found
  }

  /// The study's model with experts beside it, at one strength after another.
  func emulated(_ entry: FrontierPlan.Point, base: FrontierStation) throws -> FrontierPoint? {
    guard let method = study.methods.first(where: { $0.name == entry.method }), let of = method.emulated?.at(seed: entry.seed),
      let trained = study.methods.first(where: { !$0.isAfterTraining })
    else { preconditionFailure("no method \(entry.method)") }
    guard let open = doors.emulated else { throw EngineError("nobody here opens models with experts beside them") }
    // Any method's recipe tells what is held out.
    let run = try prepared(study.recipe(trained, trained.firstTrial, seed: entry.seed))
    let began = surroundings.now()
    var stations = [base]
    for beta in method.strengths.sorted() {
      let evaluator = try open(model, of, beta, run.recipe.precision.rawValue)
      var station = FrontierStation(at: beta)
      for record in try run.heldOutLosses(by: evaluator.logProbabilities) { Self.add(record, to: &station) }
      if !scorer.isEmpty {
        // Scores of all models are in f32.
        let scoring = run.recipe.precision == .f32 ? evaluator : try open(model, of, beta, "f32")
        let asked = SuiteModel(hash: ContentHash.of("\(entry.key) \(beta)")) { scoring }
        station.scores = try scored(asked, { scoring }, keepingSamplesAs: entry.seed == study.seeds[0] ? entry.key : nil)
      }
      stations.append(station)
      if try isStopped() { return nil }
    }
    var found = try point(entry.key, method: entry.method, entry.trial, seed: entry.seed, stations, measuring: surroundings.now() - began, run)
    found.bytes = try (of.experts + [of.antiExpert]).reduce(0) { try $0 + Self.bytes($1) }
    return found
  }

  /// Takes away what nobody needs once the point and those made of it stand.
  func tidy(_ entry: FrontierPlan.Point) throws {
    try Files.remove(folder(entry) + "/checkpoints")
    if !study.keepsModels { try Files.remove(folder(entry) + "/final") }
  }

  func hasModel(_ entry: FrontierPlan.Point) -> Bool { Files.exists(folder(entry) + "/final") }

  func folder(_ entry: FrontierPlan.Point) -> String { output + "/runs/" + entry.slug }

  // MARK: - Training and measuring

  private func prepared(_ recipe: Recipe) throws -> PreparedRun {
    var object = recipe.resolved
    object["artifacts"] = .string(output + "/artifacts")
    return try PreparedRun(
      Recipe(object, methods: tuningMethods.map { $0.keys }), methods: tuningMethods, place: model, workers: surroundings.cores,
      cache: doors.cache, messages: doors.messages)
  }

  private func train(_ run: PreparedRun, in folder: String, _ observer: any RunObserver) throws -> RunResult? {
    let result: RunResult
    if Files.exists(folder + "/manifest.json") {
      result = try Trainer.resume(run, in: folder, allowOtherBits: doors.allowsOtherBits, surroundings: surroundings, observer: observer)
    } else {
      // What a kill left before the run had begun.
      try Files.remove(folder)
      result = try Trainer.start(run, in: folder, surroundings: surroundings, observer: observer)
    }
    return result.end == .interrupted ? nil : result
  }

  private func isStopped() throws -> Bool { doors.isStopped() }

  /// The losses of every evaluation of a run.
  private func losses(_ folder: RunFolder) throws -> [FrontierStation] {
    var stations: [FrontierStation] = []
    for record in try folder.readMetrics().scores {
      guard let step = record.step else { continue }
      if stations.last?.at != Double(step) { stations.append(FrontierStation(at: Double(step))) }
      Self.add(record, to: &stations[stations.count - 1])
    }
    return stations
  }

  /// Losses and scores of a whole model.
  private func measured(_ run: PreparedRun, _ folder: String, at: Double, keepingSamplesAs key: String? = nil) throws -> FrontierStation {
    var station = FrontierStation(at: at)
    for record in try run.heldOutLosses(of: folder) { Self.add(record, to: &station) }
    if !scorer.isEmpty { station.scores = try scored(folder, run, keepingSamplesAs: key) }
    return station
  }

  private static func add(_ record: ScoreRecord, to station: inout FrontierStation) {
    let parts = record.name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[0] == "held_out", parts.last == "loss" else { return }
    let task = parts[2..<parts.count - 1].joined(separator: "."), score = TaskScore(record.value, standardError: record.standardError, count: record.count)
    if parts[1] == "validation" { station.losses.validation[task] = score }
    if parts[1] == "test" { station.losses.test[task] = score }
  }

  /// Scores of a model folder, or of an adapter's over the study's model. With a key its answers are kept for the report.
  private func scored(_ folder: String, _ run: PreparedRun, keepingSamplesAs key: String?) throws -> SplitScores {
    let adapter = run.recipe.adapter.flatMap { Files.exists(folder + "/" + AdapterFolder.configurationFile) ? $0 : nil }
    let over = adapter.map { $0.over + [folder] } ?? []
    var made: Evaluator?
    func evaluator() throws -> Evaluator {
      if let made { return made }
      let decoder = try ModelFolder(adapter == nil ? folder : model).load()
      for path in over {
        let found = try AdapterFolder(path)
        try decoder.attach(found.configuration, weights: found.weights, subject: path)
      }
      made = try Evaluator(model: decoder, tokenizer: Tokenizer(folder: adapter == nil ? folder : model))
      return made!
    }
    return try scored(SuiteModel(hash: SuiteModel.hash(folder: adapter == nil ? folder : model, adapters: over), load: evaluator), evaluator, keepingSamplesAs: key)
  }

  private func scored(_ asked: SuiteModel, _ evaluator: () throws -> Evaluator, keepingSamplesAs key: String?) throws -> SplitScores {
    let base = SuiteModel(hash: try SuiteModel.hash(folder: model)) { [model] in
      try Evaluator(model: ModelFolder(model).load(), tokenizer: Tokenizer(folder: model))
    }
    let found = try scorer.score(asked, base: base, cache: output + "/results", evaluator)
    if let key, !found.samples.isEmpty {
      try Files.makeFolder(output + "/samples")
      try Files.writeAtomically(JSON.array(found.samples.map(\.json)).text() + "\n", to: "\(output)/samples/\(key.prefix(16)).json")
    }
    return found.scores
  }

  private func point(
    _ key: String, method: String, _ trial: FrontierTrial, seed: Int, _ stations: [FrontierStation], measuring: Double, _ run: PreparedRun
  ) throws -> FrontierPoint {
    FrontierPoint(
      key: key, method: method, strength: trial.strength, rate: trial.rate, seed: seed, stations: stations, measuringSeconds: measuring,
      code: surroundings.code, libtorch: try Torch.version, processor: surroundings.processor, threads: run.recipe.threads ?? surroundings.cores)
  }

  private static func bytes(_ folder: String) throws -> Int {
    try Files.list(folder).reduce(0) { try $0 + (Files.isFolder(folder + "/" + $1) ? 0 : Files.size(folder + "/" + $1)) }
  }
}

/// Tells the time of a run's parts apart: before the first step, measuring, and the rest.
private final class Stopwatch: RunObserver {
  private let other: any RunObserver
  private let now: () -> Double
  private let began: Double
  private var lastStep: Double?
  private(set) var preparing = 0.0
  private(set) var measuring = 0.0

  init(_ other: any RunObserver, _ now: @escaping () -> Double) {
    self.other = other
    self.now = now
    began = now()
  }

  func observe(_ event: RunEvent) throws -> RunAnswer {
    switch event {
    case .began: preparing = now() - began
    case .step: lastStep = now()
    case .evaluated:
      // The losses of one evaluation are told one behind another.
      if let last = lastStep { measuring += now() - last }
      lastStep = nil
    default: break
    }
    return try other.observe(event)
  }
}
