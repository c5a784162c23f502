import ArgumentParser
import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastReports
import HoldfastStudies
import HoldfastTokenizers

struct GateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate", abstract: "May a tuned model take its base's place? Yes (0) or no (2), for CI.",
    discussion: """
      Asks both models the suite and compares them item by item. A general task whose drop lies beyond --budget with its \
      whole interval says no. Where the budget lies inside the interval too few items were asked: that is said, with how \
      many would tell, and passes unless --strict. Intervals hold for all tasks together with 95 %.
      """)

  @Option(help: "Folder of the base model, or owner/name in the Hugging Face cache.") var base: String
  @Option(help: "Folder of the tuned model, or of an adapter over the base.") var candidate: String?
  @Option(parsing: .upToNextOption, help: "In place of --candidate: tuned small models, or adapters on the anti-expert; the base is then decoded as if it had been tuned so.")
  var expert: [String] = []
  @Option(help: "What the experts were before they were tuned.") var antiExpert: String?
  @Option(parsing: .upToNextOption, help: "Weights of the experts (default: equal shares of 1).") var expertWeight: [Double] = []
  @Option(help: "How strongly the experts act. (default: 1.0)") var beta: Double?
  @Flag(help: "Allow experts whose runs say that they were tuned from another model than the anti-expert.") var anyExpert = false
  @Option(help: "The suite, YAML (Docs/evaluation.md).") var suite: String
  @Option(help: "Folder at which relative paths of the suite begin (default: the suite's own).") var data: String?
  @Option(help: "What each general task may lose, in its unit: 0.02 is two points of a share.") var budget: Double
  @Option(help: "What each task of the domain must gain at least (default: nothing is asked).") var gain: Double?
  @Option(help: "Folder where finished results are kept and found again.") var cache: String?
  @Flag(help: "What too few items leave open does not pass.") var strict = false
  @Flag(help: "Print one JSON object.") var json = false
  @Option(help: "Threads to compute with (default: libtorch's choice).") var threads: Int?

  func validate() throws {
    if !(budget >= 0 && budget.isFinite) { throw ValidationError("--budget is \(budget), but is 0 or more") }
    if (candidate == nil) == expert.isEmpty { throw ValidationError("name who is asked in the base's place: a model with --candidate, or experts with --expert and --anti-expert") }
    if expert.isEmpty, antiExpert != nil || !expertWeight.isEmpty || beta != nil || anyExpert {
      throw ValidationError("--anti-expert, --expert-weight, --beta and --any-expert belong to --expert")
    }
    if !expert.isEmpty { _ = try ensemble() }
    if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more") }
  }

  func run() throws {
    let asked: EvaluationSuite
    do {
      asked = try EvaluationSuite(file: suite, data: data)
      if asked.needsBase, !expert.isEmpty {
        throw Problems(asked.name, ["drift is a distance of one model's weights and logits from its base's; an ensemble moves no weight"])
      }
      if !expert.isEmpty { try ensemble().checkOrigins() }
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
    if let threads { try Torch.setThreads(threads) }
    let folder = try modelFolder(base)
    let before = try model(folder, adapter: nil)
    let after: SuiteModel
    if let candidate {
      let isAdapter = Files.exists(candidate + "/" + AdapterFolder.configurationFile)
      after = isAdapter ? try model(folder, adapter: candidate) : try model(modelFolder(candidate), adapter: nil)
    } else {
      after = try ensemble().suiteModel()
    }
    let runner = SuiteRunner(asked, cache: cache)
    func results(_ model: SuiteModel, _ name: String) throws -> SuiteResult {
      try runner.run(model, base: before) { event in
        if case .asking(let task, let number, let count) = event { printError("\(name): \(task.name), \(number) of \(count)") }
      }
    }
    let gate = try Gate(base: results(before, "base"), candidate: results(after, "candidate"), budget: budget, gain: gain)
    if json {
      print(gate.json(isStrict: strict).text())
    } else {
      print(table(gate).terminal(width: Terminal.width, colour: Terminal.hasColour))
      print(reason(gate))
    }
    if !gate.passes(isStrict: strict) { throw ExitCode(2) }
  }

  private func ensemble() throws -> EnsembleOptions {
    do { return try .of(base, experts: expert, antiExpert: antiExpert, weights: expertWeight, beta: beta, anyExpert: anyExpert) } catch {
      throw ValidationError(error.complaints.joined(separator: "\n"))
    }
  }

  private func model(_ folder: String, adapter: String?) throws -> SuiteModel {
    let place = try ModelFolder(folder), over = try adapter.map { try AdapterFolder($0) }
    return SuiteModel(hash: try SuiteModel.hash(folder: folder, adapters: adapter.map { [$0] } ?? [])) {
      let decoder = try place.load()
      if let over { try decoder.attach(over.configuration, weights: over.weights, subject: over.path) }
      return try Evaluator(model: decoder, tokenizer: Tokenizer(folder: folder))
    }
  }

  private func text(_ value: Double, _ isShare: Bool) -> String { isShare ? Numbers.percent(value) : Numbers.fixed(value, 3) }

  private func table(_ gate: Gate) -> Table {
    var table = Table(columns: [.init("task", .left), .init("base"), .init("candidate"), .init("lost"), .init("interval"), .init("items"), .init("", .left)])
    for (index, list) in [gate.lost, gate.gained].enumerated() where !list.isEmpty {
      if index == 1 { table.addRule() }
      for finding in list {
        let isGain = index == 1, change = isGain ? -finding.change : finding.change
        let ends = finding.low.flatMap { low in finding.high.map { isGain ? (-$0, -low) : (low, $0) } }
        let (words, emphasis): (String, Table.Emphasis) =
          switch (finding.verdict, isGain) {
          case (.within, false): ("within the budget", .good)
          case (.beyond, false): ("beyond the budget", .bad)
          case (.beyond, true): ("gained enough", .good)
          case (.within, true): ("gained too little", .bad)
          case (.unclear, _): ("too few items to tell" + (finding.needed.map { ": about \(Numbers.grouped($0)) would" } ?? ""), .faint)
          }
        table.add([
          .init(finding.task, .strong), .init(text(finding.base, finding.isShare)), .init(text(finding.candidate, finding.isShare)),
          .init(text(change, finding.isShare)), .init(ends.map { "\(text($0.0, finding.isShare)) to \(text($0.1, finding.isShare))" } ?? "unknown"),
          .init("\(finding.items)"), .init(words, emphasis),
        ])
      }
    }
    return table
  }

  private func reason(_ gate: Gate) -> String {
    func names(_ findings: [Gate.Finding]) -> String { findings.map(\.task).joined(separator: ", ") }
    var parts: [String] = []
    if !gate.failures.isEmpty { parts.append("more was lost than the budget of \(Numbers.significant(budget)), beyond noise: \(names(gate.failures))") }
    if !gate.shortfalls.isEmpty { parts.append("less was gained than \(Numbers.significant(gain ?? 0)): \(names(gate.shortfalls))") }
    if !gate.unclear.isEmpty { parts.append("too few items to tell: \(names(gate.unclear))" + (strict ? "" : " (passes; --strict would not)")) }
    if parts.isEmpty { parts.append("every general task lost no more than \(Numbers.significant(budget)), with its whole interval") }
    return (gate.passes(isStrict: strict) ? "yes: " : "no: ") + parts.joined(separator: "; ")
  }
}
