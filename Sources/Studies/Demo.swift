internal import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastEvaluation
internal import HoldfastMethods
internal import HoldfastModels
public import HoldfastRecords
internal import HoldfastTokenizers
public import HoldfastTraining

/// The whole story on the little world: a base model learns a domain in several ways; what it learned and what it kept
/// is measured on held-out items before and after.
public struct Demo: Sendable {
  /// One way of teaching.
  public struct Way: Sendable, Hashable {
    /// As it stands in tables and the plot.
    public let name: String
    /// Ways of one group differ in strength only.
    public let group: String
    /// By its name in a recipe.
    public let method: String
    /// The highest of the run's schedule.
    public let learningRate: Double
  }

  /// What one model scored.
  public struct Outcome: Sendable {
    /// As it stands in tables and the plot.
    public let name: String
    /// That of the way; outcomes of one group share a colour.
    public let group: String
    /// Share of the domain's test items that are answered rightly.
    public let speciality: ScoreRecord
    /// Mean over the families that the base model knew, each weighing the same.
    public let versatility: ScoreRecord
    /// Share of right answers for each family of versatility.
    public let families: [ScoreRecord]
    /// Share of the parameters that trained; nil where nothing did.
    public let trained: Double?
    /// Greedy answers to a few questions, in the order of `Result.questions`.
    public let answers: [String]
    /// The model that was measured.
    public let folder: String
  }

  /// A test item that is shown with every model's answer.
  public struct Question: Sendable, Hashable {
    /// Name of its family.
    public let family: String
    /// What the model reads.
    public let prompt: String
    /// The right answer.
    public let expected: String
  }

  /// All that was measured.
  public struct Result: Sendable {
    /// The model before tuning.
    public let base: Outcome
    /// Ways of teaching in their order, then weights between the base and the first way.
    public let outcomes: [Outcome]
    /// Questions that every outcome answered.
    public let questions: [Question]
    /// Name of the family that was taught.
    public let domain: String
  }

  /// What happens, for whoever shows it.
  public enum Event: Sendable {
    case measuring(String)
    case teaching(String, method: String, learningRate: Double)
    case measured(Outcome)
  }

  /// Where questions and answers come from; the base model's own world.
  public var world = LittleWorld()
  /// What is taught.
  public var domain = LittleWorld.Family.clinic
  /// Rows of the domain that are taught.
  public var examples = 3000
  /// Optimizer steps of each way.
  public var steps = 150
  /// Rows of 128 tokens a step.
  public var rows = 16
  /// The highest rate of full and half fine-tuning; the low rate is a fifth of it.
  public var learningRate = 1e-3
  /// Held-out items asked of each family.
  public var items = 200
  /// Shares of the way from base to full fine-tuning at which weights are interpolated.
  public var alphas = [0.3, 0.5, 0.7]
  /// Of data order and of the half that trains.
  public var seed = 1
  /// Folder of the base model.
  public let base: String
  /// Folder for runs and results; must be new.
  public let output: String

  public init(base: String, output: String) {
    self.base = base
    self.output = output
  }

  /// The ways of teaching, in the order in which they run.
  public var ways: [Way] {
    [
      Way(name: "full", group: "full", method: "full", learningRate: learningRate),
      Way(name: "full, rate / 5", group: "low rate", method: "full", learningRate: learningRate / 5),
      Way(name: "half", group: "half", method: "half", learningRate: learningRate),
    ]
  }

  /// Measures the base, teaches it in every way and measures what came out; takes minutes.
  /// - Throws: `FileError` where `output` is taken, and whatever stops a run.
  public func run(surroundings: Surroundings, observer: any RunObserver, onEvent: (Event) throws -> Void) throws -> Result {
    guard !Files.exists(output) else {
      throw FileError(path: output, doing: "write the demo to", code: 0, reason: "something is there already")
    }
    try Files.makeFolder(output)
    let data = output + "/\(domain.rawValue).jsonl"
    try Files.writeAtomically(world.jsonl(domain, .train, count: examples), to: data)
    try Torch.setThreads(surroundings.cores)
    let questions = questionsToShow()

    try onEvent(.measuring("base"))
    let before = try measure(base, name: "base", group: "base", trained: nil, questions)
    try onEvent(.measured(before))
    var outcomes: [Outcome] = []
    for (number, way) in ways.enumerated() {
      try onEvent(.teaching(way.name, method: way.method, learningRate: way.learningRate))
      let folder = output + "/run-\(number + 1)-\(way.method)"
      let run = try PreparedRun(recipe(way, data: data), methods: tuningMethods) { _ in nil }
      let result = try Trainer.start(run, in: folder, surroundings: surroundings, observer: observer)
      let manifest = try Manifest(file: result.folder.manifest)
      outcomes.append(try measure(result.folder.final, name: way.name, group: way.group, trained: manifest.trainedFraction, questions))
      try onEvent(.measured(outcomes.last!))
    }
    for alpha in alphas {
      let folder = output + "/wise-ft-\(alpha)"
      try onEvent(.measuring("Wise-FT: weights \(alpha) of the way from base to full"))
      try WeightInterpolation(alpha: alpha).write(
        base: ModelFolder(base), tuned: [ModelFolder(outcomes[0].folder)], tokenizerFiles: Tokenizer(folder: base).files, to: folder)
      outcomes.append(try measure(folder, name: "Wise-FT \(alpha)", group: "interpolated", trained: nil, questions))
      try onEvent(.measured(outcomes.last!))
    }
    return Result(base: before, outcomes: outcomes, questions: questions, domain: domain.rawValue)
  }

  private func recipe(_ way: Way, data: String) throws -> Recipe {
    try Recipe([
      "model": .string(base), "method": .string(way.method), "objective": "sft",
      "data": [["path": .string(data), "format": "prompt_completion"]],
      "sequence_length": 128, "batch": ["rows": .integer(rows)], "steps": .integer(steps),
      "learning_rate": .number(way.learningRate), "schedule": ["kind": "cosine", "warmup": 0.05], "seed": .integer(seed),
      "checkpoint": ["every": .integer(steps), "keep": 1], "report_every": .integer(max(1, steps / 5)),
    ], methods: tuningMethods.map { $0.keys })
  }

  private func measure(_ folder: String, name: String, group: String, trained: Double?, _ questions: [Question]) throws -> Outcome {
    let model = try ModelFolder(folder).load()
    let evaluator = try Evaluator(model: model, tokenizer: Tokenizer(folder: folder))
    func score(_ family: LittleWorld.Family) throws -> ScoreRecord {
      let asked = world.items(family, .test, count: items).map { EvaluationItem(prompt: $0.prompt, completion: $0.completion) }
      return try evaluator.exactMatch(asked, maximumTokens: 32).share
        .record(family.rawValue, unit: "share of items", what: "exact match of greedy answers, test split of the little world")
    }
    let families = try LittleWorld.Family.all(.versatility).map(score)
    let mean = families.reduce(0) { $0 + $1.value } / Double(families.count)
    let error = families.reduce(0) { $0 + ($1.standardError ?? 0) * ($1.standardError ?? 0) }.squareRoot() / Double(families.count)
    return Outcome(
      name: name, group: group, speciality: try score(domain),
      versatility: ScoreRecord(
        name: "versatility", value: mean, standardError: error, count: families.reduce(0) { $0 + $1.count }, unit: "share of items",
        what: "mean over \(families.count) families"),
      families: families, trained: trained, answers: try evaluator.answers(to: questions.map(\.prompt), maximumTokens: 32), folder: folder)
  }

  private func questionsToShow() -> [Question] {
    ([domain] + LittleWorld.Family.all(.versatility)).flatMap { family in
      world.items(family, .test, count: family == domain ? 3 : 1, from: items)
        .map { Question(family: family.rawValue, prompt: $0.prompt, expected: $0.answer) }
    }
  }
}
