import HoldfastBasics
import HoldfastModels
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

/// What a study leaves behind: report.html, report.md, report.json, points.csv, events for TensorBoard and the recommended recipe.
struct FrontierReport {
  private let summary: FrontierSummary
  private let frontier: Frontier
  private let page: FrontierPage
  private let recipe: String?

  init(_ summary: FrontierSummary, _ frontier: Frontier, studyFile: String) throws {
    self.summary = summary
    self.frontier = frontier
    recipe = try frontier.recommendedRecipe(summary)
    var page = FrontierPage(summary)
    page.courses = frontier.courses(summary).map { .init(method: $0.method, steps: $0.steps, new: $0.new, old: $0.old) }
    page.abilities = frontier.abilities(summary).map { .init(task: $0.task, change: $0.change) }
    page.samples = try frontier.sampled(summary).map { .init(task: $0.task, prompt: $0.prompt, expected: $0.expected, answers: $0.answers) }
    page.map = Self.map(frontier)
    page.provenance = try Self.provenance(frontier, studyFile)
    page.warnings = frontier.warnings
    page.recipe = recipe
    page.footer = "Holdfast \(ThisProcess.version). points.csv, report.json and report.md beside this page have every number."
    self.page = page
  }

  func write() throws {
    let folder = frontier.output
    try Files.makeFolder(folder)
    try Files.writeAtomically(page.page.html, to: folder + "/report.html")
    try Files.writeAtomically(page.markdown, to: folder + "/report.md")
    try Files.writeAtomically(json.text(.pretty) + "\n", to: folder + "/report.json")
    try Files.writeAtomically(frontier.points.csv, to: folder + "/points.csv")
    if let recipe { try Files.writeAtomically(recipe, to: folder + "/recommended.yaml") }
    try writeEvents(folder + "/events")
  }

  var json: JSON { summary.json }

  func terminal(width: Int, colour: Bool) -> String {
    var out = ""
    for measure in summary.measures {
      let words = FrontierWords(summary, measure)
      for index in (measure.arms.first?.targets ?? []).indices { out += words.targetTable(index, wide: width >= 130).terminal(width: width, colour: colour) + "\n" }
      out += words.conclusion.joined(separator: "\n") + "\n\n"
    }
    if recipe != nil { out += "the recommended recipe: \(frontier.output)/recommended.yaml\n" }
    return out + "the page: \(frontier.output)/report.html"
  }

  /// A folder for each point, which TensorBoard shows as a run.
  private func writeEvents(_ folder: String) throws {
    try Files.remove(folder)
    for entry in frontier.plan.points {
      guard let point = frontier.points[entry.key], entry.isRun else { continue }
      let place = folder + "/" + entry.label.replacing("/", with: "-")
      try Files.makeFolder(place)
      // The time is that of no clock: the same points give the same file.
      let writer = try EventWriter(path: place + "/events.tfevents", wallTime: 0)
      for station in point.stations {
        var values: [(tag: String, value: Double)] = []
        for (kind, splits) in [("loss", station.losses), ("score", station.scores)] {
          for (split, scores) in [("validation", splits.validation), ("test", splits.test)] {
            for (task, score) in scores.sorted(by: { $0.key < $1.key }) { values.append(("\(kind)/\(split)/\(task)", score.value)) }
          }
        }
        if !values.isEmpty { try writer.scalars(values, step: Int(station.at), wallTime: 0) }
      }
    }
  }

  private static func map(_ frontier: Frontier) -> RegionMap? {
    var panels: [(name: String, plan: TrainingPlan)] = []
    for method in frontier.study.methods {
      // A plan that cannot be made here (a method that must know its data first) leaves its panel out.
      if let plan = try? frontier.trainingPlan(method.name) { panels.append((method.name, plan)) }
    }
    guard let first = panels.first else { return nil }
    let modules = first.plan.rows.filter(\.isInLayers).map(\.module).filter { $0.contains("_proj") }
    return RegionMap(
      "Layers from left to right, modules from top to bottom; filled where something trains", modules: modules.map { String($0.split(separator: ".").last ?? "").replacing("_proj", with: "") },
      panels: panels.map { name, plan in
        let cells = modules.map { module -> [Double] in
          let rows = plan.rows.filter { $0.isInLayers && ($0.module == module || $0.module.hasPrefix(module + " ")) }
          return (0..<plan.model.configuration.layerCount).map { layer in
            rows.map { $0.cells[layer].total == 0 ? 0 : Double($0.cells[layer].trained) / Double($0.cells[layer].total) }.max() ?? 0
          }
        }
        return RegionMap.Panel(name, lines: ["\(Numbers.percent(Double(plan.trainedCount) / Double(max(1, plan.model.count)))) %"], cells: cells, group: name)
      })
  }

  private static func provenance(_ frontier: Frontier, _ studyFile: String) throws -> [Page.KeyValue] {
    let points = frontier.points.points
    func distinct(_ value: (FrontierPoint) -> String) -> String {
      var seen: [String] = []
      for point in points where !seen.contains(value(point)) { seen.append(value(point)) }
      return seen.joined(separator: "; ")
    }
    var out: [Page.KeyValue] = [
      .init("study", "\(Files.name(of: studyFile)), SHA-256 \(try ContentHash.of(file: studyFile))"),
      .init("points", "\(frontier.done) of \(frontier.due.count), SHA-256 of their recipes, data and model in points.jsonl"),
      .init("seeds", frontier.study.seeds.map(String.init).joined(separator: ", ")),
      .init("Holdfast", distinct(\.code)), .init("libtorch", distinct(\.libtorch)), .init("processor", distinct(\.processor)),
      .init("threads", distinct { "\($0.threads)" }),
    ]
    for task in frontier.study.tasks {
      out.append(.init(
        "\(task.name), \(task.isNew ? "new" : "old")",
        try "validation \(Files.name(of: task.validation)) \(ContentHash.of(file: task.validation).prefix(16)), test \(Files.name(of: task.test)) \(ContentHash.of(file: task.test).prefix(16))"))
    }
    return out
  }
}
