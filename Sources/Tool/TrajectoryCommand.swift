import ArgumentParser
import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastMethods
import HoldfastModels
import HoldfastRecords
import HoldfastReports
import HoldfastTokenizers
import HoldfastTraining

struct TrajectoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trajectory", abstract: "Follow a run along its checkpoints: what it learnt, kept, and knows by heart.",
    discussion: """
      Asks the start and every checkpoint of a run for greedy answers (exactly as expected, one line) and for the likelihood of the \
      right ones. Of the training items it tells how many were answered rightly before they were known by heart, which says \
      beforehand what unseen items will score (arXiv 2411.07681). Rows are those of `evaluate --answers`; training files of prompts and \
      completions are such. A run keeps as many checkpoints as its recipe says: `checkpoint: {every: 20, keep: 100}`.
      """)

  @Argument(help: "The run's folder.") var folder: String
  @Option(help: "Training items, JSONL.") var train: String
  @Option(parsing: .upToNextOption, help: "Further JSONL files: unseen items of the same kind, and what the model could do before.") var others: [String] = []
  @Option(parsing: .upToNextOption, help: "An answer is known by heart at this perplexity or below (default: 1.1 1.5 2 3).") var threshold: [Double] = []
  @Option(help: "Only the first rows of each file.") var limit: Int?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 64
  @Option(help: "Threads to compute with (default: libtorch's choice).") var threads: Int?
  @Option(help: "Write a page with plots into this file.") var html: String?
  @Flag(help: "Print one JSON object.") var json = false

  func validate() throws {
    for value in threshold where !(value >= 1 && value.isFinite) { throw ValidationError("--threshold is \(value), but a perplexity is 1 or more") }
    if Set(threshold).count != threshold.count { throw ValidationError("--threshold: one stands twice") }
    if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
    if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more") }
  }

  func run() throws {
    // All files first: a bad row is found before a model is loaded.
    let files = try ([train] + others).map { path in
      let items = try ItemFile.read(path, needsOptions: false)
      return (name: Self.name(path), items: Array(items.prefix(limit ?? items.count)))
    }
    let recipe = try Recipe(Manifest(file: RunFolder(folder).manifest).recipe, methods: tuningMethods.map { $0.keys })
    let models = try CheckpointModels(run: folder, recipe: recipe, place: modelFolder(recipe.model))
    if models.steps.count < 3 {
      printError("note: one checkpoint is there beside the start; `checkpoint: {every: N, keep: M}` in the recipe keeps more, and a curve needs them")
    }
    if let threads { try Torch.setThreads(threads) }
    let tokenizer = try Tokenizer(folder: models.folder.path)
    var asked = files.map { _ in AnswersAlong() }
    for (number, step) in models.steps.enumerated() {
      if Terminal.hasColour { printError("\(number + 1)/\(models.steps.count) \(step == 0 ? "the start" : "step \(step)")") }
      let evaluator = try Evaluator(model: models.model(at: step), tokenizer: tokenizer)
      for (i, file) in files.enumerated() { try asked[i].ask(evaluator, file.items, maximumTokens: maxTokens) }
    }
    let readings = (threshold.isEmpty ? [1.1, 1.5, 2, 3] : threshold.sorted()).map {
      (threshold: $0, found: Memorization(accuracies: asked[0].accuracies, perplexities: asked[0].perplexities, threshold: $0))
    }
    if json { print(Self.json(models.steps, files.map(\.name), asked, readings).text()) }
    let report = Self.report(folder, models.steps, files.map(\.name), asked, readings)
    if let html { try Files.writeAtomically(report.page.html, to: html) }
    if json { return }
    print(report.accuracies.terminal(width: Terminal.width, colour: Terminal.hasColour))
    print(report.memorization.terminal(width: Terminal.width, colour: Terminal.hasColour))
    print(report.words)
    if let html { print(html) }
  }

  private typealias Readings = [(threshold: Double, found: Memorization)]

  private static func report(_ run: String, _ steps: [Int], _ names: [String], _ asked: [AnswersAlong], _ readings: Readings) -> TrajectoryReport {
    let curves = zip(names, asked).map { name, along in
      TrajectoryReport.Curve(name, accuracies: along.means.map { ($0.value, $0.standardError) }, perplexities: along.meanPerplexities)
    }
    return TrajectoryReport(
      run: run, steps: steps, training: curves[0],
      readings: readings.map { .init(threshold: $0.threshold, memorized: $0.found.memorized, preMemorization: ($0.found.estimate.value, $0.found.estimate.standardError)) },
      others: Array(curves.dropFirst()))
  }

  private static func json(_ steps: [Int], _ names: [String], _ asked: [AnswersAlong], _ readings: Readings) -> JSON {
    [
      "steps": .array(steps.map { .integer($0) }),
      "files": .array(zip(names, asked).map { name, along in
        [
          "name": .string(name), "items": .integer(along.accuracies[0].count),
          "accuracy": .array(along.means.map { .number($0.value) }),
          "standard_error": .array(along.means.map { $0.standardError.map { .number($0) } ?? .null }),
          "perplexity": .array(along.meanPerplexities.map { .number($0) }),
        ]
      }),
      "memorization": .array(readings.map { threshold, found in
        [
          "threshold": .number(threshold), "memorized": .array(found.memorized.map { .number($0) }),
          "pre_memorization": .number(found.estimate.value), "standard_error": found.estimate.standardError.map { .number($0) } ?? .null,
        ]
      }),
    ]
  }

  /// A file's name without folder and ending.
  private static func name(_ path: String) -> String { Files.name(of: path).replacing(".jsonl", with: "") }
}
