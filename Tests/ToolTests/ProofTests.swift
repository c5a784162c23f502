import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import Testing

/// Commands that prove or examine something: what they say, and their exit status.
@Suite(.serialized) struct ProofTests {
  @Test func parityAgreesOrNamesWhatDiffers() throws {
    let shop = try Workshop(examples: 1)
    let reference = Workshop.random + "/reference.safetensors"
    let agreed = shop.holdfast("parity", "--model", Workshop.random, "--reference", reference)
    #expect(agreed.status == 0 && agreed.output.hasSuffix(" agree\n") && !agreed.output.contains("✗"), "\(agreed.output)")
    for name in ["logits", "loss", "grad.model.layers.0.self_attn.q_proj.weight"] { #expect(agreed.lacks(name) == []) }
    // Another epsilon in the norms is another model.
    let file = try MappedFile(path: Workshop.random + "/config.json")
    guard case .object(var other) = try file.json() else { return }
    other["rms_norm_eps"] = 0.1
    let config = try shop.write(JSON.object(other).text(), to: "other.json")
    let differing = shop.holdfast("parity", "--model", Workshop.random, "--config", config, "--reference", reference)
    #expect(differing.status == 2 && differing.output.contains("✗ ") && differing.output.hasSuffix(" differ\n"), "\(differing.output)")
  }

  @Test func verifyNamesEveryDamage() throws {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("run", "steps: 2\nbatch: 2\ncheckpoint: {every: 1, keep: 2}")).status == 0)
    let whole = shop.holdfast("verify", shop.path + "/run")
    #expect(whole.status == 0 && whole.output.split(separator: "\n").count { $0.hasPrefix("whole") } == 3, "\(whole.output)")
    #expect(shop.holdfast("verify", "--strict", shop.path + "/run").status == 0)
    try shop.write("{}", to: "clinic.jsonl")
    #expect(shop.holdfast("verify", shop.path + "/run").status == 0)
    let changed = shop.holdfast("verify", "--strict", shop.path + "/run")
    #expect(changed.status == 2 && changed.lacks("changed  \(shop.path)/clinic.jsonl", "1 of 7 not as written") == [], "\(changed.output)")
    var bytes = try shop.bytes("run/final/model.safetensors")
    bytes[bytes.count / 2] ^= 1
    try bytes.withUnsafeBytes { try FileWriter(path: shop.path + "/run/final/model.safetensors", replacing: true).write($0) }
    try Files.remove(shop.path + "/run/checkpoints/step-000001/state.json")
    try shop.write("", to: "run/final/stray")
    let damaged = shop.holdfast("verify", shop.path + "/run")
    #expect(damaged.status == 2)
    #expect(
      damaged.lacks("model.safetensors has changed", "state.json is missing", "stray", "2 of 3 not as written", "step-000002: ") == [],
      "\(damaged.output)")
    #expect(shop.holdfast("verify", shop.path + "/model").status == 1)
    #expect(shop.holdfast("verify", shop.path + "/nowhere").status == 1)
  }

  @Test func doctorNamesWhatIsWrongWithAModel() throws {
    let shop = try Workshop(examples: 1)
    func examine(_ folder: String) -> Outcome { shop.holdfast("doctor", "--skip-measurements", "--model", folder) }
    let well = examine(Workshop.trained)
    #expect(well.status == 0 && well.lacks("✓ shim", "✓ libtorch", "✓ fit", "no NaN and no infinity", "512 ids", "Nothing needs a cure.") == [], "\(well.output)")

    // No weights, then weights with a NaN in one tensor and no tokenizer.
    let empty = examine(shop.path + "/model")
    #expect(empty.status == 2 && empty.lacks("✗ weights", "model.safetensors", "1 thing to cure.") == [], "\(empty.output)")
    let broken = try shop.copy(Workshop.random, as: "broken")
    let files = try WeightFiles(folder: broken)
    var tensors = try withExtendedLifetime(files) {
      try Dictionary(uniqueKeysWithValues: files.names.map { ($0, try Tensor(bytes: files.bytes($0), shape: files.entry($0)!.shape, dtype: files.entry($0)!.dtype)) })
    }
    let name = "model.layers.1.mlp.up_proj.weight"
    tensors[name] = try Tensor.full(tensors[name]!.shape, .nan)
    try Tensor.save(tensors, to: broken + "/model.safetensors")
    let nan = examine(broken)
    #expect(nan.status == 2 && nan.lacks("✗ numbers", name, "✗ tokenizer", "2 things to cure.") == [], "\(nan.output)")
    #expect(examine("/nowhere").status == 2)
  }

  @Test func worldIsWrittenWholeAndTheSameAgain() throws {
    let shop = try Workshop(examples: 1)
    for name in ["a", "b"] {
      let outcome = shop.holdfast("world", "--output", "\(shop.path)/\(name)", "--documents", "60", "--train", "7", "--held-out", "5")
      try #require(outcome.status == 0 && outcome.output == "\(shop.path)/\(name)\n", "\(outcome.errors)")
    }
    let names = try Files.list(shop.path + "/a")
    var expected = ["base", "large", "small", "pretraining.jsonl", "pretraining.validation.jsonl"]
    for family in LittleWorld.Family.allCases {
      for split in ["train", "validation", "test"] { expected.append("\(family.rawValue).\(split).jsonl") }
    }
    #expect(names == expected.sorted())
    for name in names where name.hasSuffix(".jsonl") {
      let bytes = try shop.bytes("a/" + name)
      #expect(try bytes == shop.bytes("b/" + name))
      let rows = name.hasPrefix("pretraining.v") ? 1000 : name.hasPrefix("pretraining") ? 60 : name.contains(".train.") ? 7 : 5
      #expect(bytes.count { $0 == 0x0A } == rows, "\(name)")
    }
    // What the base model's recipe reads: questions with their answers, in the order of the stream.
    let rows = try MappedFile(path: shop.path + "/a/pretraining.jsonl").text()
    #expect(rows == LittleWorld().pretrainingJSONL(count: 60))
    let first = try JSON(text: String(rows.prefix { $0 != "\n" }))
    #expect(first.object?.keys == ["prompt", "completion"])
    // Each size is a model to begin with.
    let outcome = shop.holdfast("tune", try shop.recipe("run", "steps: 1"), "--model", shop.path + "/a/large", "--data", shop.path + "/a/sums.train.jsonl")
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test func blendRefusesWhatDoesNotFit() throws {
    let shop = try Workshop(examples: 1)
    func blend(_ tuned: String, _ alpha: String, _ output: String) -> Outcome {
      shop.holdfast("blend", "--base", Workshop.trained, "--tuned", tuned, "--alpha", alpha, "--output", output)
    }
    let beyond = blend(Workshop.trained, "1.5", shop.path + "/new")
    #expect(beyond.status == 64 && beyond.lacks("--alpha is 1.5, but lies between 0 and 1") == [], "\(beyond.errors)")
    let taken = blend(Workshop.trained, "0.5", shop.path + "/model")
    #expect(taken.status == 1 && taken.lacks("something is there already") == [], "\(taken.errors)")
    let other = blend(Workshop.random, "0.5", shop.path + "/new")
    #expect(other.status == 1 && !Files.exists(shop.path + "/new"), "\(other.errors)")
  }

  @Test func helpKnowsEveryCommand() throws {
    let shop = try Workshop(examples: 1)
    let help = shop.holdfast("--help")
    #expect(help.status == 0)
    let list = help.output.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "SUBCOMMANDS:" }.dropFirst().prefix { !$0.isEmpty }
    let commands = list.filter { !$0.hasPrefix("   ") }.map { $0.split(separator: " ")[0] }
    #expect(commands.count == 25, "\(commands)")
    for command in commands {
      let one = shop.holdfast(String(command), "--help")
      #expect(one.status == 0 && one.output.contains("USAGE: holdfast \(command)"), "\(command): \(one.output)")
    }
    let unknown = shop.holdfast("tun")
    #expect(unknown.status == 64, "\(unknown.errors)")
  }
}
