import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastRecords
import Testing

/// Methods in whole runs, as a user starts them.
@Suite(.serialized) struct MethodTests {
  private static let name = "model.layers.1.mlp.up_proj.weight"

  private func tensors(_ folder: String) throws -> [String: [UInt8]] {
    let files = try WeightFiles(folder: folder)
    return withExtendedLifetime(files) { Dictionary(uniqueKeysWithValues: files.names.map { ($0, Array(files.bytes($0))) }) }
  }

  /// Every weight of a model in one line.
  private func weights(_ folder: String) throws -> [Float] {
    let source = try FileWeights(folder: folder)
    return try source.files.names.flatMap { try source.tensor($0).floats() }
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
  }

  private func shop() throws -> Workshop { try MethodWorkshop.make() }

  private func tune(_ shop: Workshop, _ name: String, _ lines: String) throws { try MethodWorkshop.tune(shop, name, lines) }

  @Test(arguments: [
    "freezing: {layers: [0%, 34%], modules: [mlp.up, attention]}", "freezing: {hold: [attention, embeddings]}", "random_subset: {share: 0.3, hold: [norms]}", "lisa: {layers: 1, every: 100}",
    "cofitune: {layers: [34%, 67%], importance: {batches: 2}}",
  ])
  func whatIsNotSelectedKeepsItsBitsAndHasNoMoments(method: String) throws {
    let shop = try shop()
    try tune(shop, "tuned", "method: {\(method)}\nsteps: 5\noptimizer: {weight_decay: 0.5}")
    let before = try tensors(shop.path + "/base/final"), after = try tensors(shop.path + "/tuned/final")
    let moved = Set(before.keys.filter { before[$0] != after[$0] })
    let state = try SafetensorsFile(path: shop.path + "/tuned/checkpoints/step-000005/state.safetensors")
    #expect(Set(state.names.filter { $0.hasPrefix("first.") }.map { String($0.dropFirst(6)) }) == moved)
    #expect(!moved.isEmpty && moved.count < before.count)
    if method.contains("hold: [attention") {
      #expect(moved == Set(before.keys.filter { !$0.contains("self_attn") && !$0.contains("embed") }))
    } else if method.contains("hold: [norms]") {
      #expect(moved.allSatisfy { !$0.contains("layernorm") })
    } else if method.hasPrefix("freezing") {
      // Three layers: a third of them is layer 0.
      #expect(moved == Set(["q", "k", "v", "o"].map { "model.layers.0.self_attn.\($0)_proj.weight" } + ["model.layers.0.mlp.up_proj.weight"]))
    }
  }

  /// LISA's draws change, so layers of an earlier draw keep their weights and lose their moments.
  @Test func aLayerPutBackToSleepKeepsWhatItLearnt() throws {
    let shop = try shop()
    try tune(shop, "tuned", "method: {lisa: {layers: 1, every: 3}}\nsteps: 12\nprecision: bf16")
    let before = try tensors(shop.path + "/base/final"), after = try tensors(shop.path + "/tuned/final")
    let layers = Set(before.keys.filter { before[$0] != after[$0] }.compactMap { ParameterFacts(name: $0, shape: []).layer })
    let state = try SafetensorsFile(path: shop.path + "/tuned/checkpoints/step-000012/state.safetensors")
    let awake = Set(state.names.filter { $0.hasPrefix("first.") }.compactMap { ParameterFacts(name: $0, shape: []).layer })
    #expect(awake.count == 1 && layers.count > 1 && layers.isSuperset(of: awake), "\(layers) moved, \(awake) awake")
  }

  /// With no strength nothing differs from plain tuning, and with a reference that is the start not even the first update does.
  @Test func noStrengthIsPlainTuningToTheBit() throws {
    let shop = try shop()
    let text = "data: \(shop.path)/text.jsonl, examples: 8, length: 32"
    try tune(shop, "recorded", "method: path_integral\nsteps: 4\ndata: \(shop.path)/text.jsonl\nobjective: pretraining")
    func over(_ name: String, _ lines: String) throws -> [UInt8] {
      let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/recorded/final", "--initialize", "pretrained")
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try shop.bytes(name + "/final/model.safetensors")
    }
    let plain = try over("plain", "steps: 5"), one = try over("one", "steps: 1")
    #expect(try over("recording", "steps: 5\nmethod: path_integral") == plain)
    for (name, method) in [("h", "hierarchical: {importance: \(shop.path)/recorded, lambda: LAMBDA}"), ("e", "ewc: {\(text), lambda: LAMBDA}"), ("m", "mas: {\(text), lambda: LAMBDA}")] {
      #expect(try over(name + "0", "steps: 5\nmethod: {\(method.replacing("LAMBDA", with: "0"))}") == plain, "\(name)")
      #expect(try over(name + "1", "steps: 1\nmethod: {\(method.replacing("LAMBDA", with: "100"))}") == one, "\(name)")
      #expect(try over(name + "2", "steps: 5\nmethod: {\(method.replacing("LAMBDA", with: "100"))}") != plain, "\(name)")
    }
    // The start of a recorded stage is not its end.
    let wrong = shop.holdfast("tune", try shop.recipe("w", "method: {hierarchical: {importance: \(shop.path)/recorded, lambda: 1}}\nsteps: 2"), "--model", shop.path + "/base/final", "--initialize", "pretrained")
    #expect(wrong.status == 1 && wrong.lacks("not what the recorded stage ended with") == [] && !Files.exists(shop.path + "/w"), "\(wrong.errors)")
  }

  @Test func pullsTowardTheStartBringWeightsNearerToIt() throws {
    let shop = try shop()
    let start = try weights(shop.path + "/base/final")
    func moved(_ name: String, _ method: String) throws -> Double {
      try tune(shop, name, "method: \(method)\nsteps: 12")
      return distance(try weights(shop.path + "/\(name)/final"), start)
    }
    let full = try moved("full", "full")
    #expect(try moved("l2", "{l2: {lambda: 100}}") < 0.8 * full)
    #expect(try moved("l2gradient", "{l2: {lambda: 1, form: gradient}}") < 0.9 * full)
    #expect(try moved("l1", "{l1: {lambda: 0.5}}") < 0.8 * full)
    #expect(try moved("average", "{average: {decay: 0.9}}") < 0.8 * full)
    // A shrinkage larger than any step of Adam leaves every bit.
    #expect(try moved("still", "{l1: {lambda: 20}}") == 0)
  }

  @Test func aFilterMovesItsShareAndAFilterOfAllIsAdamW() throws {
    let shop = try shop()
    let before = try FileWeights(folder: shop.path + "/base/final").tensor(Self.name).floats()
    for method in ["mofo", "gmt"] {
      try tune(shop, method, "method: {\(method): {share: 0.1}}\nsteps: 1\nschedule: constant")
      let after = try FileWeights(folder: shop.path + "/\(method)/final").tensor(Self.name).floats()
      let moved = zip(before, after).count { $0 != $1 }
      // Without ties exactly the share; an entry without a gradient may be among them, and moves by nothing.
      #expect(abs(Double(moved) / Double(before.count) - 0.1) < 0.005, "\(method): \(moved) of \(before.count)")
      try tune(shop, method + "-all", "method: {\(method): {share: 1}}\nsteps: 4")
    }
    try tune(shop, "full", "steps: 4")
    for method in ["mofo", "gmt"] {
      #expect(try shop.bytes("full/final/model.safetensors") == shop.bytes("\(method)-all/final/model.safetensors"))
    }
  }

  @Test func whatCannotStackIsRefusedByName() throws {
    let shop = try Workshop()
    let outcome = shop.holdfast("tune", try shop.recipe("run", "method: [mofo, gmt]\nsteps: 2"))
    #expect(outcome.status == 1 || outcome.status == 64)
    #expect(outcome.errors.contains("mofo and gmt both decide"), "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/run"))
    let none = shop.holdfast("tune", try shop.recipe("run", "method: {freezing: {modules: [mlp.up], names: [\"*.up_prj.*\"]}}\nsteps: 2"))
    #expect(none.errors.contains("no parameter's name matches *.up_prj.*"), "\(none.errors)")
    let bitfit = shop.holdfast("tune", try shop.recipe("run", "method: bitfit\nsteps: 2"))
    #expect(bitfit.errors.contains("has no biases"), "\(bitfit.errors)")
  }

  @Test func methodsAndPlanTellWhatATuneWouldDo() throws {
    let shop = try Workshop()
    let list = shop.holdfast("methods")
    #expect(list.status == 0 && ["half", "l2", "mofo", "lisa"].allSatisfy { list.output.contains($0) }, "\(list.output)")
    let knobs = shop.holdfast("methods", "half")
    #expect(knobs.output.contains("ratio") && knobs.output.contains("0.5"), "\(knobs.output)")
    #expect(shop.holdfast("methods", "hal").errors.contains("did you mean half?"))
    let recipe = try shop.recipe("run", "method: {freezing: {layers: [2], modules: [mlp]}}\nsteps: 2\nprecision: bf16")
    let plan = try shop.holdfast("plan", recipe, "--json").lines()[0]
    let sizes = try MappedFile(path: shop.path + "/model/config.json").json()
    let trained = 3 * sizes["hidden_size"]!.int! * sizes["intermediate_size"]!.int!
    #expect(plan["trained"]?.int == trained && plan["lowest_trained_layer"]?.int == 2)
    #expect(plan["bytes"]?["moments"]?.int == 8 * trained)
    #expect(plan["tensors"]?.array?.count == 3)
    let text = shop.holdfast("plan", recipe).output
    #expect(text.contains("··█") && text.contains("Backpropagation stops below layer 2"), "\(text)")
  }
}
