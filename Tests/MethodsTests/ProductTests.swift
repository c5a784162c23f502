import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// Importance and penalties of the product U = s·B·A beside LoRA.
struct ProductTests {
  /// A model with LoRA on its query and up projections, B drawn so that U is not 0.
  private func adapted(rank: Int = 3, dtype: DType = .float64, alpha: Double = 6) throws -> Decoder {
    let model = try tinyDecoder(layers: 2, dtype: dtype)
    var configuration = AdapterConfiguration(.lora, rank: rank, alpha: alpha)
    configuration.targets = .named(["q_proj", "up_proj"])
    try model.attach(configuration, weights: RandomWeights(seed: 8, deviation: 0.2, layerCount: 2))
    for linear in model.adapters[0].linears { try linear.b.value.assign(Generator(seed: 5).normal(linear.b.shape, deviation: 0.2, dtype: dtype)) }
    return model
  }

  private func stage(_ model: Decoder, start: [String: Tensor]) -> StageFacts {
    StageFacts(model: ModelFacts(model), seed: 1, steps: 10, pretrained: PretrainedWeights { start[$0]! })
  }

  private func factors(_ model: Decoder) throws -> [(String, Tensor)] {
    try model.adapters[0].linears.flatMap { [($0.a.name, try $0.a.value.copy()), ($0.b.name, try $0.b.value.copy())] }
  }

  private func positive(_ model: Decoder) throws -> [String: Tensor] {
    let generator = try Generator(seed: 12)
    var result: [String: Tensor] = [:]
    for linear in model.adapters[0].linears { result[linear.base.name] = try (generator.normal(linear.base.shape) * 2).exp() }
    return result
  }

  /// R and its hand-added gradients of A and B against finite differences.
  @Test func handAddedGradientsAreRight() throws {
    let model = try adapted(), scratch = try Scratch()
    let start = Dictionary(uniqueKeysWithValues: try factors(model))
    var stage = stage(model, start: start)
    stage.weightHashes = ["base", "b"]
    try Artifact.write(to: scratch.path + "/i", tensors: positive(model), facts: JSONObject(), about: ["ends": ["b"]])
    stage.records = ["path_integral": try Artifact(scratch.path + "/i"), "si": try Artifact(scratch.path + "/i")]
    stage.artifacts = ["fisher": try Artifact(scratch.path + "/i"), "output_gradients": try Artifact(scratch.path + "/i")]
    let generator = try Generator(seed: 31)
    let moved = try start.mapValues { try $0 + generator.normal($0.shape, deviation: 0.1, dtype: .float64) }
    let names = model.adapters[0].linears.flatMap { [$0.a.name, $0.b.name] }
    func named(_ tensors: [String: Tensor]) -> NamedTensors { NamedTensors(names.map { ($0, tensors[$0]!) }) }
    func zeros() throws -> [String: Tensor] { try start.mapValues { try Tensor.zeros($0.shape, dtype: .float64) } }
    let methods: [(String, any ActiveMethod)] = [
      ("hierarchical", try make(Hierarchical.self, ["lambda": 0.3]).begin(stage)),
      ("ewc", try make(EWC.self, ["lambda": 0.3, "data": "x"]).begin(stage)), ("mas", try make(MAS.self, ["lambda": 0.3, "data": "x"]).begin(stage)),
      ("si", try make(SynapticIntelligence.self, ["lambda": 0.3]).begin(stage)), ("l2", try make(L2ToStart.self, ["lambda": 0.3, "form": "gradient"]).begin(stage)),
    ]
    let at = Step(number: 3, total: 10, learningRate: 0.01)
    for (label, method) in methods {
      let gradient = try zeros()
      let value = try #require(try method.pull(named(gradient), named(moved), at: at))
      #expect(value > 0)
      for name in names {
        let direction = try generator.normal(moved[name]!.shape, dtype: .float64)
        func value(_ sign: Double) throws -> Double {
          var there = moved
          there[name] = try moved[name]! + direction * (sign * 1e-4)
          return try method.pull(named(zeros()), named(there), at: at)!
        }
        let numeric = try (value(1) - value(-1)) / 2e-4, analytic = try (gradient[name]! * direction).sum().item()
        #expect(abs(numeric - analytic) < 1e-5 * max(1, abs(analytic)), "\(label) \(name): \(numeric) and \(analytic)")
      }
      let none = try zeros()
      #expect(try method.pull(named(none), named(start), at: at)! < 1e-20)
      #expect(try Tensor.squaredNorm(of: named(none).all) < 1e-20)
    }
    // (A, B) → (Q·A, B·Q⁻¹) is the same product, so the same penalty; that of the factors is another.
    let q = try Tensor([2.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 4.0] as [Double], shape: [3, 3], dtype: .float64), inverse = try Tensor([0.5, -0.5, 0, 0, 1, 0, 0, 0, 0.25] as [Double], shape: [3, 3], dtype: .float64)
    var turned = moved
    for linear in model.adapters[0].linears {
      turned[linear.a.name] = try q.matmul(moved[linear.a.name]!)
      turned[linear.b.name] = try moved[linear.b.name]!.matmul(inverse)
    }
    let dense = methods[0].1
    let one = try dense.pull(named(zeros()), named(moved), at: at)!, other = try dense.pull(named(zeros()), named(turned), at: at)!
    #expect(abs(one - other) < 1e-9 * one)
    let ofFactors = Dictionary(uniqueKeysWithValues: try factors(model).map { ($0.0, try Tensor.full($0.1.shape, 1)) })
    try Artifact.write(to: scratch.path + "/f", tensors: ofFactors, facts: JSONObject(), about: ["ends": ["b"]])
    stage.records = ["path_integral": try Artifact(scratch.path + "/f")]
    let factor = try make(Hierarchical.self, ["lambda": 0.3, "space": "factor"]).begin(stage)
    let a = try factor.pull(named(zeros()), named(moved), at: at)!, b = try factor.pull(named(zeros()), named(turned), at: at)!
    #expect(abs(a - b) > 0.1 * a)
  }

  /// The frozen weight's gradient is dL/dU: finite differences of the loss in U, no factor s, and the same however U is split.
  @Test func theProbeIsTheDenseGradient() throws {
    let texts = randomTexts(4, lengths: 8...8)
    func gradients(_ model: Decoder) throws -> [String: Tensor] {
      for p in model.parameters { try p.value.setRequiresGradient(true) }
      let batch = try Batch(texts: texts)
      try model.forward(batch).labelledHidden.headLoss(model.head.value, labels: batch.labels).backward()
      var result: [String: Tensor] = [:]
      for p in model.parameters { result[p.name] = try p.value.takeGradient() }
      return result
    }
    let model = try adapted()
    let plain = try gradients(model)
    // Twice s with half of B is the same U.
    let doubled = try adapted(alpha: 12)
    for linear in doubled.adapters[0].linears { try Torch.withoutGradients { try linear.b.value.scale(by: 0.5) } }
    let again = try gradients(doubled)
    for linear in model.adapters[0].linears {
      let g = plain[linear.base.name]!
      #expect(try g.largestDifference(to: again[linear.base.name]!) < 1e-9)
      // gA = s·Bᵀ·G and gB = s·G·Aᵀ.
      let s = linear.scale
      #expect(try (linear.b.value.detached().transposed(0, 1).matmul(g) * s).largestDifference(to: plain[linear.a.name]!) < 1e-9)
      #expect(try (g.matmul(linear.a.value.detached().transposed(0, 1)) * s).largestDifference(to: plain[linear.b.name]!) < 1e-9)
      // The tangent gradient is its projection: it gives the same to both factors, and projecting it again changes nothing.
      let a = try linear.a.value.detached(), b = try linear.b.value.detached()
      let tangent = try TangentGradient.gradient(a: a, b: b, toA: plain[linear.a.name]!, toB: plain[linear.b.name]!, scale: s)
      let toA = try b.transposed(0, 1).matmul(tangent) * s, toB = try tangent.matmul(a.transposed(0, 1)) * s
      #expect(try toA.largestDifference(to: plain[linear.a.name]!) < 1e-8 && toB.largestDifference(to: plain[linear.b.name]!) < 1e-8)
      let twice = try TangentGradient.gradient(a: a, b: b, toA: toA, toB: toB, scale: s)
      #expect(try twice.largestDifference(to: tangent) < 1e-8)
      // What is left out is orthogonal to it.
      #expect(try abs(((g - tangent) * tangent).sum().item()) < 1e-8 * Tensor.squaredNorm(of: [g]))
      #expect(try Tensor.squaredNorm(of: [tangent]) < Tensor.squaredNorm(of: [g]))
    }
  }

  /// Where B is 0 its pseudo-inverse is too, and A's part alone is left.
  @Test func pseudoInverses() throws {
    let x = try Generator(seed: 3).normal([4, 2], dtype: .float64), m = try x.matmul(x.transposed(0, 1))  // rank 2 of 4
    let p = try TangentGradient.inverse(m)
    #expect(try m.matmul(p).matmul(m).largestDifference(to: m) < 1e-9)
    #expect(try p.matmul(m).matmul(p).largestDifference(to: p) < 1e-9)
    #expect(try Tensor.squaredNorm(of: [TangentGradient.inverse(Tensor.zeros([3, 3]))]) == 0)
    #expect(try TangentGradient.inverse(Tensor([4.0], shape: [1, 1], dtype: .float64)).item() == 0.25)
  }

  /// Plain descent of A and B: Σω over U is the drop of the loss, by either source.
  @Test(arguments: [PathRecorder.Source.probe, .tangent]) func pathsOfTheProductSumToTheDrop(source: PathRecorder.Source) throws {
    let model = try adapted(), texts = randomTexts(6, lengths: 9...9), batch = try Batch(texts: texts)
    let start = Dictionary(uniqueKeysWithValues: try factors(model))
    let space = try ImportanceSpace(ModelFacts(model), .dense)
    let recorder = PathRecorder(space, source: source, start: PretrainedWeights { start[$0]! })
    #expect(recorder.watched == (source == .probe ? Set(model.adapters[0].linears.map(\.base.name)) : []))
    let trained = model.adapters[0].parameters, asked = Set(trained.map(\.name)).union(recorder.watched)
    for p in model.parameters { try p.value.setRequiresGradient(asked.contains(p.name)) }
    func loss() throws -> Tensor { try model.forward(batch).labelledHidden.headLoss(model.head.value, labels: batch.labels) }
    let before = try loss().item()
    let weights = NamedTensors(trained.map { ($0.name, $0.value) })
    for _ in 0..<60 {
      try loss().backward()
      let gradients = NamedTensors(try model.parameters.compactMap { p in try p.value.takeGradient().map { (p.name, $0) } })
      try recorder.observe(gradients, weights)
      try Torch.withoutGradients { for p in trained { try p.value.add(gradients[p.name]!, scale: -2e-4) } }
      try recorder.afterStep(weights)
    }
    let drop = before - (try loss().item())
    let total = try recorder.path.values.reduce(0) { try $0 + $1.sum().item() }
    #expect(drop > 0.5 && abs(total / drop - 1) < 0.02, "Σω \(total), drop \(drop)")
    #expect(Set(recorder.path.keys) == space.watched)
  }

  @Test func otherAdaptersAndDropoutAreRefused() throws {
    func stage(_ kind: AdapterConfiguration.Kind, dropout: Double) throws -> StageFacts {
      let model = try tinyDecoder()
      var configuration = AdapterConfiguration(kind, rank: 2, alpha: 4)
      configuration.dropout = dropout
      try model.attach(configuration, weights: RandomWeights(seed: 8, layerCount: 2))
      return StageFacts(model: ModelFacts(model), seed: 0, steps: 4)
    }
    let dora = try stage(.dora, dropout: 0), dropping = try stage(.lora, dropout: 0.1)
    #expect(throws: Problems.self) { try make(PathIntegral.self, JSONObject()).begin(dora) }
    #expect(throws: Problems.self) { try make(EWC.self, ["lambda": 1, "data": "x"]).begin(dora) }
    #expect(throws: Problems.self) { try make(PathIntegral.self, JSONObject()).begin(dropping) }
    #expect(throws: Problems.self) { try make(EWC.self, ["lambda": 1, "data": "x", "form": "decoupled"]).begin(dropping) }
    #expect(throws: Never.self) { try make(PathIntegral.self, ["space": "factor"]).begin(dropping) }
  }
}
