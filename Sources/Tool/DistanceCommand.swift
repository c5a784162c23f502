import ArgumentParser
import HoldfastBasics
import HoldfastModels
import HoldfastReports
import HoldfastStudies

struct DistanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distance", abstract: "Show how far tuning moved a model's weights, by layer and module.",
    discussion: "Name several tuned models, such as one by Half Fine-Tuning and one by full tuning, to see them side by side.")

  @Option(help: "Folder of the base model.") var base: String
  @Option(parsing: .upToNextOption, help: "Folders of tuned models, deltas included.") var tuned: [String]
  @Flag(help: "One JSON line for each tuned model.") var json = false

  func run() throws {
    let base = try ModelFolder(modelFolder(base))
    let distances = try tuned.map { (name: $0, distance: try WeightDistance(base: base, tuned: ModelFolder(modelFolder($0)))) }
    if json {
      for (name, distance) in distances {
        print(
          JSON.object([
            "tuned": .string(name), "relative": .number(WeightDistance.relative(distance.parts)),
            "parts": .array(distance.parts.map {
              ["module": .string($0.module), "layer": $0.layer.map { .integer($0) } ?? .null, "distance": .number($0.moved.squareRoot()), "relative": .number($0.relative)]
            }),
          ]).text())
      }
      return
    }
    print(DistanceTable(distances).text)
  }
}

/// Distances side by side.
struct DistanceTable {
  let distances: [(name: String, distance: WeightDistance)]

  init(_ distances: [(name: String, distance: WeightDistance)]) { self.distances = distances }

  var text: String {
    let most = distances.flatMap { $0.distance.cells.flatMap { $0 } }.max() ?? 0
    var out = "‖θ − θ⁰‖ / ‖θ⁰‖; layers from left to right, · nothing moved, ░▒▓█ up to \(Numbers.significant(most, 3))\n"
    for (name, distance) in distances {
      out += "\n\(name): \(Numbers.significant(WeightDistance.relative(distance.parts), 3)) in all\n"
      let widest = distance.modules.map(\.count).max() ?? 0
      for (row, module) in distance.modules.enumerated() {
        let marks = distance.cells[row].map { $0 == 0 ? "·" : String(Array("░▒▓█")[min(3, Int($0 / max(most, 1e-300) * 4))]) }.joined()
        let members = distance.parts.filter { $0.module == module && $0.layer != nil }
        out += "  \(module)\(String(repeating: " ", count: widest - module.count))  \(marks)  \(Numbers.significant(WeightDistance.relative(members), 3))\n"
      }
    }
    return out + "\n" + table { $0.layer.map { "layer \($0)" } ?? $0.module }.terminal(width: Terminal.width, colour: Terminal.hasColour)
  }

  /// A row for each group of parts, a column for each model.
  func table(by group: (WeightDistance.Part) -> String) -> Table {
    var table = Table([""] + distances.map { Files.name(of: $0.name) == "final" ? Files.name(of: Files.folder(of: $0.name)) : Files.name(of: $0.name) })
    var seen: Set<String> = []
    for key in distances[0].distance.parts.map(group) where seen.insert(key).inserted {
      table.add(
        [Table.Cell(key)]
          + distances.map { Table.Cell(Numbers.significant(WeightDistance.relative($0.distance.parts.filter { group($0) == key }), 3)) })
    }
    return table
  }
}
