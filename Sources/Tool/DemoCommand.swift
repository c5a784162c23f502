import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "The whole story in three minutes, nothing to download.",
    discussion: """
      A small model that comes with Holdfast is taught a domain of the little world by full fine-tuning, by full \
      fine-tuning at a low rate, by Half Fine-Tuning and by interpolating weights. What it learned and what it kept is \
      measured on held-out items before and after.
      """)

  @Option(help: "Folder for runs and the report; must be new.") var output: String?
  @Option(help: "Folder of the base model; the one that comes with Holdfast by default.") var base: String?
  @Option(help: "Held-out items asked of each family.") var items = 200
  @Option(help: "Seed of data order and of the half that trains.") var seed = 1

  func run() throws {
    var demo = Demo(base: try base.map(modelFolder) ?? Shipped.path("World/base"), output: output ?? "runs/\(ThisProcess.stamp())-demo")
    demo.items = items
    demo.seed = seed
    let began = ThisProcess.now()
    ThisProcess.noteInterrupts()
    let console = DemoConsole()
    let result = try demo.run(surroundings: ThisProcess.surroundings, observer: console) { event in
      switch event {
      case .measuring(let name): printError("measuring \(name)")
      case .teaching(let name, let method, let rate):
        printError("teaching by \(name) (method \(method), \(demo.steps) steps at \(rate))")
      case .measured(let outcome):
        printError("  \(summary(outcome))")
      }
    }
    let report = demo.output + "/report.html"
    try Files.writeAtomically(DemoReport(result: result, demo: demo).page.html, to: report)
    let page = DemoReport(result: result, demo: demo)
    print(page.shortTable.terminal(width: Terminal.width, colour: Terminal.hasColour))
    print(page.familyTable.terminal(width: Terminal.width, colour: Terminal.hasColour))
    print("\(Numbers.duration(ThisProcess.now() - began)); the page with the plot: \(report)")
  }

  private func summary(_ outcome: Demo.Outcome) -> String {
    "speciality \(Numbers.percent(outcome.speciality.value)) %, versatility \(Numbers.percent(outcome.versatility.value)) %"
  }
}

/// Shows the steps of the demo's runs on one line each fifth of a run.
private final class DemoConsole: RunObserver {
  func observe(_ event: RunEvent) throws -> RunAnswer {
    if case .step(let record, let timing, let total) = event, (record.step + 1) % max(1, total / 5) == 0 {
      let left = ProgressLine.secondsLeft(step: record.step + 1, of: total, elapsed: timing.seconds)
      printError(
        "  " + ProgressLine(step: record.step + 1, of: total, loss: record.loss, tokensPerSecond: timing.tokensPerSecond, secondsLeft: left).text())
    }
    if ThisProcess.isInterrupted {
      printError("interrupted; the demo's runs so far stay in its folder")
      throw ExitCode(ThisProcess.interruptedStatus)
    }
    return .goOn
  }
}

/// The demo's page.
struct DemoReport {
  let result: Demo.Result
  let demo: Demo

  var tradeOff: TradeOff {
    func entry(_ outcome: Demo.Outcome) -> TradeOff.Entry {
      TradeOff.Entry(
        outcome.name, group: outcome.group, speciality: outcome.speciality, versatility: outcome.versatility, others: outcome.families,
        trained: outcome.trained)
    }
    return TradeOff(base: entry(result.base), entries: result.outcomes.map(entry))
  }

  /// What was learned and what was kept, for a terminal of 80 columns.
  var shortTable: Table {
    var short = tradeOff
    short.base.others = []
    for i in short.entries.indices { short.entries[i].others = [] }
    return short.table
  }

  /// Each family of versatility, in percent with standard errors.
  var familyTable: Table {
    var table = Table([""] + result.base.families.map(\.name))
    for (index, outcome) in ([result.base] + result.outcomes).enumerated() {
      if index == 1 { table.addRule() }
      table.add([Table.Cell(outcome.name, .strong)] + outcome.families.map { Table.Cell(Numbers.percent($0.value, $0.standardError)) })
    }
    return table
  }

  var page: Page {
    let full = result.outcomes[0]
    // Interpolated models answer between the base and full fine-tuning, and would make the table too wide to read.
    let shown = [result.base] + result.outcomes.prefix(demo.ways.count)
    var answers = Table(
      columns: [Table.Column("family", .left), Table.Column("question", .left, wraps: true), Table.Column("right", .left, wraps: true)]
        + shown.map { Table.Column($0.name, .left, wraps: true) })
    for (i, question) in result.questions.enumerated() {
      answers.add(
        [Table.Cell(question.family, .faint), Table.Cell(question.prompt), Table.Cell(question.expected)]
          + shown.map { Table.Cell($0.answers[i], $0.answers[i] == question.expected ? .good : .bad) })
    }
    let lost = (result.base.versatility.value - full.versatility.value) * 100
    return Page(
      "What it learned, and what it kept",
      subtitle: "A small model is taught the domain \(result.domain) of the little world in \(result.outcomes.count) ways",
      footer: "Holdfast \(ThisProcess.version). Every number is in the folders beside this page.",
      sections: [
        Page.Section("", [
          .figures([
            .init("learned by full fine-tuning", "\(Numbers.percent(full.speciality.value)) %", note: "from \(Numbers.percent(result.base.speciality.value)) %"),
            .init("kept of what it knew", "\(Numbers.percent(full.versatility.value)) %", note: "from \(Numbers.percent(result.base.versatility.value)) %: \(Numbers.fixed(lost, 1)) points forgotten"),
          ]),
          .plot(tradeOff.plot()),
          .note("Bars are one standard error over items of one run. Points at different heights learned differently much; only at the same height does further right mean that more was kept. This is one seed: another one moves every point."),
        ]),
        Page.Section("Numbers", [.table(shortTable), .note("In percent, ± one standard error: exact match of greedy answers to \(demo.items) held-out items a family. Speciality is the new domain, versatility the mean of the families that the base knew; change is in points of versatility. Wise-FT: weights that share of the way from base to full.")]),
        Page.Section("What it knew, by family", [.table(familyTable)]),
        Page.Section("Answers before and after", [.table(answers)]),
      ])
  }
}
