import ArgumentParser
import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastRecords
import HoldfastReports

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure a model: a suite of tasks, or texts, multiple choice and generated answers.",
    discussion: """
      With --suite: every task of a YAML file, with intervals and what guessing scores; a task that was finished before, on the \
      same model and items, is not asked again. Docs/evaluation.md has the keys. Without: every number comes with its standard \
      error. Rows of --choices: {"question" or "prompt", "choices", "answer"}, \
      answer being the right text or its number from 0. Rows of --answers: {"question" or "prompt", "answer"}. A `prompt` \
      is joined with what follows as it stands; a `question` is asked as "Question: …\\nAnswer:".
      """)

  @OptionGroup var ensemble: EnsembleOptions
  @Option(help: "YAML file of tasks.") var suite: String?
  @Option(help: "Folder at which relative paths in the suite begin (default: the suite's own).") var data: String?
  @Option(help: "Folder of the model that tasks of kind drift compare with.") var base: String?
  @Option(parsing: .upToNextOption, help: "Training files: the suite is refused where items of it stand in them.") var trainedOn: [String] = []
  @Option(help: "Folder for finished tasks (default: holdfast/evaluations in the user's cache).") var cache: String?
  @Flag(help: "Ask every task anew and keep nothing.") var noCache = false
  @Option(help: "Write everything, values of single items included, as JSON into this file.") var output: String?
  @Option(parsing: .upToNextOption, help: "Text files: perplexity, nats a token, bits a byte.") var text: [String] = []
  @Option(parsing: .upToNextOption, help: "JSONL files with choices: accuracy by the options' likelihood.")
  var choices: [String] = []
  @Option(parsing: .upToNextOption, help: "JSONL files: exact match of the greedy answer.") var answers: [String] = []
  @Option(help: "Only the first rows of each file.") var limit: Int?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 64
  @Option(help: "Tokens of a window of text, the first ones included (default: the model's context).") var window: Int?
  @Flag(help: "Print JSON lines instead of a table.") var json = false

  func validate() throws {
    try ensemble.refuseGeneration(by: "evaluate")
    let hasFiles = !(text.isEmpty && choices.isEmpty && answers.isEmpty)
    if suite == nil && !hasFiles { throw ValidationError("nothing to evaluate: name a suite with --suite, or files with --text, --choices or --answers") }
    if suite != nil && hasFiles { throw ValidationError("--suite stands alone: put texts, choices and answers into it as tasks") }
    if suite == nil && (data != nil || base != nil || !trainedOn.isEmpty || cache != nil || noCache || output != nil) {
      throw ValidationError("--data, --base, --trained-on, --cache, --no-cache and --output belong to --suite")
    }
    if suite != nil && (limit != nil || window != nil) { throw ValidationError("--limit and --window are keys of a suite's tasks: `limit`, `window`") }
    if cache != nil && noCache { throw ValidationError("--cache and --no-cache exclude one another") }
    if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
  }

  func run() throws {
    if let suite { return try run(suite: suite) }
    // All files first: a bad row is found before the model is loaded.
    let texts = try text.map { (path: $0, text: try readText($0)) }
    let questions = try choices.map { (path: $0, items: try items($0, needsOptions: true)) }
    let prompts = try answers.map { (path: $0, items: try items($0, needsOptions: false)) }
    let evaluator = try ensemble.evaluator()
    let rule = try windowRule(window, of: evaluator)
    let clock = ContinuousClock()

    var report = ScoreTable()
    for (path, text) in texts {
      try report.add(path, clock) {
        try evaluator.scores(ofText: text, rule: rule)
          .records(name: Self.name(path), what: "\(path), windows of \(rule.length) tokens", bytes: text.utf8.count)
      }
    }
    for (path, items) in questions {
      try report.add(path, clock) { try evaluator.choices(items).records(name: Self.name(path), what: "\(path), by likelihood") }
    }
    for (path, items) in prompts {
      try report.add(path, clock) {
        try evaluator.exactMatch(items, maximumTokens: maxTokens)
          .records(name: Self.name(path), what: "\(path), greedy answer of at most \(maxTokens) tokens")
      }
    }
    var output = OutputBuffer()
    if json {
      for record in report.records { try output.line(record.json) }
    } else {
      output.append(report.table.terminal(width: Terminal.width))
    }
    try output.flush()
  }

  private func items(_ path: String, needsOptions: Bool) throws -> [EvaluationItem] {
    let items = try ItemFile.read(path, needsOptions: needsOptions)
    return Array(items.prefix(limit ?? items.count))
  }

  /// A file's name without folder and ending.
  static func name(_ path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }
}

/// Scores as they come, and how long each took.
private struct ScoreTable {
  private(set) var records: [ScoreRecord] = []
  private(set) var table = Table(["score", "value ± standard error", "of", "unit", "seconds"])

  mutating func add(_ path: String, _ clock: ContinuousClock, _ measure: () throws -> [ScoreRecord]) throws {
    let begun = clock.now
    let found = try measure()
    let seconds = (clock.now - begun) / .seconds(1)
    table.addRule()
    for (i, record) in found.enumerated() {
      table.add([
        .init(record.name), .init(Numbers.plusMinus(record.value, record.standardError)),
        .init(Numbers.grouped(record.count)), .init(record.unit), .init(i == 0 ? Numbers.fixed(seconds, 2) : ""),
      ])
    }
    records += found
  }
}
