import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// Path integrals against the loss they claim to explain.
struct PathTests {
  /// Trains a tiny model by plain full-batch gradient descent with a recorder; Σω and the true drop of the loss.
  private func descend(rate: Double, steps: Int, parts: Int = 1) throws -> (omega: [String: Tensor], drop: Double, start: [String: Tensor], model: Decoder) {
    let model = try tinyDecoder(layers: 2), texts = randomTexts(8, lengths: 9...9)
    var start: [String: Tensor] = [:]
    for p in model.parameters {
      start[p.name] = try p.value.copy()
      try p.value.setRequiresGradient(true)
    }
    let recorder = PathRecorder()
    func loss() throws -> Double {
      try Torch.withoutGradients {
        let batch = try Batch(texts: texts)
        return try model.forward(batch).labelledHidden.headLoss(model.head.value, labels: batch.labels).item()
      }
    }
    let before = try loss()
    for _ in 0..<steps {
      var gradients: [String: Tensor] = [:]
      for part in 0..<parts {
        let size = texts.count / parts
        let batch = try Batch(texts: Array(texts[part * size..<(part + 1) * size]))
        try model.forward(batch).labelledHidden.headLoss(model.head.value, labels: batch.labels).backward()
        for p in model.parameters {
          let g = try p.value.takeGradient()!
          gradients[p.name] = try gradients[p.name].map { try $0 + g } ?? g
        }
      }
      let weights = NamedTensors(model.parameters.map { ($0.name, $0.value) })
      try recorder.observe(NamedTensors(model.parameters.map { ($0.name, gradients[$0.name]!) }), weights)
      try Torch.withoutGradients { for p in model.parameters { try p.value.add(gradients[p.name]!, scale: -rate) } }
      try recorder.afterStep(weights)
    }
    return (recorder.path, before - (try loss()), start, model)
  }

  private func total(_ omega: [String: Tensor]) throws -> Double { try omega.values.reduce(0) { try $0 + $1.sum().item() } }

  @Test func sumsToTheDropOfTheLoss() throws {
    let small = try descend(rate: 2e-4, steps: 60)
    let sum = try total(small.omega)
    #expect(abs(sum / small.drop - 1) < 0.01 && small.drop > 1, "Σω \(sum), drop \(small.drop)")
    // Too large a rate shows as a ratio far above 1: an alarm.
    let large = try descend(rate: 0.05, steps: 10)
    let far = try total(large.omega)
    #expect(far > 2 * abs(large.drop), "Σω \(far), drop \(large.drop)")
  }

  @Test func microbatchesAreOneBatch() throws {
    let one = try descend(rate: 1e-3, steps: 5), four = try descend(rate: 1e-3, steps: 5, parts: 4)
    for (name, omega) in one.omega {
      let size = try Tensor.squaredNorm(of: [omega]).squareRoot()
      #expect(try Tensor.squaredNorm(of: [omega - four.omega[name]!]).squareRoot() < 1e-4 * size, "\(name)")
    }
  }

  @Test func whatStandsStillHasNone() throws {
    let recorder = PathRecorder()
    let weight = try Tensor([1, 2, 3] as [Float]), gradient = try Tensor([5, -5, 2] as [Float])
    try recorder.observe(NamedTensors([("a", gradient), ("b", gradient)]), NamedTensors([("a", weight), ("b", weight)]))
    let moved = try Tensor([1, 2.5, 2] as [Float])
    try gradient.scale(by: 100)  // a penalty that joins later is not seen
    try recorder.afterStep(NamedTensors([("a", weight), ("b", moved)]))
    #expect(try recorder.path["a"]!.floats() == [0, 0, 0])
    #expect(try recorder.path["b"]!.floats() == [0, 2.5, 2])
    let found = try PathImportance.importance(
      path: recorder.path, moved: { (n: String) throws(EngineError) in try n == "a" ? weight - weight : moved - weight }, epsilon: .relative(1), clamps: true)
    #expect(found.still == ["a"])
    #expect(try found.tensors["a"]!.floats() == [0, 0, 0])
    // Δ² = 0, ¼, 1 and their mean 5/12.
    let mean = Float(1.25 / 3)
    let b = try found.tensors["b"]!.floats()
    #expect(b[0] == 0 && abs(b[1] - 2.5 / (0.25 + mean)) < 1e-6 && abs(b[2] - 2 / (1 + mean)) < 1e-6)
    #expect(found.total == 4.5 && found.negative == 0)
  }

  @Test func clampAndEpsilon() throws {
    let path = ["a": try Tensor([-1, 3] as [Float])], moved = try Tensor([1, 2] as [Float])
    func omega(_ epsilon: PathImportance.Epsilon, _ clamps: Bool) throws -> [Float] {
      try PathImportance.importance(path: path, moved: { _ in moved }, epsilon: epsilon, clamps: clamps).tensors["a"]!.floats()
    }
    #expect(try omega(.absolute(1), true) == [0, 0.6])
    #expect(try omega(.absolute(1), false) == [-0.5, 0.6])
    #expect(try omega(.relative(2), true) == [0, 3 / 9])
    #expect(try PathImportance.importance(path: path, moved: { _ in moved }, epsilon: .absolute(1), clamps: true).negative == 0.5)
  }

  /// Plain descent, where the path integral is rate times a sum of squared gradients: entries move as F says they should.
  @Test func plainDescentGivesSquaredGradients() throws {
    let run = try descend(rate: 1e-3, steps: 1), texts = randomTexts(8, lengths: 9...9)
    let fresh = try tinyDecoder(layers: 2)
    for p in fresh.parameters { try p.value.setRequiresGradient(true) }
    let batch = try Batch(texts: texts)
    try fresh.forward(batch).labelledHidden.headLoss(fresh.head.value, labels: batch.labels).backward()
    for p in fresh.parameters {
      let g = try p.value.takeGradient()!
      let expected = try g * g * 1e-3, size = try Tensor.squaredNorm(of: [expected]).squareRoot()
      // The movement is a difference of f32 weights, so it is rounded to their last bit.
      #expect(try Tensor.squaredNorm(of: [run.omega[p.name]! - expected]).squareRoot() < 2e-3 * size, "\(p.name)")
    }
  }

  /// What PathRecording leaves says beside which adapter it was recorded.
  @Test func recordsNameTheirAdapter() throws {
    let model = try tinyDecoder()
    try model.attach(AdapterConfiguration(.lora, rank: 3, alpha: 6), weights: RandomWeights(seed: 8, layerCount: 2))
    let linear = model.adapters[0].linears[0], a = try linear.a.value.detached().copy(), b = try linear.b.value.detached().copy()
    let start = [linear.a.name: try a.copy(), linear.b.name: try b.copy()]
    let stage = StageFacts(model: ModelFacts(model), seed: 0, steps: 2, pretrained: PretrainedWeights { start[$0]! })
    let method = try make(PathIntegral.self, JSONObject()).begin(stage)
    let weights = NamedTensors([(linear.a.name, a), (linear.b.name, b)])
    var step = Step(number: 0, total: 2, learningRate: 0.1)
    for number in 0..<2 {
      step = Step(number: number, total: 2, learningRate: 0.1)
      step.loss = 1
      let gradient = try Tensor.full(linear.base.shape, 1)
      try method.observe(NamedTensors([(linear.base.name, gradient), (linear.a.name, a), (linear.b.name, b)]), weights, at: step)
      try b.add(Tensor.full(linear.b.shape, -0.1))
      _ = try method.afterStep(weights, at: step)
    }
    try method.finish(weights)
    let record = try #require(try method.record())
    #expect(record.facts["adapter"] == ["kind": "lora", "rank": 3, "alpha": 6.0, "scaling": "standard"])
    #expect(record.facts["fingerprint"] == .string(stage.model.fingerprint))
  }

  /// One interval of RWalk by hand.
  @Test func rwalkByHand() throws {
    let start = try Tensor([1, 1] as [Float])
    let facts = ModelFacts(configuration: try tinyDecoder(layers: 1).configuration, parameters: [ParameterFacts(name: "a", shape: [2])])
    let stage = StageFacts(model: facts, seed: 0, steps: 2, pretrained: PretrainedWeights { _ in start })
    let method = try make(RWalk.self, ["lambda": 1, "a": 0.5, "every": 2, "xi": 0.1]).begin(stage)
    let weight = try start.copy()
    func step(_ number: Int, _ gradient: [Float], _ next: [Float]) throws {
      let at = Step(number: number, total: 2, learningRate: 0.1)
      try method.observe(NamedTensors([("a", Tensor(gradient))]), NamedTensors([("a", weight)]), at: at)
      #expect(try method.pull(NamedTensors([("a", Tensor(gradient))]), NamedTensors([("a", weight)]), at: at) == nil)
      try weight.assign(Tensor(next))
      _ = try method.afterStep(NamedTensors([("a", weight)]), at: at)
    }
    try step(0, [2, -1], [0.5, 1.5])
    try step(1, [4, 2], [0, 2])
    // ω = −(2 · −0.5 + 4 · −0.5) = 3 and −(−1 · 0.5 + 2 · 0.5) = −0.5; Δ² = 1; F = ½ g² = 8, 2.
    try method.finish(NamedTensors([("a", weight)]))
    let record = try #require(try method.record())
    #expect(try record.tensors["fisher.a"]!.floats() == [8, 2])
    // s = 3 / (½ · 8 · 1 + 0.1) and 0, scaled to 1 and 0.
    #expect(try record.tensors["score.a"]!.floats() == [1, 0])
    #expect(try method.state["score.a"]!.floats().map { ($0 * 1000).rounded() } == [732, 0])
  }
}
