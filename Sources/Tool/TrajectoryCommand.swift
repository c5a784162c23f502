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
  @Option(parsing: .upToNextOption, help: "JSONL files of unseen items of the same kind.") var unseen: [String] = []
  @Option(parsing: .upToNextOption, help: "Further JSONL files, such as what the model could do before.") var others: [String] = []
  @Option(parsing: .upToNextOption, help: "An answer is known by heart at this perplexity or below (default: 1.1 1.5 2 3).") var threshold: [Double] = []
  @Option(help: "Only the first rows of each file.") var limit: Int?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 64
  @Option(help: "Where the model lies that the run began with (default: where its recipe says).") var model: String?
  @Option(help: "cpu, cuda, cuda:N or mps.") var device = "cpu"
  @Option(help: "Threads to compute with (default: libtorch's choice).") var threads: Int?
  @Option(help: "Write a page with plots into this file.") var html: String?
  @Flag(help: "Print one JSON object.") var json = false

  func validate() throws {
    for value in threshold where !(value >= 1 && value.isFinite) { throw ValidationError("--threshold is \(value), but a perplexity is 1 or more") }
    if Set(threshold).count != threshold.count { throw ValidationError("--threshold: one stands twice") }
    if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
    if Device(device) == nil { throw ValidationError("no device \"\(device)\"; there are cpu, cuda, cuda:N and mps") }
    if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more") }
    // Found out now, not when everything has been asked.
    if let html {
      if Files.isFolder(html) { throw ValidationError("--html \(html) is a folder; name a file") }
      if !Files.isFolder(Files.folder(of: html)) { throw ValidationError("--html \(html): there is no folder \(Files.folder(of: html))") }
    }
  }

  func run() throws {
    let files = try readFiles()
    let manifest = try readManifest()
    let recipe = try Recipe(manifest.recipe, methods: tuningMethods.map { $0.keys })
    let models = try CheckpointModels(run: folder, manifest: manifest, recipe: recipe, place: place(recipe))
    if let threads { try Torch.setThreads(threads) }
    let place = Device(device)!
    guard try place.isAvailable else { throw EngineError("libtorch sees no device \(place) here; try --device cpu") }
    let tokenizer = try Tokenizer(folder: models.folder.path)
    try check(files, tokenizer, models)
    let result = try note(models)
    let steps = models.steps.filter { $0 <= models.result }
    var asked = files.map { _ in AnswersAlong() }
    for (number, step) in steps.enumerated() {
      if Terminal.hasColour { printError("\(number + 1)/\(steps.count) \(step == 0 ? "the start" : "step \(step)")") }
      let evaluator = try Evaluator(model: models.model(at: step, device: place), tokenizer: tokenizer)
      for (i, file) in files.enumerated() { try asked[i].ask(evaluator, file.items, maximumTokens: maxTokens) }
    }
    let readings = (threshold.isEmpty ? [1.1, 1.5, 2, 3] : threshold.sorted()).map {
      (threshold: $0, found: Memorization(accuracies: asked[0].accuracies, perplexities: asked[0].perplexities, threshold: $0))
    }
    let report = report(steps, result, files.map(\.name), asked, readings)
    if json {
      print(Self.json(steps, files.map(\.name), asked, readings).text())
    } else {
      for (title, table) in report.tables { print("\(title)\n" + table.terminal(width: Terminal.width, colour: Terminal.hasColour)) }
      print(report.words)
    }
    if let html {
      try Files.writeAtomically(report.page.html, to: html)
      if !json { print("\nthe page: \(html)") }
    }
  }

  /// The training items first, then the unseen ones, then the others.
  private func readFiles() throws -> [(name: String, path: String, items: [EvaluationItem])] {
    let paths = [train] + unseen + others, names = paths.map(EvaluateCommand.name)
    return try zip(paths, names).map { path, name in
      let items = try ItemFile.read(path, needsOptions: false)
      return (names.count { $0 == name } > 1 ? path : name, path, Array(items.prefix(limit ?? items.count)))
    }
  }

  private func readManifest() throws -> Manifest {
    let run = RunFolder(folder)
    if Files.isFolder(folder), !Files.exists(run.manifest) {
      let runs = try Files.list(folder).filter { Files.exists(RunFolder("\(folder)/\($0)").manifest) }
      let parent = Files.folder(of: folder)
      if !runs.isEmpty { throw Problems(folder, ["it holds several runs; name one of them: \(runs.map { "\(folder)/\($0)" }.joined(separator: ", "))"]) }
      if Files.exists(RunFolder(parent).manifest) { throw Problems(folder, ["it is a part of a run; name the run: \(parent)"]) }
    }
    return try Manifest(file: run.manifest)
  }

  private func place(_ recipe: Recipe) throws -> String {
    if let model { return try modelFolder(model) }
    guard let place = try? modelFolder(recipe.model), Files.isFolder(place) else {
      throw Problems(folder, ["it began with \(recipe.model), which is not found from here; --model says where it lies"])
    }
    return place
  }

  /// Everything that could not be asked of the items, before any model is loaded.
  private func check(_ files: [(name: String, path: String, items: [EvaluationItem])], _ tokenizer: Tokenizer, _ models: CheckpointModels) throws {
    let context = models.folder.configuration.contextLength, front = tokenizer.front.count
    var problems = Problems("items")
    for file in files {
      var bad = 0
      for (index, item) in file.items.enumerated() {
        let tokens = front + tokenizer.encode(item.prompt + item.completion, addSpecialTokens: false).count
        let complaint: String? =
          if front == 0, tokenizer.encode(item.prompt, addSpecialTokens: false).isEmpty { "its prompt is empty, and an empty one cannot be continued" }
          else if item.answer.isEmpty { "its answer is empty" }
          else if item.answer.contains(where: \.isNewline) { "its answer has several lines, and a greedy answer ends with its line" }
          else if tokens > context { "it has \(tokens) tokens, and the model's context is \(context)" }
          else { nil }
        guard let complaint else { continue }
        bad += 1
        if bad <= 10 { problems.add("\(file.path): item \(index + 1): \(complaint)") }
      }
      if bad > 10 { problems.add("\(file.path): and \(bad - 10) more items") }
    }
    try problems.check()
  }

  /// What a reader of the curves must know of the checkpoints; what the last model is.
  private func note(_ models: CheckpointModels) throws -> String {
    let pruned = models.pruned.filter { $0 <= models.result }
    if !pruned.isEmpty {
      let first = pruned.prefix(3).map { "\($0)" }.joined(separator: ", ") + (pruned.count > 3 ? " …" : "")
      printError("note: \(pruned.count) checkpoints (steps \(first)) were not kept, and what was right there is not counted; `checkpoint: {keep: M}` in the recipe keeps more")
    }
    if let last = models.steps.last, last > models.result {
      printError("note: the run's result is its best step, \(models.result); what came after it is left out")
    }
    switch try RunOutcome(file: RunFolder(folder).outcome)?.end {
    case .finished, .stoppedEarly: return "at the end"
    default: return "at the last checkpoint"
    }
  }

  private typealias Readings = [(threshold: Double, found: Memorization)]

  private func report(_ steps: [Int], _ result: String, _ names: [String], _ asked: [AnswersAlong], _ readings: Readings) -> TrajectoryReport {
    let curves = zip(names, asked).map { name, along in
      TrajectoryReport.Curve(name, accuracies: along.means.map { ($0.value, $0.standardError) }, perplexities: along.meanPerplexities)
    }
    return TrajectoryReport(
      run: folder, steps: steps, result: result, training: curves[0],
      readings: readings.map { .init(threshold: $0.threshold, memorized: $0.found.memorized, preMemorization: ($0.found.estimate.value, $0.found.estimate.standardError)) },
      unseen: Array(curves.dropFirst().prefix(unseen.count)), others: Array(curves.dropFirst(1 + unseen.count)))
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
}
