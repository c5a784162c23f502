public import HoldfastBasics
public import HoldfastRecords

/// What one task measured on one model.
public struct TaskResult: Sendable, Hashable {
  /// One item's answer as text, for people to read.
  public struct Sample: Sendable, Hashable {
    public let prompt, answer: String
    /// Empty where a program judges.
    public let expected: String
    /// As in `perItem`.
    public let value: Double
  }

  public let name: String
  public let kind: EvaluationTask.Kind
  public let role: EvaluationTask.Role
  public let metric: TaskMetric
  /// In the mean over its role's tasks.
  public let weight: Double
  /// File, choice of items and form of the question, in words.
  public let what: String
  /// What guessing scores; nil where nothing can be guessed.
  public let chance: Double?
  /// The value of every item, in the order of the suite: two models' lists stand side by side.
  public let perItem: [Double]
  /// Of each item in the mean, such as its labels; nil: all the same.
  public let itemWeights: [Double]?
  /// The mean for each form of the prompt; empty where there is one form.
  public let forms: [Estimate]
  /// Further values, each with its own unit.
  public let others: [ScoreRecord]
  public let samples: [Sample]
  /// The task's hash, without which values of two models are not comparable.
  public let taskHash: String

  public var unit: String { metric.unit }
  public var higherIsBetter: Bool { metric.higherIsBetter }

  /// The mean over items with its standard error.
  public var estimate: Estimate { .weighted(perItem, weights: itemWeights) }

  /// Wilson's where items are right or wrong, BCa bootstrap over items otherwise; nil for a single item.
  public func interval(level: Double = 0.95) -> Interval? {
    guard perItem.count > 1 else { return nil }
    if itemWeights == nil, perItem.allSatisfy({ $0 == 0 || $0 == 1 }) {
      return .wilson(perItem.reduce(0, +), of: perItem.count, level: level)
    }
    return Bootstrap(perItem, weights: itemWeights).interval(level: level)
  }

  /// How many standard errors the score lies above what guessing scores; nil without a chance level.
  public var aboveChance: Double? {
    guard let chance, perItem.count > 1 else { return nil }
    let value = estimate.value
    // The error of guessing itself, which is never 0.
    let error = max(estimate.standardError ?? 0, (chance * (1 - chance) / Double(perItem.count)).squareRoot())
    return error > 0 ? (value - chance) / error : nil
  }

  /// Standard deviation between forms of the prompt; nil for fewer than two.
  public var formDeviation: Double? { NoiseFloor([forms.map(\.value)])?.deviation }

  /// This model against another one over the same items.
  ///
  /// - Parameter base: the same task's result on the other model.
  /// - Throws: `Problems` where the two are not of the same task.
  public func compared(with base: TaskResult, level: Double = 0.95) throws(Problems) -> Comparison {
    guard taskHash == base.taskHash, perItem.count == base.perItem.count else {
      throw Problems(name, ["the two results are not of the same task: settings or items differ"])
    }
    // Counts of labels are the tokenizer's: both models must cut the texts alike.
    guard itemWeights == base.itemWeights else { throw Problems(name, ["the two models cut the texts differently; compare bits a byte of each instead"]) }
    return .items(base.perItem, perItem, weights: itemWeights, higherIsBetter: higherIsBetter, level: level)
  }

  /// The value as a record `NAME.METRIC`, then the others.
  public func records(step: Int? = nil) -> [ScoreRecord] {
    [estimate.record("\(name).\(metric.rawValue)", unit: unit, what: what, step: step)] + others
  }
}

/// What a suite measured on one model.
public struct SuiteResult: Sendable {
  /// The suite's.
  public let name, hash: String
  /// Of the model.
  public let modelHash: String
  /// In the suite's order.
  public let tasks: [TaskResult]

  public init(name: String, hash: String, modelHash: String, tasks: [TaskResult]) {
    self.name = name
    self.hash = hash
    self.modelHash = modelHash
    self.tasks = tasks
  }

  public subscript(name: String) -> TaskResult? { tasks.first { $0.name == name } }

  /// The tasks of a role that its mean is made of.
  public func members(_ role: EvaluationTask.Role) -> [TaskResult] { tasks.filter { $0.role == role && $0.weight > 0 } }

  /// The weighted mean over a role's tasks, each a mean over its items; the errors of tasks are independent.
  ///
  /// - Throws: `Problems` where the role has no task, or tasks of several units: a mean of accuracy and nats means nothing.
  public func mean(_ role: EvaluationTask.Role) throws(Problems) -> (estimate: Estimate, unit: String, higherIsBetter: Bool) {
    let members = members(role)
    try Self.check(members.map { ($0.name, $0.metric) }, role, suite: name)
    let total = members.reduce(0) { $0 + $1.weight }
    var value = 0.0, squares = 0.0, count = 0
    for task in members {
      let estimate = task.estimate, share = task.weight / total
      value += share * estimate.value
      squares += share * share * (estimate.standardError ?? 0) * (estimate.standardError ?? 0)
      count += estimate.count
    }
    return (Estimate(value: value, standardError: squares.squareRoot(), count: count), members[0].unit, members[0].higherIsBetter)
  }

  static func check(_ members: [(name: String, metric: TaskMetric)], _ role: EvaluationTask.Role, suite: String) throws(Problems) {
    guard let first = members.first else { throw Problems(suite, ["it has no task of role \(role.rawValue)"]) }
    let units = Set(members.map { "\($0.metric.unit) \($0.metric.higherIsBetter)" })
    guard units.count == 1 else {
      let list = members.map { "\($0.name) (\($0.metric.unit))" }.joined(separator: ", ")
      throw Problems(suite, ["tasks of role \(role.rawValue) have several units: \(list); give those that are to stand aside `weight: 0`"])
    }
    _ = first
  }
}

extension EvaluationSuite {
  /// Throws where a role has no mean: no task, or several units among those that weigh.
  public func checkMean(_ role: EvaluationTask.Role) throws(Problems) {
    try SuiteResult.check(tasks.filter { $0.role == role && $0.weight > 0 }.map { ($0.name, $0.metric) }, role, suite: name)
  }
}
