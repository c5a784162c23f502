import ArgumentParser
import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels

struct ParityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity", abstract: "Compare the engine with another framework's numbers for a model.",
    discussion: "Scripts/parity_reference.py writes such a file with Transformers. Exits 0 when everything agrees, 2 when not.")

  @Option(help: "Model folder, or owner/name in the Hugging Face cache.") var model: String
  @Option(help: "Another config.json for the same weights.") var config: String?
  @Option(help: "Reference file (safetensors).") var reference: String
  @Option(help: "cpu, cuda or mps.") var device = "cpu"

  func run() throws {
    guard let place = Device(device) else { throw ValidationError("no device \(device); cpu, cuda and mps are there") }
    let decoder = try ModelFolder(modelFolder(model), configurationFile: config).load(device: place)
    let lines = try parity(of: decoder, reference: reference)
    let width = lines.map(\.name.count).max() ?? 0
    for line in lines {
      let name = line.name + String(repeating: " ", count: width - line.name.count)
      print("\(line.agrees ? "  " : "✗ ")\(name)  \(line.difference)  of \(line.bound)")
    }
    let wrong = lines.count { !$0.agrees }
    print(wrong == 0 ? "\(lines.count) of \(lines.count) agree" : "\(wrong) of \(lines.count) differ")
    if wrong > 0 { throw ExitCode(2) }
  }
}
