import HoldfastEvaluation
import HoldfastMethods
import HoldfastModels
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

/// A search for the terminal and as a page.
struct SearchReport {
  let result: RegionSearch.Result

  static func text(_ estimate: Estimate) -> String { Numbers.percent(estimate.value, estimate.standardError) }

  private var chosen: VisitedNode { result.visited[result.chosen] }

  var summary: String {
    "chosen: \(chosen.node.label), Uni \(Numbers.fixed(chosen.uni, 3)) = half of speciality \(Numbers.fixed(chosen.specialityShare, 3)) and versatility \(Numbers.fixed(chosen.versatilityShare, 3)); \(result.runs) runs, \(Numbers.fixed(result.cost, 2)) of full length; \(result.ending)"
  }

  /// Modules in the model's order, those of a layer only.
  private var modules: [String] {
    var seen: Set<String> = []
    return result.model.parameters.filter { $0.layer == 0 && $0.module.contains("_proj") }.map(\.module).filter { seen.insert($0).inserted }
  }

  /// Whether a node trains a module of a layer.
  private func cells(_ node: SearchNode) -> [[Double]] {
    let layers = result.model.configuration.layerCount
    let names: Set<String> =
      node.isWhole ? Set(result.model.parameters.map(\.name))
      : Set((try? Region(layers: node.layers, modules: node.modules).parameters(of: result.model)) ?? [])
    return modules.map { module in
      (0..<layers).map { layer in names.contains("model.layers.\(layer).\(module).weight") ? 1 : 0 }
    }
  }

  private func short(_ module: String) -> String { String(module.split(separator: ".").last ?? "").replacing("_proj", with: "") }

  /// How far down the tree each cell was looked at, and what was chosen.
  var terminalMap: String {
    let layers = result.model.configuration.layerCount
    var deepest = modules.map { _ in [Int](repeating: 0, count: layers) }
    for visited in result.visited {
      for (row, values) in cells(visited.node).enumerated() {
        for (layer, share) in values.enumerated() where share > 0 { deepest[row][layer] = max(deepest[row][layer], visited.level) }
      }
    }
    let best = cells(chosen.node)
    let widest = modules.map { short($0).count }.max() ?? 0
    var out = "Layers 0 to \(layers - 1) from left to right: █ chosen, else the deepest level at which it was tried\n\n"
    for (row, module) in modules.enumerated() {
      let name = short(module)
      let marks = (0..<layers).map { best[row][$0] > 0 && !chosen.node.isWhole ? "█" : deepest[row][$0] == 0 ? "·" : "\(deepest[row][$0])" }
      out += "  \(name)\(String(repeating: " ", count: widest - name.count))  \(marks.joined())\n"
    }
    return out
  }

  /// What every region scored; `explained` says too why the search went on below it or not.
  func nodeTable(explained: Bool) -> Table {
    var columns: [Table.Column] = [
      .init("level"), .init("region", .left), .init("trained"), .init("speciality"), .init("versatility"), .init("gain"), .init("learned"),
      .init("kept"), .init("Uni"),
    ]
    if explained { columns.append(.init("", .left, wraps: true)) }
    var table = Table(columns: columns)
    for (index, visited) in result.visited.enumerated() {
      var row: [Table.Cell] = [
        .init("\(visited.level)"), .init(visited.node.label, index == result.chosen ? .strong : .none),
        .init(Numbers.percent(result.fractions[visited.node] ?? 1) + " %"), .init(Self.text(visited.speciality)),
        .init(Self.text(visited.versatility)), .init(visited.gain.map(Self.text) ?? ""), .init(Numbers.fixed(visited.specialityShare, 3)),
        .init(Numbers.fixed(visited.versatilityShare, 3)), .init(Numbers.fixed(visited.uni, 3)),
      ]
      if explained { row.append(.init(visited.verdict, .faint)) }
      table.add(row)
    }
    return table
  }

  var fullTable: Table {
    var table = Table(columns: [
      .init("in full", .left), .init("trained"), .init("speciality"), .init("versatility"), .init("learned"), .init("kept"), .init("Uni"),
    ])
    table.add([
      .init("base", .strong), .init(""), .init(Self.text(SearchScores.mean(result.base.speciality))),
      .init(Self.text(SearchScores.mean(result.base.versatility))),
    ])
    for full in result.full {
      table.add([
        .init(full.name, .strong), .init(Numbers.percent(full.trainedFraction) + " %"), .init(Self.text(SearchScores.mean(full.scores.speciality))),
        .init(Self.text(SearchScores.mean(full.scores.versatility))), .init(Numbers.fixed(full.specialityShare, 3)),
        .init(Numbers.fixed(full.versatilityShare, 3)), .init(Numbers.fixed(full.uni, 3)),
      ])
    }
    return table
  }

  private var map: Plot {
    .regions(
      RegionMap(
        "Regions that were tried", modules: modules.map(short),
        panels: result.visited.enumerated().map { index, visited in
          RegionMap.Panel(
            visited.node.label,
            lines: [
              "speciality \(Numbers.percent(visited.speciality.value)) %", "versatility \(Numbers.percent(visited.versatility.value)) %",
              "Uni \(Numbers.fixed(visited.uni, 3)), level \(visited.level)",
            ], cells: cells(visited.node), group: index == result.chosen ? "chosen" : "tried", isFramed: index == result.chosen)
        }))
  }

  private func record(_ name: String, _ estimate: Estimate) -> ScoreRecord {
    ScoreRecord(name: name, value: estimate.value, standardError: estimate.standardError, count: estimate.count, unit: "share", what: name)
  }

  private func entry(_ name: String, group: String, _ scores: SearchScores, trained: Double?) -> TradeOff.Entry {
    TradeOff.Entry(
      name, group: group, speciality: record("speciality", SearchScores.mean(scores.speciality)),
      versatility: record("versatility", SearchScores.mean(scores.versatility)), trained: trained)
  }

  private func lensPlot(_ title: String, _ curve: (RegionSearch.Lens) -> [Estimate]) -> Plot {
    .lines(
      Lines(
        title, x: Axis("layer (0: the embedding)"), y: Axis("log-probability of the right answer, nats a token"),
        lines: result.lenses.map { lens in
          let values = curve(lens)
          return Lines.Line(
            lens.name, xs: values.indices.map(Double.init), ys: values.map(\.value), errors: values.map { $0.standardError ?? 0 })
        }))
  }

  var page: Page {
    let base = entry("base", group: "base", result.base, trained: nil)
    let probes = result.visited.map { entry($0.node.label, group: "level \($0.level)", $0.scores, trained: result.fractions[$0.node]) }
    var sections = [
      Page.Section("", [
        .figures([
          .init("chosen", chosen.node.label, note: "\(Numbers.percent(result.fractions[chosen.node] ?? 1)) % of the parameters"),
          .init("speciality", Numbers.fixed(chosen.specialityShare, 3), note: "of what full tuning's run of the same length learns"),
          .init("versatility", Numbers.fixed(chosen.versatilityShare, 3), note: "of the base's"),
          .init("cost", Numbers.fixed(result.cost, 2), note: "runs of full length, \(result.runs) runs"),
        ]),
        .plot(map),
        .note("Layers from left to right, modules from top to bottom; what trains is filled. The framed region has the best Uni, the mean of its share of full tuning's speciality and its share of the base's versatility. \(result.ending)."),
      ]),
      Page.Section("Every region that was tried", [
        .table(nodeTable(explained: true)),
        .note("Scores in percent ± one standard error over items; the gain is that of versatility over the parent, item by item. Learned: the share of what full tuning's run of the same length learns; kept: the share of the base's versatility; Uni: their mean."),
        .plot(TradeOff(base: base, entries: probes).plot()),
      ]),
    ]
    if !result.full.isEmpty {
      sections.append(
        Page.Section("At full length", [.table(fullTable), .note("Equal steps: a region that learns less also forgets less. Only at the same speciality does more versatility mean that more was kept.")]))
    }
    if !result.lenses.isEmpty {
      sections.append(
        Page.Section("Where the answers form", [
          .plot(lensPlot("The domain") { $0.speciality }), .plot(lensPlot("What the model knew") { $0.versatility }),
          .note("The hidden state behind each layer, read by the final norm and the head as if the model ended there; bands are one standard error over items."),
        ]))
    }
    return Page(
      "Which part to train", subtitle: "\(result.visited.count) regions, \(result.runs) runs",
      footer: "Holdfast \(ThisProcess.version). search.jsonl beside this page has every number.", sections: sections)
  }
}
