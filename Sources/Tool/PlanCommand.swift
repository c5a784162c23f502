import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastModels
import HoldfastReports
import HoldfastTraining

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show who would train under a recipe, and what memory it takes.",
    discussion: "Reads the model's configuration and the recipe, no weights and no data. Flags override the recipe as in `tune`.")

  @Argument(help: "The recipe, YAML or JSON.") var recipe: String
  @Flag(help: "One JSON object.") var json = false
  @Flag(help: "A regular expression of the names that train, for trainers that choose by pattern.") var regex = false
  @Argument(parsing: .captureForPassthrough, help: .hidden) var overrides: [String] = []

  func run() throws {
    var flags = overrides
    let asJSON = json || flags.contains("--json")
    let asRegex = regex || flags.contains("--regex")
    flags.removeAll { $0 == "--json" || $0 == "--regex" }
    if flags.contains("--help") || flags.contains("-h") { throw CleanExit.helpRequest(self) }
    let plan: TrainingPlan
    if try StagedRecipe.has(file: recipe) {
      for (number, stage) in try TuneStages.read(recipe, Overrides.parse(flags)).stages.enumerated() {
        let plan = try TrainingPlan(stage.recipe, methods: tuningMethods, place: StagePlace(number: number, origin: stage.recipe.model))
        if !asJSON { print("Stage \(stage.name)\n") }
        print(asJSON ? JSON.object(facts(plan)).text() : text(plan), terminator: asJSON ? "\n" : "\n\n")
      }
      return
    }
    do {
      plan = try TrainingPlan(
        Recipe(file: recipe, overrides: Overrides.parse(flags), methods: tuningMethods.map { $0.keys }), methods: tuningMethods)
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
    if asRegex { return print(plan.regularExpression) }
    print(asJSON ? JSON.object(facts(plan)).text() : text(plan), terminator: asJSON ? "\n" : "")
  }

  private func facts(_ plan: TrainingPlan) -> JSONObject {
    [
      "parameters": .integer(plan.model.count), "trained": .integer(plan.trainedCount),
      "adapter": plan.model.adapter.map { .string($0.configuration.kind.rawValue) } ?? .null,
      "lowest_trained_layer": plan.lowestTrainedLayer.map { .integer($0) } ?? .null,
      "bytes": .object(JSONObject(plan.bytes.map { ($0.what, .integer($0.bytes)) })),
      "preparations": .array(plan.preparations.map {
        [
          "method": .string($0.method), "name": .string($0.name), "tokens": $0.tokens.map { .integer($0) } ?? .null,
          "forward_passes": .integer($0.forwardPasses), "backward_passes": .integer($0.backwardPasses), "bytes": .integer($0.bytes),
        ]
      }),
      "tensors": .array(plan.model.parameters.map(\.name).filter(plan.trained.contains).map { .string($0) }),
    ]
  }

  private func text(_ plan: TrainingPlan) -> String {
    let layers = plan.model.configuration.layerCount, rows = plan.rows
    let widest = rows.map(\.module.count).max() ?? 0
    func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
    var out = "Layers 0 to \(layers - 1) from left to right: █ trains, ▒ in part, · stays as it is\n\n"
    for row in rows {
      let cells = row.cells.map { $0.trained == 0 ? "·" : $0.trained == $0.total ? "█" : "▒" }.joined()
      let trained = row.cells.reduce(0) { $0 + $1.trained }, total = row.cells.reduce(0) { $0 + $1.total }
      out += "  \(padded(row.module, widest))  \(padded(cells, layers))  \(percent(trained, total))\n"
    }
    out += "\n\(grouped(plan.trainedCount)) of \(grouped(plan.model.count)) parameters train (\(percent(plan.trainedCount, plan.model.count)))\n"
    if let adapter = plan.model.adapter {
      let c = adapter.configuration
      out += "Adapter: \(c.kind.rawValue) of rank \(c.rank), alpha \(c.alpha), on \(adapter.linears.count) linear layers; the model's own weights stay as they are\n"
    }
    if let lowest = plan.lowestTrainedLayer, !plan.reachesEmbedding {
      out += "Backpropagation stops below layer \(lowest): \(lowest) of \(layers) layers are only passed forward\n"
    }
    for warning in plan.warnings { out += "warning: \(warning)\n" }
    var table = Table(columns: [.init("memory without activations", .left), .init("GiB")])
    for (what, bytes) in plan.bytes { table.add([.init(what), .init(gib(bytes))]) }
    table.addRule()
    table.add([.init("together", .strong), .init(gib(plan.bytes.reduce(0) { $0 + $1.bytes }), .strong)])
    out += "\n" + table.terminal(width: Terminal.width, colour: Terminal.hasColour)
    guard !plan.preparations.isEmpty else { return out }
    var before = Table(["before the first step", "tokens, at most", "forward", "backward", "GiB kept"])
    for wanted in plan.preparations {
      before.add([
        .init("\(wanted.method): \(wanted.name)"), .init(wanted.tokens.map(grouped) ?? "all of its data"),
        .init("\(wanted.forwardPasses)"), .init("\(wanted.backwardPasses)"), .init(gib(wanted.bytes)),
      ])
    }
    return out + "\n" + before.terminal(width: Terminal.width, colour: Terminal.hasColour)
  }

  private func percent(_ part: Int, _ whole: Int) -> String {
    let tenths = (Double(part) / Double(max(1, whole)) * 1000).rounded() / 10
    return "\(tenths) %"
  }

  private func gib(_ bytes: Int) -> String {
    let value = (Double(bytes) / 0x1p30 * 1000).rounded() / 1000
    return "\(value)"
  }

  private func grouped(_ number: Int) -> String {
    var digits = String(number), out = ""
    while digits.count > 3 {
      out = "," + digits.suffix(3) + out
      digits.removeLast(3)
    }
    return digits + out
  }
}
