import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

@Suite struct Accumulation {
  /// However rows are dealt to microbatches, the gradient of a step is the same.
  @Test(arguments: [DType.float32, .float64], [false, true]) func splitsAgree(dtype: DType, tied: Bool) throws {
    let model = try tinyDecoder(tied: tied, dtype: dtype)
    try model.train()
    var stream = CounterGenerator(seed: 4, "splits")
    for _ in 0..<12 {
      let texts = randomTexts(2 + stream.below(7), lengths: 2...40, vocabulary: 97, &stream)
      let units = Double(texts.map { $0.count - 1 }.reduce(0, +))
      func gradients(_ split: [[[Int]]]) throws -> [String: Tensor] {
        for microbatch in split { try (model.loss(Batch(texts: microbatch)) * (1 / units)).backward() }
        return try model.takeGradients()
      }
      let whole = try gradients([texts]), single = try gradients(texts.map { [$0] })
      let cut = 1 + stream.below(texts.count - 1)
      let two = try gradients([Array(texts[..<cut]), Array(texts[cut...])])
      let norm = try Tensor.squaredNorm(of: Array(whole.values)).squareRoot()
      #expect(norm > 0.1)
      for other in [single, two] {
        let differences = try whole.map { name, gradient in try other[name]! - gradient }
        #expect(try Tensor.squaredNorm(of: differences).squareRoot() / norm <= (dtype == .float32 ? 1e-6 : 1e-12))
      }
    }
  }

  /// Texts that share a row do not see one another.
  @Test func packedEqualsUnpacked() throws {
    for name in ["llama", "llama3-rope-biases", "llama-tied-grouped", "mistral-window", "qwen2", "qwen3"] {
      let model = try ModelFolder(Cases.tests + "/Fixtures/models/" + name).load()
      var stream = CounterGenerator(seed: 5, "packed", name)
      for _ in 0..<4 {
        let texts = randomTexts(3 + stream.below(8), lengths: 1...30, vocabulary: model.configuration.vocabularySize, &stream)
        let batch = try packed(texts, length: 32 + stream.below(40))
        let together = try model.logits(model.forward(batch).hidden)
        for (span, text) in zip(batch.spans, texts) {
          let alone = try model.logits(model.forward(Batch(texts: [text])).hidden)
          let start = span.row * batch.length + span.start
          let part = try together.sliced(axis: 0, start..<start + text.count)
          let largest = try alone.abs().max().item()
          #expect(try part.largestDifference(to: alone) <= min(5e-5, 5e-6 * largest), "\(name)")
        }
      }
    }
  }

  /// Losses of packed rows add up to those of the texts, gradients too: ‖Δ‖/‖g‖.
  @Test(arguments: [(DType.float32, 1e-6), (.float64, 1e-12)]) func packedGradientsEqualUnpacked(dtype: DType, bound: Double) throws {
    let model = try tinyDecoder(dtype: dtype)
    try model.train()
    var stream = CounterGenerator(seed: 6, "packed gradients")
    for _ in 0..<4 {
      let texts = randomTexts(9, lengths: 1...30, vocabulary: 97, &stream)
      let rows = try packed(texts, length: 50)
      let units = texts.map { $0.count - 1 }.reduce(0, +)
      #expect(rows.labelCount == units)
      let loss = try model.loss(rows)
      try (loss * (1 / Double(units))).backward()
      let together = try model.takeGradients()
      let apart = try model.loss(Batch(texts: texts))
      try (apart * (1 / Double(units))).backward()
      #expect(try Swift.abs(loss.item() - apart.item()) < bound * apart.item())
      let gradients = try model.takeGradients()
      let differences = try gradients.map { name, gradient in try together[name]! - gradient }
      let norm = try Tensor.squaredNorm(of: Array(gradients.values)).squareRoot()
      #expect(norm > 0.1)
      #expect(try Tensor.squaredNorm(of: differences).squareRoot() / norm <= bound)
    }
  }
}
