import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

/// Who gets a gradient, and what it costs.
@Suite struct GradientFlow {
  private func batch() throws -> Batch {
    var stream = CounterGenerator(seed: 8, "flow")
    return try packed(randomTexts(6, lengths: 3...20, vocabulary: 97, &stream), length: 32)
  }

  private func step(_ model: Decoder) throws -> (gradients: [String: Tensor], products: Int, recorded: [String: Bool]) {
    let before = try Torch.weightGradientProducts
    let batch = try batch()
    var recorded: [String: Bool] = [:]
    let forward = try model.forward(batch) { (name: String, state: Tensor) throws(EngineError) in recorded[name] = try state.requiresGradient }
    try forward.labelledHidden.headLoss(model.head.value, labels: batch.labels).backward()
    return (try model.takeGradients(), try Torch.weightGradientProducts - before, recorded)
  }

  @Test(arguments: [DType.float32, .bfloat16]) func recomputationChangesNoBit(dtype: DType) throws {
    let model = try tinyDecoder(layers: 3, dtype: dtype)
    for chosen in ["", "layers.1.", "mlp", "embed_tokens", "self_attn.k_proj", "norm"] {
      try model.train { $0.contains(chosen) }
      model.recomputesBlocks = false
      let plain = try step(model)
      model.recomputesBlocks = true
      let again = try step(model)
      #expect(Set(plain.gradients.keys) == Set(again.gradients.keys) && !plain.gradients.isEmpty)
      for (name, gradient) in plain.gradients { #expect(try again.gradients[name]!.hasSameBits(as: gradient), "\(chosen): \(name)") }
      #expect(plain.products == again.products)
    }
  }

  @Test(arguments: [false, true]) func frozenParametersCostNothing(recomputes: Bool) throws {
    let model = try tinyDecoder(layers: 3)
    model.recomputesBlocks = recomputes
    let matrices = model.parameters.filter { $0.shape.count == 2 && !$0.name.contains("embed_tokens") }
    let selections: [(String) -> Bool] = [
      { _ in true }, { $0.contains("q_proj") }, { $0.contains("layers.2.mlp") }, { $0.contains("norm") }, { $0 == "lm_head.weight" },
      { $0.contains("layers.1.self_attn.v_proj") || $0.contains("layers.0.input_layernorm") },
    ]
    for isTrained in selections {
      try model.train(isTrained)
      let got = try step(model)
      #expect(Set(got.gradients.keys) == Set(model.parameters.map(\.name).filter(isTrained)))
      #expect(got.products == matrices.count { isTrained($0.name) })
    }
  }

  /// Nothing is recorded below the lowest trained layer, so nothing flows back there.
  @Test(arguments: [false, true]) func backpropagationStops(recomputes: Bool) throws {
    let model = try tinyDecoder(layers: 4)
    model.recomputesBlocks = recomputes
    for lowest in 0..<4 {
      try model.train { $0.contains("layers.\(lowest).mlp.down_proj") || $0.contains("layers.3.") }
      let got = try step(model)
      #expect(got.recorded["embed"] == false)
      for layer in 0..<4 { #expect(got.recorded["layer.\(layer)"] == (layer >= lowest), "layer \(layer), lowest \(lowest)") }
    }
  }

  /// A tied head and embedding are one tensor: its gradient is the sum of both uses.
  @Test func tiedGradientIsTheSum() throws {
    let tied = try tinyDecoder(tied: true, dtype: .float64)
    try tied.train()
    let name = "model.embed_tokens.weight"
    let whole = try step(tied).gradients[name]!
    let batch = try batch()
    // The head's share: hidden states held fast.
    let hidden = try Torch.withoutGradients { try tied.forward(batch).labelledHidden }
    try hidden.headLoss(tied.head.value, labels: batch.labels).backward()
    let head = try tied.takeGradients()[name]!
    let table = try tied.head.value.detached().copy()
    try tied.forward(batch).labelledHidden.headLoss(table, labels: batch.labels).backward()
    let input = try tied.takeGradients()[name]!
    #expect(try (head + input).largestDifference(to: whole) < 1e-12)
    #expect(try Tensor.squaredNorm(of: [input]) > 1e-6 && Tensor.squaredNorm(of: [head]) > 1e-6)
  }

  @Test func aWholeStepLeaksNothing() async {
    await #expect(processExitsWith: .success) {
      func work() throws {
        let model = try tinyDecoder()
        model.recomputesBlocks = true
        try model.train { $0.contains("mlp") }
        var stream = CounterGenerator(seed: 8, "leak")
        let batch = try packed(randomTexts(6, lengths: 3...20, vocabulary: 97, &stream), length: 32)
        try model.loss(batch).backward()
        _ = try model.takeGradients()
      }
      try work()
      try work()
      let left = try Torch.liveTensors
      precondition(left == 0, "\(left) tensors left")
    }
  }
}
