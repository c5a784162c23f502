import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastTraining

struct MethodsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List the tuning methods, or the knobs of one.",
    discussion: "A recipe names one with `method: NAME` or `method: {NAME: {knob: value}}`; a list of them is a stack.")

  @Argument(help: "A method, for its knobs.") var name: String?

  func run() throws {
    guard let name else {
      let widest = tuningMethods.map { $0.name.count }.max() ?? 0
      for method in tuningMethods {
        print(method.name + String(repeating: " ", count: widest - method.name.count + 2) + method.summary)
      }
      return
    }
    guard let method = tuningMethods.first(where: { $0.name == name }) else {
      let near = nearestName(to: name, among: tuningMethods.map { $0.name }).map { "; did you mean \($0)?" } ?? ""
      throw ValidationError("there is no method \(name)\(near)")
    }
    print("\(method.name): \(method.summary)")
    let rows = KeyReader.document { method.keys.read($0) }
    if rows.isEmpty { print("\nIt has no knobs.") }
    for row in rows {
      let unit = row.unit.isEmpty ? "" : " (\(row.unit))"
      print("\n  \(row.path): \(row.kind)\(unit); default: \(row.fallback)\n    \(row.doc)")
    }
  }
}
