import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastModels
import HoldfastTokenizers

struct BlendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "blend", abstract: "A model between a base and its tuned version (Wise-FT).",
    discussion: "Weights are (1 - alpha) · base + alpha · tuned, computed in f32. No training.")

  @Option(help: "Folder of the base model.") var base: String
  @Option(help: "Folder of the tuned model.") var tuned: String
  @Option(help: "0 gives the base, 1 the tuned model.") var alpha: Double
  @Option(help: "Folder to write; must not exist.") var output: String

  func validate() throws {
    guard (0...1).contains(alpha) else { throw ValidationError("--alpha is \(alpha), but lies between 0 and 1") }
  }

  func run() throws {
    guard !Files.exists(output) else {
      throw FileError(path: output, doing: "write", code: 0, reason: "something is there already; name another output")
    }
    let base = try modelFolder(base), tuned = try modelFolder(tuned)
    try Files.makeFolder(Files.folder(of: output))
    try WeightInterpolation(alpha: alpha).write(
      base: ModelFolder(base), tuned: ModelFolder(tuned), tokenizerFiles: Tokenizer(folder: tuned).files, to: output)
    print(output)
  }
}
