import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

/// Adapters on a small decoder: what they change, what they leave, and their gradients.
@Suite struct AdapterTests {
  private static let kinds: [AdapterConfiguration.Kind] = [.lora, .dora, .adalora]

  private func batch() throws -> Batch {
    var stream = CounterGenerator(seed: 8, "adapter")
    return try packed(randomTexts(5, lengths: 3...20, vocabulary: 97, &stream), length: 32)
  }

  /// A decoder with an adapter whose every tensor is drawn, so that it acts.
  private func adapted(
    _ kind: AdapterConfiguration.Kind, dtype: DType = .float64, dropout: Double = 0, targets: AdapterConfiguration.Targets = .allLinear, layers: Int = 2
  ) throws -> Decoder {
    let model = try tinyDecoder(layers: layers, dtype: dtype)
    try model.attach(AdapterConfiguration(kind, rank: 3, alpha: 5, dropout: dropout, targets: targets), weights: Drawn())
    return model
  }

  /// Every tensor uniform in [−0.2, 0.3), so that no product of them is zero.
  private struct Drawn: WeightSource {
    var names: [String]? { nil }
    func shape(of name: String) -> [Int]? { nil }
    func tensor(_ name: String) throws -> Tensor { throw EngineError("no shape") }
    func tensor(_ name: String, shape: [Int]) throws -> Tensor {
      var stream = CounterGenerator(seed: 2, name)
      let drawn = try Generator(seed: stream.next()).uniform(shape, dtype: .float64)
      return try name.hasSuffix("vector") ? drawn + 1 : (drawn + -0.4) * 0.5
    }
  }

  @Test(arguments: kinds, [DType.float32, .bfloat16]) func offIsTheBaseToTheBit(kind: AdapterConfiguration.Kind, dtype: DType) throws {
    let batch = try batch(), base = try tinyDecoder(dtype: dtype).forward(batch).hidden, model = try adapted(kind, dtype: dtype)
    #expect(try model.forward(batch, adapters: .off).hidden.hasSameBits(as: base))
    #expect(try model.forward(batch).hidden.largestDifference(to: base) > 0.01)
    // A new adapter adds nothing; DoRA's rescaling by m / ‖W‖ = 1 rounds.
    let fresh = try tinyDecoder(dtype: dtype)
    try fresh.attach(
      AdapterConfiguration(kind, rank: 3, alpha: 5),
      weights: AdapterStart(seed: 1, kind: kind, base: RandomWeights(seed: 3, deviation: 0.2, layerCount: 2), model: fresh.configuration))
    let bound = kind != .dora ? 0 : dtype == .float32 ? 1e-5 : 0.2
    #expect(try fresh.forward(batch).hidden.largestDifference(to: base) <= bound)
  }

  @Test(arguments: kinds) func mergedEqualsUnmerged(kind: AdapterConfiguration.Kind) throws {
    let batch = try batch(), model = try adapted(kind), plain = try tinyDecoder(dtype: .float64)
    for linear in model.adapters[0].linears {
      try plain.parameter(linear.base.name)!.value.assign(linear.merged(into: linear.base.value))
    }
    let difference = try model.forward(batch).hidden.largestDifference(to: plain.forward(batch).hidden)
    #expect(difference < 1e-11)
  }

  /// Central differences of the loss along a random direction of each tensor of the adapter.
  @Test(arguments: kinds) func gradientsAreTheSlopes(kind: AdapterConfiguration.Kind) throws {
    let batch = try batch(), model = try adapted(kind)
    try model.train { $0.contains("lora_") }
    try model.loss(batch).backward()
    let gradients = try model.takeGradients()
    #expect(Set(gradients.keys) == Set(model.adapterParameters.map(\.name)))
    for (i, p) in model.adapterParameters.enumerated() where i % 5 == 0 || kind == .dora && p.shape.count == 1 {
      let direction = try Generator(seed: UInt64(i)).normal(p.shape, dtype: .float64)
      func loss(_ step: Double) throws -> Double {
        try p.value.add(direction, scale: step)
        defer { try? p.value.add(direction, scale: -step) }
        return try Torch.withoutGradients { try model.loss(batch).item() }
      }
      let slope = try (loss(1e-6) - loss(-1e-6)) / 2e-6
      let product = try (gradients[p.name]! * direction).sum().item()
      // DoRA holds the norm constant, as its paper says, so only its magnitude has the true slope.
      if kind == .dora && p.shape.count == 2 { continue }
      #expect(abs(slope - product) < 1e-5 * max(1, abs(slope)), "\(p.name): \(product), by differences \(slope)")
    }
  }

  /// dL/dU = dyᵀ·x is what the base weight's own gradient is: with A or B moved, the loss changes by ⟨dL/dU, ΔU⟩.
  @Test func theBaseWeightsGradientIsTheProducts() throws {
    let batch = try batch(), model = try adapted(.lora), linear = model.adapters[0].linears[9]
    try model.train { $0.contains("lora_") || $0 == linear.base.name }
    try model.loss(batch).backward()
    let gradients = try model.takeGradients(), dense = gradients[linear.base.name]!
    // dA = s·Bᵀ·G and dB = s·G·Aᵀ
    let a = try linear.b.value.detached().transposed(0, 1).matmul(dense) * linear.scale
    let b = try dense.matmul(linear.a.value.detached().transposed(0, 1)) * linear.scale
    #expect(try a.largestDifference(to: gradients[linear.a.name]!) < 1e-11)
    #expect(try b.largestDifference(to: gradients[linear.b.name]!) < 1e-11)
    #expect(try linear.product().shape == linear.base.shape)
  }

  @Test(arguments: kinds) func recomputationChangesNoBitThroughDropout(kind: AdapterConfiguration.Kind) throws {
    let batch = try batch(), model = try adapted(kind, dtype: .float32, dropout: 0.3, layers: 3)
    try model.train { $0.contains("lora_") && !$0.contains("layers.0.") }
    func gradients(_ use: AdapterUse) throws -> [String: Tensor] {
      let forward = try model.forward(batch, adapters: use)
      try forward.labelledHidden.headLoss(model.head.value, labels: batch.labels).backward()
      return try model.takeGradients()
    }
    let plain = try gradients(.training(seed: 7)), other = try gradients(.training(seed: 8)), still = try gradients(.on)
    model.recomputesBlocks = true
    let again = try gradients(.training(seed: 7))
    #expect(!plain.isEmpty && Set(plain.keys) == Set(again.keys) && plain.keys.allSatisfy { !$0.contains("layers.0.") })
    for (name, gradient) in plain {
      #expect(try again[name]!.hasSameBits(as: gradient), "\(name)")
      #expect(try !other[name]!.hasSameBits(as: gradient) && !still[name]!.hasSameBits(as: gradient), "\(name)")
    }
  }

  @Test func nothingFlowsBelowTheLowestAdaptedLayer() throws {
    let model = try adapted(.lora, targets: .named(["model.layers.1.mlp.up_proj", "model.layers.2.self_attn.q_proj"]), layers: 4)
    #expect(model.adapterParameters.count == 4)
    try model.train { $0.contains("lora_") }
    var recorded: [String: Bool] = [:]
    _ = try model.forward(batch()) { (name: String, state: Tensor) throws(EngineError) in recorded[name] = try state.requiresGradient }
    #expect(recorded["embed"] == false && recorded["layer.0"] == false && recorded["layer.1"] == true && recorded["layer.3"] == true)
  }

  /// The frozen weights cost no products for their gradients: there is one for each A and each B.
  @Test func onlyTheFactorsCostWeightGradients() throws {
    let model = try adapted(.lora, dtype: .float32)
    try model.train { $0.contains("lora_") }
    let before = try Torch.weightGradientProducts
    try model.loss(batch()).backward()
    #expect(try Torch.weightGradientProducts - before == 2 * 7 * 2)
  }

  @Test func adaptersAddUp() throws {
    let batch = try batch(), model = try adapted(.lora), plain = try tinyDecoder(dtype: .float64)
    try model.attach(AdapterConfiguration(.lora, rank: 2, alpha: 3, targets: .mlp), weights: Drawn())
    #expect(model.adapterParameters.count == 2 * 3 * 2)
    for adapter in model.adapters {
      for linear in adapter.linears {
        let weight = plain.parameter(linear.base.name)!.value
        try weight.assign(linear.merged(into: weight))
      }
    }
    #expect(try model.forward(batch).hidden.largestDifference(to: plain.forward(batch).hidden) < 1e-11)
    #expect(try model.forward(batch, adapters: .below).hidden.hasSameBits(as: adapted(.lora).forward(batch).hidden))
    #expect(try model.forward(batch, adapters: .off).hidden.hasSameBits(as: tinyDecoder(dtype: .float64).forward(batch).hidden))
    #expect(throws: Problems.self) { try model.attach(AdapterConfiguration(.dora, rank: 2, alpha: 3), weights: Drawn()) }
  }

  @Test func targetsAndScales() throws {
    let model = try tinyDecoder().configuration
    func names(_ targets: AdapterConfiguration.Targets) throws -> Set<String> {
      Set(try AdapterConfiguration(rank: 2, alpha: 4, targets: targets).facts(of: model).parameters.map(\.module))
    }
    #expect(try names(.mlp) == ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"])
    #expect(try names(.named(["q_proj", "mlp.up_proj"])) == ["self_attn.q_proj", "mlp.up_proj"])
    let all = try AdapterConfiguration(rank: 2, alpha: 4).facts(of: model).parameters
    #expect(all.count == 2 * 7 * 2 && all[0] == ParameterFacts(name: "model.layers.0.self_attn.q_proj.lora_A.weight", shape: [2, 32]))
    #expect(all[3] == ParameterFacts(name: "model.layers.0.self_attn.k_proj.lora_B.weight", shape: [16, 2]))
    for wrong in ["q_prj", "lm_head", "embed_tokens"] {
      #expect(throws: Problems.self) { try names(.named([wrong])) }
    }
    #expect(AdapterConfiguration(rank: 16, alpha: 32).scale(of: "x") == 2)
    #expect(AdapterConfiguration(rank: 16, alpha: 32, scaling: .rankStabilized).scale(of: "x") == 8)
    #expect(abs(AdapterConfiguration(.adalora, rank: 16, alpha: 32).scale(of: "x") - 2) < 1e-5)
  }

  /// Written, read and attached again: the same bits.
  @Test(arguments: kinds) func filesGiveTheSameAdapter(kind: AdapterConfiguration.Kind) throws {
    let folder = FileManager.default.temporaryDirectory.path + "/adapter-\(UUID())"
    try Files.makeFolder(folder)
    defer { try? Files.remove(folder) }
    let batch = try batch(), model = try adapted(kind, dtype: .float32, targets: .named(["q_proj", "model.layers.1.mlp.up_proj"]))
    let adapter = model.adapters[0]
    try AdapterFolder.write(
      adapter.facts, tensors: Dictionary(uniqueKeysWithValues: adapter.parameters.map { ($0.name, $0.value) }), model: model.configuration,
      baseModel: "tiny", to: folder)
    let read = try AdapterFolder(folder), other = try tinyDecoder(dtype: .float32)
    try other.attach(read.configuration, weights: read.weights)
    #expect(try other.forward(batch).hidden.hasSameBits(as: model.forward(batch).hidden))
    #expect(read.configuration.kind == kind && read.baseModel == "tiny")
    let json = try MappedFile(path: folder + "/adapter_config.json").json()
    #expect(json["target_modules"] == ["model.layers.1.mlp.up_proj", "q_proj"])
    // What a plain adapter is not is refused by name, all of it at once.
    guard case .object(var wrong) = json else { return }
    wrong["bias"] = "all"
    wrong["modules_to_save"] = ["lm_head"]
    wrong["peft_type"] = "VERA"
    wrong["init_lora_weights"] = "pissa_niter_4"
    try Files.writeAtomically(JSON.object(wrong).text(), to: folder + "/adapter_config.json")
    let problems = #expect(throws: Problems.self) { try AdapterFolder(folder) }
    #expect(problems?.complaints.count == 4, "\(problems?.complaints ?? [])")
  }
}
