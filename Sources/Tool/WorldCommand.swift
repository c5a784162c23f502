import ArgumentParser
import HoldfastBasics
import HoldfastDatasets

struct WorldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "world", abstract: "Write the little world: text and questions with exact answers, made from a seed.",
    discussion: """
      Writes pretraining.jsonl and pretraining.validation.jsonl, rows of `prompt` and `completion`; FAMILY.train.jsonl, \
      FAMILY.validation.jsonl and FAMILY.test.jsonl; and a model folder (configuration and tokenizer, no weights) for \
      each of three sizes.
      """)

  @Option(help: "Folder to write into; made if need be.") var output: String
  @Option(help: "1 is the world that the shipped base model was trained in.") var seed: UInt64 = 1
  @Option(help: "Documents of pretraining text.") var documents = 100_000
  @Option(help: "Training items of each family.") var train = 5_000
  @Option(help: "Validation and test items of each family.") var heldOut = 2_000

  func run() throws {
    let world = LittleWorld(seed: seed)
    try Files.makeFolder(output)
    try Files.writeAtomically(world.pretrainingJSONL(count: documents), to: output + "/pretraining.jsonl")
    try Files.writeAtomically(world.pretrainingJSONL(.validation, count: 1_000), to: output + "/pretraining.validation.jsonl")
    for family in LittleWorld.Family.allCases {
      for split in LittleWorld.Split.allCases {
        let count = split == .train ? train : heldOut
        try Files.writeAtomically(
          world.jsonl(family, split, count: count), to: "\(output)/\(family.rawValue).\(split.rawValue).jsonl")
      }
    }
    for size in LittleWorld.Size.allCases {
      let folder = "\(output)/\(size.rawValue)"
      try Files.makeFolder(folder)
      try Files.writeAtomically(size.configuration.text(.pretty) + "\n", to: folder + "/config.json")
      try Files.writeAtomically(LittleWorld.tokenizerJSON.text(.pretty) + "\n", to: folder + "/tokenizer.json")
      try Files.writeAtomically(LittleWorld.tokenizerConfiguration.text(.pretty) + "\n", to: folder + "/tokenizer_config.json")
    }
    print(output)
  }
}
