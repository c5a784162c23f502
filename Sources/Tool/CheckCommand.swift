import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastMethods
import HoldfastReports
import HoldfastTokenizers
import HoldfastTraining

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "See what exactly would be trained on, and what is wrong with it.",
    discussion: """
      Goes through the data of a recipe, or of --data for a --model, as training does, and says of each source: rows, tokens, what \
      is learnt, lengths, duplicates, rows that also stand in the evaluation data, lost ends, characters that the tokenizer cannot \
      express, and history that the chat template prints otherwise than at inference. Exit code 2: `tune` would refuse the data.
      """)

  @Argument(help: "A recipe, instead of --model and --data.") var recipe: String?
  @Option(help: "Folder with tokenizer.json, or owner/name in the Hugging Face cache.") var model: String?
  @Option(parsing: .upToNextOption, help: "Files, folders or patterns, each a source.") var data: [String] = []
  @Option(parsing: .upToNextOption, help: "Evaluation data: files whose rows should not stand in the training data.") var against: [String] = []
  @Option(help: "Positions of a training row (default: the recipe's; without one nothing is too long).") var sequenceLength: Int?
  @Option(help: "completion, assistant or all (default: by format).", transform: choice) var trainOn: TrainOn?
  @Option(help: "all, last or split.", transform: choice) var turns: Turns?
  @Option(help: "Show so many examples of each source, with what is learnt in colour or in ⟦brackets⟧.") var show = 0
  @Option(help: "Write a page to this file.") var html: String?
  @Flag(help: "Write JSON, a line for each source.") var json = false

  func validate() throws {
    if (recipe == nil) == (model == nil) { throw ValidationError("give a recipe, or --model and --data") }
    if model != nil, data.isEmpty { throw ValidationError("--model needs --data") }
    if recipe != nil, !data.isEmpty { throw ValidationError("the data of a recipe stand in it; leave --data away") }
    if show < 0 { throw ValidationError("--show must be 0 or more") }
  }

  func run() throws {
    let setup = try setup()
    let tokenizer = try Tokenizer(folder: setup.folder)
    let renderer = ExampleRenderer(encoder: tokenizer, messages: try chatTemplate(setup.folder))
    var check = DataCheck(
      tokenizer: tokenizer, renderer: renderer, rowLength: setup.rowLength, tooLong: setup.tooLong, badRows: setup.badRows,
      workers: Machine.processors, pairs: setup.pairs)
    for source in setup.evaluation { try check.remember(evaluation: source) }
    var results: [SourceCheck] = []
    for (index, source) in setup.sources.enumerated() {
      // A page without examples shows little.
      results.append(try check.check(source, index: index, shown: show > 0 || html == nil ? show : 3))
    }
    let refused = results.contains { !$0.refusals.isEmpty }
    let verdict = refused ? "tune would refuse this data." : "tune would take this data."
    let plain = MaskView(tokenizer, isColoured: false), view = MaskView(tokenizer, isColoured: Terminal.hasColour)
    let report = DataReport(
      title: "What is trained on", subtitle: verdict,
      sources: results.map { $0.report(hasEvaluation: !setup.evaluation.isEmpty, view: plain) })
    if let html { try Files.writeAtomically(report.page.html, to: html) }
    var output = OutputText()
    if json {
      for result in results { output.line(result.json) }
    } else {
      output.line(report.terminal(colour: Terminal.hasColour))
      for result in results {
        for example in result.shown.prefix(show) {
          output.line("\n— \(result.source), line \(example.line): \(example.rendering.ids.count) tokens, \(example.rendering.trainedCount) learnt")
          output.line(view.text(example.rendering))
        }
      }
      output.line("\n" + verdict)
    }
    var buffer = OutputBuffer()
    buffer.append(output.bytes)
    try buffer.flush()
    if refused { throw ExitCode(2) }
  }

  private struct Setup {
    var folder: String
    var sources, evaluation: [DataSource]
    var rowLength: Int?
    var tooLong = TooLong.refuse
    var badRows = BadRows.refuse
    /// Preference pairs are learnt from.
    var pairs = false
  }

  private func setup() throws -> Setup {
    let others = against.map { DataSource(path: $0) }
    guard let file = recipe else {
      return Setup(
        folder: try modelFolder(model ?? ""), sources: data.map { DataSource(path: $0, trainOn: trainOn, turns: turns) },
        evaluation: others, rowLength: sequenceLength)
    }
    do {
      let recipe = try Recipe(file: file, overrides: [], methods: tuningMethods.map { $0.keys })
      let isWrapped = recipe.packing && recipe.objective == .pretraining
      let sources = recipe.data.map { source in
        var source = source
        source.trainOn = trainOn ?? source.trainOn
        source.turns = turns ?? source.turns
        return source
      }
      return Setup(
        folder: try modelFolder(recipe.model), sources: sources, evaluation: others + (recipe.evaluate?.data ?? []) + (recipe.watch.map { $0.general + $0.domain } ?? []),
        rowLength: isWrapped ? nil : sequenceLength ?? recipe.sequenceLength, tooLong: recipe.tooLong, badRows: recipe.badRows,
        pairs: recipe.objective == .dpo)
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
  }
}

/// The case that a word names.
private func choice<Choice: RawRepresentable & CaseIterable>(_ word: String) throws -> Choice where Choice.RawValue == String {
  if let choice = Choice(rawValue: word) { return choice }
  throw ValidationError("\"\(word)\" is not one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
}

extension SourceCheck {
  /// The facts in words; those that are not worth a line are left out.
  fileprivate func report(hasEvaluation: Bool, view: MaskView) -> DataReport.Source {
    let share = tokens > 0 ? " (\(Numbers.fixed(Double(trainedTokens) / Double(tokens) * 100, 1)) %)" : ""
    var facts: [DataReport.Fact] = [
      .init("rows", Numbers.grouped(rows)), .init("examples", Numbers.grouped(examples)), .init("tokens", Numbers.grouped(tokens)),
      .init("learnt", Numbers.grouped(trainedTokens) + share), .init("longest example", "\(Numbers.grouped(longestExample)) tokens"),
    ]
    if let format { facts.insert(.init("format", format.rawValue), at: 0) }
    func add(_ name: String, _ count: Int, always: Bool = false, isBad: Bool = true) {
      if count > 0 || always { facts.append(.init(name, Numbers.grouped(count), isBad: isBad && count > 0)) }
    }
    add("bad rows", badRows, always: true)
    add("rows without anything to learn", untrained)
    add("longer than a row", tooLong)
    add("duplicates", duplicates, always: true)
    add("near duplicates", nearDuplicates, always: true)
    if hasEvaluation {
      add("also in the evaluation data", contaminated, always: true)
      add("nearly so", nearlyContaminated, always: true)
    }
    add("learnt part without an end token", withoutEnd, always: true)
    add("beginning token twice", doubledBeginnings)
    add("tokens that stand for unknown characters", unknownTokens)
    add("tokens across an edge of what is learnt", edgeTokens, isBad: false)
    add("rows whose history stands otherwise than at inference", historyDifferences)
    var complaints = refusals
    if let firstHistoryDifference { complaints.append("In one row, \(firstHistoryDifference).") }
    complaints += firstBadRows.map { "\($0)" }
    return DataReport.Source(
      name: source, facts: facts, lengths: lengths.enumerated().map { (16 << $0, $1) }, complaints: complaints,
      examples: shown.map { example in
        (
          "Line \(example.line): \(example.rendering.ids.count) tokens, \(example.rendering.trainedCount) learnt.",
          view.pieces(example.rendering).map { Page.Stretch($0.text, isMarked: $0.isTrained) }
        )
      })
  }
}
