import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastRecords
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Adapters in whole runs, as a user starts them.
@Suite(.serialized) struct AdapterRunTests {
  private static let kinds = [
    "lora: {rank: 4, dropout: 0.1, learning_rate_ratio: 4}", "dora: {rank: 4, targets: [q_proj, mlp.up_proj]}",
    "adalora: {rank: 6, target_rank: 2, warmup: 2, final: 3, every: 2}",
  ]

  /// A shop in which `base/final` is a model that was trained a little.
  private func shop() throws -> Workshop {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining")).status == 0)
    return shop
  }

  private func tune(_ shop: Workshop, _ name: String, _ lines: String) throws {
    let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/base/final", "--initialize", "pretrained")
    try #require(outcome.status == 0, "\(name): \(outcome.errors)")
  }

  private func losses(_ shop: Workshop, _ name: String) throws -> [Double] {
    try RunFolder("\(shop.path)/\(name)").readMetrics().steps.map(\.loss)
  }

  @Test(arguments: kinds, ["f32", "bf16"])
  func resumesToTheByteAndExportsPEFTsFiles(adapter: String, precision: String) throws {
    let shop = try shop()
    let lines = "adapter: {\(adapter)}\nsteps: 9\nlearning_rate: 1.0e-2\ncheckpoint: {every: 4, keep: 9}\nprecision: \(precision)\nbatch: {rows: 2, accumulate: 2}"
    try tune(shop, "whole", lines)
    try tune(shop, "again", lines)
    // As if the second run had been killed after step 5: the newest checkpoint is step 4, and metrics go further.
    for step in ["8", "9"] { try Files.remove("\(shop.path)/again/checkpoints/step-00000\(step)") }
    try Files.remove(shop.path + "/again/final")
    let outcome = shop.holdfast("resume", shop.path + "/again")
    try #require(outcome.status == 0, "\(outcome.errors)")
    for file in [
      "metrics.jsonl", "final/adapter_model.safetensors", "final/adapter_config.json", "checkpoints/step-000009/state.safetensors",
    ] {
      #expect(try shop.bytes("whole/" + file) == shop.bytes("again/" + file), "\(adapter): \(file)")
    }
    // Nothing of the base was kept beside it: what is saved is the adapter.
    let state = try SafetensorsFile(path: shop.path + "/whole/checkpoints/step-000009/state.safetensors")
    #expect(state.names.allSatisfy { $0.contains("lora_") })
    #expect(try !Files.list(shop.path + "/whole/final").contains("model.safetensors"))
  }

  /// Kills at random moments, saving included, with dropout's draws in between: the result is what it would have been.
  @Test func killsChangeNoBit() throws {
    let shop = try shop()
    let lines = """
      adapter: {adalora: {rank: 6, target_rank: 2, final: 8, dropout: 0.1}}
      model: \(shop.path)/base/final
      initialize: pretrained
      precision: bf16
      steps: 40
      batch: {rows: 2, accumulate: 2}
      checkpoint: {every: 1, keep: 2}
      """
    try #require(shop.holdfast("tune", try shop.recipe("whole", lines)).status == 0)
    let recipe = try shop.recipe("killed", lines)
    var random = CounterGenerator(seed: 12, "adapter"), kills = 0
    while true {
      let begun = Files.exists(shop.path + "/killed/manifest.json")
      if !begun { try Files.remove(shop.path + "/killed") }
      let process = Process(begun ? ["resume", shop.path + "/killed"] : ["tune", recipe], in: shop.path)
      if kills < 4 {
        usleep(UInt32(250_000 + random.below(600_000)))
        process.kill()
      }
      let outcome = process.wait()
      if outcome.status == 128 + SIGKILL {
        kills += 1
        continue
      }
      try #require(outcome.status == 0, "\(outcome.errors)")
      break
    }
    for name in ["metrics.jsonl", "final/adapter_model.safetensors", "checkpoints/step-000040/state.safetensors", "checkpoints/step-000040/state.json"] {
      #expect(try shop.bytes("whole/" + name) == shop.bytes("killed/" + name), "\(name) after \(kills) kills")
    }
  }

  /// Merged, the adapter gives what it gives unmerged; alpha 0 gives back the base's bits; half of it lies between.
  @Test(arguments: kinds) func blendMergesAndEvaluateTakesAdapters(adapter: String) throws {
    let shop = try shop()
    try tune(shop, "tuned", "adapter: {\(adapter)}\nsteps: 12\nlearning_rate: 1.0e-2")
    let base = shop.path + "/base/final", tuned = shop.path + "/tuned/final"
    func blend(_ alpha: String) throws -> String {
      let output = "\(shop.path)/merged-\(alpha)"
      let outcome = shop.holdfast("blend", "--base", base, "--adapter", tuned, "--alpha", alpha, "--output", output)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return output
    }
    func scores(_ arguments: [String]) throws -> [Double] {
      let outcome = Process(["score", "--text", shop.path + "/clinic.jsonl", "--threads", "1"] + arguments, in: shop.path).wait()
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try outcome.lines().prefix(200).compactMap { $0["logprob"]?.double }
    }
    let plain = try scores(["--model", base]), unmerged = try scores(["--model", base, "--adapter", tuned])
    let merged = try scores(["--model", blend("1")])
    func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).map { abs($0 - $1) }.max()! }
    #expect(distance(merged, unmerged) < 1e-4 && distance(plain, unmerged) > 0.01, "\(distance(merged, unmerged)), \(distance(plain, unmerged))")
    let half = try scores(["--model", blend("0.5")])
    #expect(distance(half, plain) < distance(merged, plain) && distance(half, merged) > 1e-3)
    _ = try blend("0")
    #expect(try shop.bytes("base/final/model.safetensors") == shop.bytes("merged-0/model.safetensors"))
    let generated = shop.holdfast("generate", "--model", base, "--adapter", tuned, "--prompt", "Question", "--max-tokens", "4", "--json")
    #expect(generated.status == 0, "\(generated.errors)")
  }

  @Test func methodsSelectWithinAnAdapterAndOthersAreRefused() throws {
    let shop = try shop()
    try tune(shop, "upper", "adapter: {lora: {rank: 2}}\nmethod: {freezing: {layers: [2], modules: [mlp]}}\nsteps: 3\noptimizer: {weight_decay: 0.5}")
    let state = try SafetensorsFile(path: shop.path + "/upper/checkpoints/step-000003/state.safetensors")
    let moved = Set(state.names.filter { $0.hasPrefix("first.") }.map { String($0.dropFirst(6)) })
    #expect(moved == Set(["gate", "up", "down"].flatMap { m in ["A", "B"].map { "model.layers.2.mlp.\(m)_proj.lora_\($0).weight" } }))
    try tune(shop, "fa", "adapter: {lora: {rank: 2, freeze_a: true}}\nsteps: 3")
    let fixed = try SafetensorsFile(path: shop.path + "/fa/checkpoints/step-000003/state.safetensors")
    #expect(fixed.names.allSatisfy { !$0.contains("lora_A") } && fixed.names.contains { $0.contains("lora_B") })

    func refused(_ lines: String, _ words: String) throws {
      let outcome = shop.holdfast("tune", try shop.recipe("refused", lines + "\nsteps: 2"))
      #expect(outcome.status != 0 && outcome.errors.contains(words), "\(lines): \(outcome.errors)")
      #expect(!Files.exists(shop.path + "/refused"))
    }
    try refused("adapter: {lora: {}}\nmethod: half", "stay as they are beside the adapter lora")
    try refused("adapter: {lora: {}}\nmethod: {l1: {lambda: 1}}", "`l2` pulls their product back")
    try refused("adapter: {dora: {}}\nmethod: {l2: {lambda: 1}}", "more than a product")
    try refused("adapter: {lora: {}}\nmethod: {freezing: {modules: [norms]}}", "leave nothing to train")
    try refused("adapter: {lora: {targets: [q_prj]}}", "did you mean q_proj?")
    try refused("adapter: {lora: {}, dora: {}}", "one trains at a time")
    try refused("adapter: {adalora: {warmup: 1, final: 1}}", "leave none of 2 steps")
    try refused("adapter: {adalora: {rank: 4, target_rank: 5}}", "more than the rank 4")
  }

  /// The product is pulled, not its factors: A stays where it starts, far from zero, while U goes back.
  @Test(arguments: ["{l2: {lambda: 100}}", "{l2: {lambda: 0.3, form: gradient}}"]) func l2PullsTheProduct(method: String) throws {
    let shop = try shop()
    func product(_ name: String) throws -> Double {
      let folder = try AdapterFolder("\(shop.path)/\(name)/final"), model = try ModelFolder(shop.path + "/base/final")
      let adapter = try folder.configuration.adapter(of: model.configuration, weights: folder.weights)
      return try Tensor.squaredNorm(of: adapter.linears.map { try $0.product() })
    }
    let lines = "adapter: {lora: {rank: 4}}\nsteps: 12\nlearning_rate: 5.0e-3"
    try tune(shop, "free", lines)
    try tune(shop, "pulled", lines + "\nmethod: \(method)")
    #expect(try product("pulled") < 0.7 * product("free") && product("pulled") > 0)
  }

  @Test func adaloraLeavesAsManyRanksAsItsBudget() throws {
    let shop = try shop()
    try tune(shop, "tuned", "adapter: {adalora: {rank: 6, target_rank: 2, warmup: 2, final: 3}}\nsteps: 14\nlearning_rate: 1.0e-2")
    let folder = try AdapterFolder(shop.path + "/tuned/final"), model = try ModelFolder(shop.path + "/base/final")
    let adapter = try folder.configuration.adapter(of: model.configuration, weights: folder.weights)
    let left = try adapter.linears.map { try $0.diagonal!.value.floats().count { $0 != 0 } }
    #expect(left.reduce(0, +) == 2 * adapter.linears.count && Set(left).count > 1, "\(left)")
  }

  /// A second run goes on where the first one's files stand: at its first step the loss is what it had become.
  @Test func goesOnWithAnAdapterOfItsKind() throws {
    let shop = try shop()
    try tune(shop, "first", "adapter: {lora: {rank: 4}}\nsteps: 12\nlearning_rate: 1.0e-2\nschedule: constant")
    try tune(shop, "second", "adapter: {lora: {rank: 4, from: \(shop.path)/first/final}}\nsteps: 2\nschedule: constant")
    #expect(try losses(shop, "second")[0] < 0.97 * losses(shop, "first")[0])
    let wrong = shop.holdfast("tune", try shop.recipe("wrong", "adapter: {lora: {rank: 8, from: \(shop.path)/first/final}}\nsteps: 2"))
    #expect(wrong.errors.contains("it is lora of rank 4"), "\(wrong.errors)")
  }

  /// BitFit on a small Qwen2, which has biases on query, key and value: they move, and no other bit.
  @Test func bitfitMovesBiasesAndNoOtherBit() throws {
    let shop = try Workshop(), model = try shop.copy(shop.path + "/model", as: "qwen2")
    let json = try MappedFile(path: model + "/config.json").json()
    guard case .object(var config) = json else { return }
    config["model_type"] = "qwen2"
    config["architectures"] = ["Qwen2ForCausalLM"]
    try Files.writeAtomically(JSON.object(config).text(), to: model + "/config.json")
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining"), "--model", model).status == 0)
    try tune(shop, "tuned", "method: bitfit\nsteps: 5\noptimizer: {weight_decay: 0.5}")
    let before = try FileWeights(folder: shop.path + "/base/final"), after = try FileWeights(folder: shop.path + "/tuned/final")
    let names = before.names!, biases = names.filter { $0.hasSuffix(".bias") }
    #expect(biases.count == 3 * json["num_hidden_layers"]!.int!)
    for name in names { #expect(try before.tensor(name).hasSameBits(as: after.tensor(name)) != biases.contains(name), "\(name)") }
    let upper = try shop.recipe("upper", "method: [bitfit, {freezing: {layers: [2], modules: [attention]}}]\nsteps: 2")
    #expect(try shop.holdfast("plan", upper, "--json", "--model", model).lines()[0]["tensors"]?.array?.count == 3)
  }

  @Test func benchTimesAdaptersAndRegions() throws {
    let shop = try Workshop(examples: 1)
    func trained(_ arguments: String...) throws -> Int {
      let common = ["bench", "step", "--shape", "tiny15m", "--length", "16", "--dtype", "f32", "--threads", "1", "--json"]
      let outcome = Process(common + arguments, in: shop.path).wait()
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try outcome.lines()[0]["trained"]!.int!
    }
    // Six layers of 288 and 768: the second quarter is layers 1 and 2.
    #expect(try trained("--train", "region") == 2 * 2 * 288 * 768)
    #expect(try trained("--train", "lora", "--rank", "4") == 6 * 4 * (4 * 2 * 288 + 3 * (288 + 768)))
  }

  /// A second task's adapter over the first one's: the first acts and stays, and the new A keeps clear of it.
  @Test func oloraKeepsANewAdapterClearOfAnEarlierOne() throws {
    let shop = try shop(), base = shop.path + "/base/final", first = shop.path + "/first/final"
    try tune(shop, "first", "adapter: {lora: {rank: 4}}\nsteps: 8\nlearning_rate: 1.0e-2")
    let over = "adapter: {lora: {rank: 4, over: \(first)}}\nsteps: 12\nlearning_rate: 1.0e-2\ncheckpoint: {every: 5, keep: 9}"
    try tune(shop, "free", over)
    try tune(shop, "apart", over + "\nmethod: {olora: {lambda: 0.5}}")
    let model = try ModelFolder(base).configuration
    func overlap(_ name: String) throws -> Double {
      let folders = try [first, "\(shop.path)/\(name)/final"].map { try AdapterFolder($0) }
      let linears = try folders.map { try $0.configuration.adapter(of: model, weights: $0.weights).linears }
      return try zip(linears[0], linears[1]).reduce(0.0) { try $0 + $1.0.a.value.matmul($1.1.a.value.transposed(0, 1)).abs().sum().item() }
    }
    let apart = try overlap("apart"), free = try overlap("free")
    #expect(apart < 0.5 * free, "\(apart), without the method \(free)")
    let terms = try RunFolder(shop.path + "/apart").readMetrics().steps.map { $0.terms.first { $0.name == "olora" }!.value }
    #expect(terms.last! < 0.5 * terms[0], "\(terms)")
    // At its first step the new adapter adds nothing, so the loss is that of base and first adapter.
    let plain = try losses(shop, "free")[0]
    #expect(try losses(shop, "apart")[0] == plain && plain != losses(shop, "first")[0])
    // Both together are what was trained.
    let both = shop.holdfast("score", "--model", base, "--adapter", first, shop.path + "/apart/final", "--text", shop.path + "/clinic.jsonl")
    #expect(both.status == 0, "\(both.errors)")
    try Files.remove(shop.path + "/apart/checkpoints/step-000012")
    try Files.remove(shop.path + "/apart/checkpoints/step-000010")
    let metrics = try shop.bytes("apart/metrics.jsonl"), adapter = try shop.bytes("apart/final/adapter_model.safetensors")
    try Files.remove(shop.path + "/apart/final")
    try #require(shop.holdfast("resume", shop.path + "/apart").status == 0)
    #expect(try shop.bytes("apart/metrics.jsonl") == metrics && shop.bytes("apart/final/adapter_model.safetensors") == adapter)
    let alone = shop.holdfast("tune", try shop.recipe("alone", "method: olora\nsteps: 2"))
    #expect(alone.errors.contains("it is about adapters"), "\(alone.errors)")
    let firstTask = shop.holdfast("tune", try shop.recipe("alone", "adapter: {lora: {}}\nmethod: olora\nsteps: 2"))
    #expect(firstTask.errors.contains("no earlier adapter"), "\(firstTask.errors)")
  }

  @Test func planShowsTheAdapter() throws {
    let shop = try Workshop(examples: 1)
    let recipe = try shop.recipe("run", "adapter: {lora: {rank: 4, targets: mlp}}\nsteps: 2\nprecision: bf16")
    let plan = try shop.holdfast("plan", recipe, "--json").lines()[0]
    let sizes = try MappedFile(path: shop.path + "/model/config.json").json()
    let trained = 3 * 3 * 4 * (sizes["hidden_size"]!.int! + sizes["intermediate_size"]!.int!)
    #expect(plan["trained"]?.int == trained && plan["adapter"] == "lora" && plan["bytes"]?["moments"]?.int == 8 * trained)
    #expect(plan["tensors"]?.array?.count == 18)
    let text = shop.holdfast("plan", recipe).output
    #expect(text.contains("mlp.up_proj lora") && text.contains("on 9 linear layers"), "\(text)")
  }
}
