import HoldfastBasics
import HoldfastEngine
import Testing

/// Bad input is named with its cure, and nothing that was there is lost.
@Suite(.serialized) struct BadInputTests {
  @Test func modelsThatCannotBeRead() throws {
    let shop = try Workshop(examples: 1)
    func refusal(_ folder: String) -> Outcome { shop.holdfast("generate", "--model", folder, "--prompt", "a") }
    func model(_ name: String) throws -> String { try shop.copy(Workshop.trained, as: name) }

    let absent = refusal("/nowhere")
    #expect(absent.status == 1 && absent.lacks("/nowhere", "no such folder") == [], "\(absent.errors)")

    let cut = try model("cut")
    let bytes = try shop.bytes("cut/model.safetensors")
    try bytes.dropLast(1000).withUnsafeBytes { try FileWriter(path: cut + "/model.safetensors", replacing: true).write($0) }
    let short = refusal(cut)
    #expect(short.status == 1 && short.lacks("cut/model.safetensors", "the file is cut short") == [], "\(short.errors)")

    let none = try model("none")
    try Files.remove(none + "/model.safetensors")
    let missing = refusal(none)
    #expect(missing.status == 1 && missing.lacks("none", "model.safetensors") == [], "\(missing.errors)")

    let other = try model("other")
    try shop.write(#"{"model_type": "qwen4", "architectures": ["Qwen4ForCausalLM"]}"#, to: "other/config.json")
    let foreign = refusal(other)
    #expect(foreign.status == 1, "\(foreign.errors)")
    #expect(
      foreign.lacks("other/config.json", "the architecture \"qwen4\" is not supported", "did you mean", "supported are llama, mistral, qwen2, qwen3") == [],
      "\(foreign.errors)")

    let word = try model("word")
    try shop.write(#"{"model": {"type": "WordPiece", "vocab": {}}, "normalizer": {"type": "BertNormalizer"}}"#, to: "word/tokenizer.json")
    let strange = refusal(word)
    #expect(strange.status == 1 && strange.lacks("word/tokenizer.json", "WordPiece", "BertNormalizer", "not supported") == [], "\(strange.errors)")
  }

  @Test func tensorsMissingAndLeftOverAreAllNamed() throws {
    let shop = try Workshop(examples: 1)
    let folder = try shop.copy(Workshop.trained, as: "model2")
    let files = try WeightFiles(folder: folder)
    var tensors = try withExtendedLifetime(files) {
      try Dictionary(uniqueKeysWithValues: files.names.map { ($0, try Tensor(bytes: files.bytes($0), shape: files.entry($0)!.shape, dtype: .float32)) })
    }
    let missing = ["model.layers.0.mlp.up_proj.weight", "model.layers.3.input_layernorm.weight"]
    for name in missing { tensors[name] = nil }
    for name in ["model.layers.4.mlp.up_proj.weight", "lora.a"] { tensors[name] = try Tensor.zeros([2]) }
    tensors["model.norm.weight"] = try Tensor.zeros([3])
    try Tensor.save(tensors, to: folder + "/model.safetensors")
    let outcome = shop.holdfast("evaluate", "--model", folder, "--text", shop.path + "/text.jsonl")
    #expect(outcome.status == 1 && outcome.errors.contains("5 problems"), "\(outcome.errors)")
    for name in missing { #expect(outcome.lacks("\(name) is missing") == []) }
    #expect(
      outcome.lacks("lora.a stands in the file", "model.layers.4.mlp.up_proj.weight stands in the file", "model.norm.weight has the shape [3]; the configuration asks for [128]")
        == [], "\(outcome.errors)")
  }

  @Test func badRowsRefuseTheRunOrAreSkipped() throws {
    let shop = try Workshop(examples: 30)
    let bad = [
      "{", "[1]", #"{"prompt": "a"}"#, #"{"prompt": "a", "completion": 3}"#, #"{"completion": "a"}"#, #"{"prompt": "", "completion": ""}"#,
      #"{"prompt": "a", "prompt": "b", "completion": "c"}"#, "nothing", #"{"prompt": "a", "completion": "b""#, "{}", "7", "null",
    ]
    let good = try MappedFile(path: shop.path + "/clinic.jsonl").text()
    let file = try shop.write(good + bad.joined(separator: "\n") + "\n", to: "clinic.jsonl")
    let recipe = try shop.recipe("run", "steps: 1\nbatch: 2")
    let refused = shop.holdfast("tune", recipe)
    #expect(refused.status == 1 && !Files.exists(shop.path + "/run"), "\(refused.errors)")
    #expect(refused.lacks("12 of 42 rows cannot be trained on", "and 2 more", "bad_rows: {skip: 0.28") == [], "\(refused.errors)")
    let named = refused.errors.split(separator: "\n").filter { $0.contains("\(file), line ") }
    #expect(named.count == 10)
    for (number, line) in named.enumerated() { #expect(line.contains("line \(31 + number): "), "\(line)") }
    #expect(shop.holdfast("tune", recipe, "--bad-rows", "{skip: 0.2}").status == 1)
    let skipped = shop.holdfast("tune", recipe, "--bad-rows", "{skip: 0.3}")
    #expect(skipped.status == 0 && skipped.lacks("30 examples", "12 bad rows skipped") == [], "\(skipped.errors)")
  }

  @Test func examplesLongerThanTheRow() throws {
    let shop = try Workshop(examples: 20)
    let long = #"{"prompt": "\#(String(repeating: "a ", count: 40))", "completion": " \#(String(repeating: "b ", count: 60))"}"#
    let lost = #"{"prompt": "\#(String(repeating: "a ", count: 90))", "completion": " b"}"#
    let good = try MappedFile(path: shop.path + "/clinic.jsonl").text()
    try shop.write(good + long + "\n" + lost + "\n", to: "clinic.jsonl")
    let recipe = try shop.recipe("run", "steps: 1\nbatch: 2")
    let refused = shop.holdfast("tune", recipe)
    #expect(refused.status == 1 && refused.lacks("line 21", "line 22", "but a row takes 65", "too_long: truncate") == [], "\(refused.errors)")
    let cut = shop.holdfast("tune", recipe, "--too-long", "truncate")
    #expect(cut.status == 0 && cut.lacks("21 examples", "1 cut to the row", "1 longer than the row and left out") == [], "\(cut.errors)")
    try Files.remove(shop.path + "/run")
    let dropped = shop.holdfast("tune", recipe, "--too-long", "drop")
    #expect(dropped.status == 0 && dropped.lacks("20 examples", "2 longer than the row and left out") == [], "\(dropped.errors)")
  }

  @Test func resumeSaysWhatIsNotAsItWas() throws {
    let shop = try Workshop(examples: 50)
    try #require(shop.holdfast("tune", try shop.recipe("run", "steps: 2\nbatch: 2")).status == 0)
    let manifest = try MappedFile(path: shop.path + "/run/manifest.json").text()
    guard case .object(var other) = try JSON(text: manifest) else { return }
    other["threads"] = 7
    other["libtorch"] = "2.1.0"
    other["processor"] = "an abacus"
    try shop.write(JSON.object(other).text(.pretty), to: "run/manifest.json")
    let refused = shop.holdfast("resume", shop.path + "/run")
    #expect(refused.status == 1, "\(refused.errors)")
    #expect(
      refused.lacks("would not go on bit for bit", "threads: 7, now 1", "libtorch: 2.1.0, now ", "processor: an abacus, now ", "--allow-other-bits") == [],
      "\(refused.errors)")
    #expect(shop.holdfast("resume", shop.path + "/run", "--allow-other-bits").status == 0)

    // Another model under the same name is another run, whatever is allowed.
    try shop.write(manifest, to: "run/manifest.json")
    let config = try MappedFile(path: shop.path + "/model/config.json").text()
    try shop.write(config + "\n", to: "model/config.json")
    let changed = shop.holdfast("resume", shop.path + "/run", "--allow-other-bits")
    #expect(changed.status == 1 && changed.lacks("cannot be resumed", "model/config.json has other contents") == [], "\(changed.errors)")
    #expect(shop.holdfast("resume", "/nowhere").status == 1)
  }

  /// Files may not grow beyond what the first checkpoint needs, so the second one fails in the middle as on a full disk.
  @Test func aFailedSaveKeepsTheCheckpointBefore() throws {
    let shop = try Workshop(examples: 50)
    let lines = "steps: 4\nbatch: 2\ncheckpoint: {every: 2, keep: 1}"
    try #require(shop.holdfast("tune", try shop.recipe("whole", lines)).status == 0)
    let recipe = try shop.recipe("run", lines + "\noptimizer: {weight_decay: 0.0}")
    // Sizes in blocks of 512 bytes; the export of weights alone would fit, a state with moments does not.
    let weights = try Files.size(shop.path + "/whole/final/model.safetensors")
    let failed = shop.shell("trap '' XFSZ; ulimit -f \(weights * 2 / 512); $holdfast tune \(recipe)")
    #expect(failed.status == 1, "\(failed.errors)")
    #expect(failed.lacks("cannot write \(shop.path)/run/checkpoints/step-000002.partial/state.safetensors", "File too large") == [], "\(failed.errors)")
    #expect(try Files.list(shop.path + "/run/checkpoints") == [])
    // With room again, the run begins anew and ends as it would have.
    #expect(shop.holdfast("resume", shop.path + "/run").status == 0)
    #expect(try shop.bytes("run/final/model.safetensors") == shop.bytes("whole/final/model.safetensors"))

    // And where a checkpoint was there before, it stays.
    let later = try shop.recipe("later", lines)
    let process = shop.holdfast("tune", later, "--steps", "4")
    try #require(process.status == 0)
    let before = try shop.bytes("later/checkpoints/step-000004/state.safetensors")
    try Files.remove(shop.path + "/later/final")
    let again = shop.shell("trap '' XFSZ; ulimit -f \(weights / 2 / 512); $holdfast resume \(shop.path)/later")
    #expect(again.status == 1 && again.lacks("later/final.partial/model.safetensors", "File too large") == [], "\(again.errors)")
    #expect(try shop.bytes("later/checkpoints/step-000004/state.safetensors") == before)
    #expect(!Files.exists(shop.path + "/later/final"))
    #expect(shop.holdfast("resume", shop.path + "/later").status == 0 && Files.exists(shop.path + "/later/final"))
  }
}
