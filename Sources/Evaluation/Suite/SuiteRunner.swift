internal import HoldfastBasics

/// Asks a suite of a model. A task that was finished before, on the same model and the same items, is read from the cache.
public struct SuiteRunner {
  /// What happens, for whoever shows it.
  public enum Event {
    /// A task is about to be asked: its place and how many there are.
    case asking(EvaluationTask, number: Int, of: Int)
    case finished(TaskResult, isCached: Bool)
  }

  public let suite: EvaluationSuite
  /// Folder for results, `MODEL/TASK.json`; nil: nothing is kept.
  public let cache: String?

  public init(_ suite: EvaluationSuite, cache: String? = nil) {
    self.suite = suite
    self.cache = cache
  }

  /// Measures every task. What is finished is kept at once, whole or not at all, so that a run that was killed goes on behind it.
  ///
  /// - Parameters:
  ///   - base: what tasks of kind drift compare with.
  ///   - onEvent: may throw, and ends the run then.
  public func run(_ model: SuiteModel, base: SuiteModel? = nil, onEvent: (Event) throws -> Void = { _ in }) throws -> SuiteResult {
    if suite.needsBase && base == nil {
      let names = suite.tasks.filter { $0.kind == .drift }.map(\.name).joined(separator: ", ")
      throw Problems(suite.name, ["\(names): drift is a distance from a base model, and none was given"])
    }
    var evaluator: Evaluator?, reference: Evaluator?
    var results: [TaskResult] = []
    for (number, task) in suite.tasks.enumerated() {
      let path = cache.map { place(of: task, model, base, in: $0) }
      if let path, let kept = Self.read(path, task) {
        results.append(kept)
        try onEvent(.finished(kept, isCached: true))
        continue
      }
      try onEvent(.asking(task, number: number + 1, of: suite.tasks.count))
      if evaluator == nil {
        evaluator = try model.load()
        try checkLengths(evaluator!, suite.tasks[number...].filter { task in cache.map { Self.read(place(of: task, model, base, in: $0), task) == nil } ?? true })
      }
      if task.kind == .drift, reference == nil { reference = try base!.load() }
      let result = try evaluator!.measure(task, base: reference)
      if let path {
        try Files.makeFolder(Files.folder(of: path))
        try Files.writeAtomically(result.json.text() + "\n", to: path)
      }
      results.append(result)
      try onEvent(.finished(result, isCached: false))
    }
    return SuiteResult(name: suite.name, hash: suite.hash, modelHash: model.hash, tasks: results)
  }

  /// The result as the cache has it; nil where a task is missing, or without a cache. Nothing is loaded.
  public func cached(_ model: SuiteModel, base: SuiteModel? = nil) -> SuiteResult? {
    guard let cache, !(suite.needsBase && base == nil) else { return nil }
    let tasks = suite.tasks.compactMap { Self.read(place(of: $0, model, base, in: cache), $0) }
    guard tasks.count == suite.tasks.count else { return nil }
    return SuiteResult(name: suite.name, hash: suite.hash, modelHash: model.hash, tasks: tasks)
  }

  /// Items that no context of this model holds are named before anything is asked, for all tasks at once.
  private func checkLengths(_ evaluator: Evaluator, _ tasks: [EvaluationTask]) throws {
    var problems = Problems(suite.name)
    for task in tasks {
      if let words = try evaluator.lengthProblem(task) { problems.add("\(task.name): \(words)") }
    }
    try problems.check()
  }

  private func place(of task: EvaluationTask, _ model: SuiteModel, _ base: SuiteModel?, in cache: String) -> String {
    let key = task.kind == .drift ? ContentHash.of(task.hash + base!.hash) : task.hash
    return "\(cache)/\(model.hash.prefix(16))/\(key.prefix(32)).json"
  }

  /// nil where there is nothing, or nothing that fits.
  private static func read(_ path: String, _ task: EvaluationTask) -> TaskResult? {
    guard let file = try? MappedFile(path: path), let json = withExtendedLifetime(file, { try? file.json() }),
      let result = TaskResult(json), result.taskHash == task.hash, result.metric == task.metric
    else { return nil }
    return result.belonging(to: task)
  }
}
