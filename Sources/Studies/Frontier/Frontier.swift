internal import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastEngine
public import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
public import HoldfastRecords
public import HoldfastTraining

/// Runs a study: methods × strengths × rates × seeds, each point at most once, and reads them against each other.
///
/// A finished point is a line of the points file and is never made again, here or in another clone with the same file. A run that was
/// killed goes on from its newest checkpoint. The base is measured once, preparations are shared, and blends take the runs they are of.
public struct Frontier {
  /// What the study needs of whoever runs it.
  public struct Doors {
    public var cache: DataCachePlace?
    public var messages: (String) throws -> (any MessageRenderer)?
    public var allowsOtherBits = false
    /// Begins a new peak of memory; `tellsPeak`: whether that is possible here.
    public var resetPeak: () -> Void = {}
    public var tellsPeak = false
    public var isStopped: () -> Bool = { false }
    /// The model in a folder with experts beside it, at a strength β, in an element type (`f32`, `bf16`).
    public var emulated: ((_ model: String, _ experts: FrontierStudy.Emulated, _ beta: Double, _ precision: String) throws -> Evaluator)?

    public init(messages: @escaping (String) throws -> (any MessageRenderer)?) { self.messages = messages }
  }

  /// What happens, for whoever shows it.
  public enum Event {
    case measuringBase
    /// `secondsLeft`: what the rest takes, as the points so far took; nil before the first.
    case running(FrontierPlan.Point, number: Int, of: Int, secondsLeft: Double?)
    case finished(FrontierPoint, FrontierPlan.Point)
    /// A run failed, such as one whose rate was too high. It is no point, and is tried again the next time.
    case failed(FrontierPlan.Point, any Error)
    case outOfBudget(left: Int)
  }

  public enum Ending: Equatable {
    case finished, interrupted, outOfBudget
    /// So many runs failed; the others are there.
    case failed(Int)
  }

  public let study: FrontierStudy
  public let plan: FrontierPlan
  public let output: String
  public private(set) var points: FrontierPoints
  /// Why the numbers of items that were trained on stand all the same.
  public let warnings: [String]
  private let scorer: FrontierScorer
  let model: String
  /// Keys of points whose run failed in this call.
  private var failed: Set<String> = []

  /// Reads and checks all that can be known before the first run.
  ///
  /// - Parameter place: the folder of a model that the recipe names.
  public init(_ study: FrontierStudy, output: String, place: (String) throws -> String) throws {
    self.study = study
    self.output = output
    var problems = Problems(study.subject)
    scorer = FrontierScorer(study, &problems)
    let first = study.methods.first { !$0.isAfterTraining }!, recipe = try study.recipe(first, first.firstTrial, seed: 0)
    do { model = try place(recipe.model) } catch {
      problems.add("\(error)")
      throw problems
    }
    do { _ = try ModelFolder(model) } catch { problems.add("\(error)") }
    if scorer.suites?.test.needsBase == true, let method = study.methods.first(where: { $0.emulated != nil }) {
      problems.add("suite: drift is a distance of one model's weights and logits from its base's; \(method.name) moves no weight")
    }
    for method in study.methods where !method.isAfterTraining {
      // What a method cannot do on this model is known from names and shapes.
      do throws(Problems) {
        var object = try study.recipe(method, method.firstTrial, seed: study.seeds[0]).resolved
        object["model"] = .string(model)
        try Self.checkMethods(Recipe(object, methods: tuningMethods.map { $0.keys }))
      } catch {
        for words in error.complaints { problems.add("methods: \(method.name): \(words)") }
      }
    }
    let overlap = try study.trainedItems(among: study.trainingFiles(), scorer)
    if !study.allowsTrainedItems { for words in overlap { problems.add(words) } }
    warnings = study.allowsTrainedItems ? overlap : []
    try problems.check()
    plan = try FrontierPlan(study, suites: scorer.suites.map { [$0.validation.hash, $0.test.hash] } ?? [])
    points = try FrontierPoints(path: study.points ?? output + "/points.jsonl")
  }

  private static func checkMethods(_ recipe: Recipe) throws(Problems) {
    do { _ = try TrainingPlan(recipe, methods: tuningMethods) } catch let error as Problems { throw error } catch {
      throw Problems("recipe", ["\(error)"])
    }
  }

  /// Points that are there.
  public var done: Int { due.count { points[$0.key] != nil } }

  /// Points that are made: with `other_seeds: chosen` those of other seeds only where the first seed chose their trial. Before the
  /// first seed is done nothing is chosen, and all count.
  public var due: [FrontierPlan.Point] {
    guard study.otherSeeds == .chosen, let first = study.seeds.first, let chosen = chosen(at: first) else { return plan.points }
    return plan.points.filter { $0.seed == first || chosen[$0.method]?.contains($0.trial) == true }
  }

  /// The trials of each method that validation chooses for the targets at one seed, or the one that comes furthest; nil while runs of that seed are missing.
  private func chosen(at seed: Int) -> [String: Set<FrontierTrial>]? {
    let entries = plan.points.filter { $0.seed == seed }
    guard entries.allSatisfy({ points[$0.key] != nil || failed.contains($0.key) }), let base = points[plan.base]?.stations.first,
      let measure = analysis(.loss, lossEntries, base, seeds: [seed])?.measure()
    else { return nil }
    var chosen: [String: Set<FrontierTrial>] = [:]
    for arm in measure.arms {
      let method = study.methods.first { $0.name == arm.name }!
      var labels = arm.targets.compactMap(\.trial)
      if labels.isEmpty { labels = [arm.ends.max { $0.new < $1.new }?.trial].compactMap { $0 } }
      let trials = entries.filter { $0.method == arm.name && labels.contains($0.trial.label(knob: method.knob)) }.map(\.trial)
      chosen[arm.name, default: []].formUnion(trials)
      // A blend wants the run that it is made of.
      if let parent = method.after { chosen[parent, default: []].formUnion(trials) }
    }
    return chosen
  }

  private var lossEntries: [FrontierScorer.Entry] {
    study.lossTasks.map { .init(name: $0.name, isNew: $0.isNew, weight: 1, higherIsBetter: false, isShare: false, unit: "nats a label", count: 0) }
  }

  /// What is known of the time a point takes, by method: from the points that are there.
  public var secondsLeft: Double? {
    var sums: [String: (seconds: Double, count: Int)] = [:]
    for entry in plan.points {
      guard let point = points[entry.key], !point.isResumed else { continue }
      let seconds = (point.preparingSeconds ?? 0) + (point.trainingSeconds ?? 0) + (point.measuringSeconds ?? 0)
      sums[entry.method, default: (0, 0)].seconds += seconds
      sums[entry.method]!.count += 1
    }
    guard !sums.isEmpty else { return nil }
    let all = sums.values.reduce((0.0, 0)) { ($0.0 + $1.seconds, $0.1 + $1.count) }
    return due.filter { points[$0.key] == nil }.reduce(0) { sum, entry in
      sum + (sums[entry.method].map { $0.seconds / Double($0.count) } ?? all.0 / Double(all.1))
    }
  }

  /// Makes what is missing. Called again it goes on, and repeats no finished point.
  public mutating func run(
    surroundings: Surroundings, doors: Doors, observer: any RunObserver, onEvent: (Event) throws -> Void
  ) throws -> Ending {
    try Files.makeFolder(output + "/runs")
    try Torch.setThreads(study.shared.object["threads"]?.int ?? surroundings.cores)
    let runs = FrontierRuns(
      study: study, plan: plan, output: output, model: model, scorer: scorer, surroundings: surroundings, doors: doors, observer: observer)
    let began = surroundings.now()
    failed = []
    if points[plan.base] == nil {
      try onEvent(.measuringBase)
      try points.add(runs.base())
    }
    guard let base = points[plan.base]?.stations.first else { throw Problems(points.path, ["the base's point has no numbers; remove its line"]) }
    var due = plan.points, knowsDue = false
    for entry in plan.points where points[entry.key] == nil {
      if !knowsDue, entry.seed != study.seeds.first {
        due = self.due
        knowsDue = true
      }
      if !due.contains(entry) { continue }
      if doors.isStopped() { return .interrupted }
      if let budget = study.budget, surroundings.now() - began > budget {
        try onEvent(.outOfBudget(left: due.count { points[$0.key] == nil }))
        return .outOfBudget
      }
      try onEvent(.running(entry, number: due.firstIndex(of: entry)! + 1, of: due.count, secondsLeft: secondsLeft))
      let found: FrontierPoint?
      do {
        if let parent = entry.parent.flatMap({ key in plan.points.first { $0.key == key } }) {
          if failed.contains(parent.key) {
            failed.insert(entry.key)
            continue
          }
          found = try runs.blended(entry, parent: parent, base: base)
          if found != nil, !hasChildren(parent, besides: entry) { try runs.tidy(parent) }
        } else if entry.isRun {
          found = try runs.trained(entry, base: base)
        } else {
          found = try runs.emulated(entry, base: base)
        }
      } catch {
        if doors.isStopped() { return .interrupted }
        failed.insert(entry.key)
        try onEvent(.failed(entry, error))
        continue
      }
      guard let found else { return .interrupted }
      try points.add(found)
      if entry.isRun, !hasChildren(entry, besides: nil) { try runs.tidy(entry) }
      try onEvent(.finished(found, entry))
    }
    return failed.isEmpty ? .finished : .failed(failed.count)
  }

  /// Whether something that is not made yet takes this run's model.
  private func hasChildren(_ parent: FrontierPlan.Point, besides other: FrontierPlan.Point?) -> Bool {
    plan.points.contains { $0.parent == parent.key && $0.key != other?.key && points[$0.key] == nil }
  }

  /// What a point's model answered; nil where it was not asked here.
  func samples(of key: String) throws -> [FrontierScorer.Sample]? {
    let path = "\(output)/samples/\(key.prefix(16)).json"
    guard Files.exists(path) else { return nil }
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) { try file.json() }.array?.compactMap(FrontierScorer.Sample.init)
  }

  // MARK: - Reading

  /// What the points that are there come to; nil before the reference has one.
  public func summary() -> FrontierSummary? {
    guard let base = points[plan.base]?.stations.first else { return nil }
    var measures: [FrontierSummary.Measure] = []
    for (kind, tasks) in [(FrontierSummary.Measure.Kind.loss, lossEntries), (.score, scorer.entries)] where !tasks.isEmpty {
      if let found = analysis(kind, tasks, base)?.measure() { measures.append(found) }
    }
    guard !measures.isEmpty else { return nil }
    if study.leadsWithScores { measures.sort { $0.kind == .score && $1.kind != .score } }
    return FrontierSummary(
      name: study.name, reference: study.reference, seeds: study.seeds, done: done, planned: due.count, measures: measures, costs: costs(),
      recommendation: FrontierAdvice.of(measures[0], reference: study.reference))
  }

  private func analysis(
    _ kind: FrontierSummary.Measure.Kind, _ tasks: [FrontierScorer.Entry], _ base: FrontierStation, seeds: [Int]? = nil
  ) -> FrontierAnalysis? {
    let new = tasks.filter(\.isNew), old = tasks.filter { !$0.isNew }
    /// More is better: what is better where it is less is turned round.
    func mean(_ scores: [String: TaskScore], _ tasks: [FrontierScorer.Entry]) -> Double? {
      let values = tasks.compactMap { task in scores[task.name].map { $0.value * task.weight * (task.higherIsBetter ? 1 : -1) } }
      return values.count == tasks.count && !values.isEmpty ? values.reduce(0, +) / tasks.reduce(0) { $0 + $1.weight } : nil
    }
    func stop(_ station: FrontierStation) -> FrontierStop? {
      let s = kind == .loss ? station.losses : station.scores
      guard let vn = mean(s.validation, new), let vo = mean(s.validation, old), let tn = mean(s.test, new), let to = mean(s.test, old) else { return nil }
      return FrontierStop(at: station.at, validation: TwoScores(new: vn, old: vo), test: TwoScores(new: tn, old: to))
    }
    guard let start = stop(base) else { return nil }
    let ways = study.methods.map { method -> FrontierWays in
      let entries = plan.points.filter { $0.method == method.name && seeds?.contains($0.seed) != false }
      var trials: [(label: String, bySeed: [Int: FrontierWay])] = []
      func add(_ label: String, _ seed: Int, _ stops: [FrontierStop]) {
        if !trials.contains(where: { $0.label == label }) { trials.append((label, [:])) }
        trials[trials.firstIndex { $0.label == label }!].bySeed[seed] = FrontierWay(stops: stops)
      }
      if kind == .loss || method.isAfterTraining {
        for entry in entries {
          guard let point = points[entry.key] else { continue }
          add(entry.trial.label(knob: method.knob), entry.seed, point.stations.compactMap(stop))
        }
      } else {
        // Scores are taken at the ends: a way leads over the rates.
        for strength in Set(entries.map(\.trial.strength)).sorted(by: { ($0 ?? 0) < ($1 ?? 0) }) {
          for seed in study.seeds {
            let ends = entries.filter { $0.trial.strength == strength && $0.seed == seed }.sorted { ($0.trial.rate ?? 0) < ($1.trial.rate ?? 0) }
            let known = ends.compactMap { entry in points[entry.key]?.stations.last.flatMap(stop).map { (entry, $0) } }
            guard known.count == ends.count, !ends.isEmpty else { continue }
            let stops = known.map { entry, end in
              FrontierStop(at: entry.trial.rate ?? 0, validation: end.validation, test: end.test)
            }
            let label = FrontierTrial(strength: strength).label(knob: method.knob)
            add(label.isEmpty ? "over the rates" : label + ", over the rates", seed, [FrontierStop(at: 0, validation: start.validation, test: start.test)] + stops)
          }
        }
      }
      // Trials that were not chosen stand at one seed only and would leave the others without theirs.
      if study.otherSeeds == .chosen, let most = trials.map(\.bySeed.count).max() { trials.removeAll { $0.bySeed.count < most } }
      return FrontierWays(name: method.name, trials: trials)
    }
    var analysis = FrontierAnalysis(
      kind: kind, unit: old[0].unit, newTasks: new.map(\.name), oldTasks: old.map(\.name), base: start, reference: study.reference,
      targets: study.targets, ways: ways)
    analysis.isShare = old[0].isShare
    if kind == .score, old[0].isShare { analysis.resolution = 1 / Double(max(1, old.reduce(0) { $0 + $1.count })) }
    return analysis
  }

  private func costs() -> [FrontierSummary.Cost] {
    study.methods.compactMap { method in
      let found = plan.points.filter { $0.method == method.name }.compactMap { points[$0.key] }
      guard !found.isEmpty else { return nil }
      let whole = found.filter { !$0.isResumed }
      func mean(_ value: (FrontierPoint) -> Double?) -> Double? {
        let values = whole.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
      }
      return FrontierSummary.Cost(
        method: method.name, runs: found.count, trials: Set(found.map { FrontierTrial(strength: $0.strength, rate: $0.rate) }).count,
        preparingSeconds: mean(\.preparingSeconds), trainingSeconds: mean(\.trainingSeconds), measuringSeconds: mean(\.measuringSeconds),
        peakBytes: found.compactMap(\.peakBytes).max(), bytes: found.compactMap(\.bytes).max(), trained: found.compactMap(\.trained).first,
        kind: method.emulated != nil ? .emulated : method.after != nil ? .blend : .trained)
    }
  }
}
