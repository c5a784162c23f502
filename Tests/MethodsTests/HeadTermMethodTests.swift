import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTokenizers
import HoldfastTraining
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Methods that weigh labels or hold the model's answers against another's, beside their definitions over whole logits.
struct HeadTermMethodTests {
  /// A model, its reference, and a microbatch of three texts from two sources.
  private struct Scene {
    let model: Decoder, reference: Decoder, host: HostBatch, forward: Forward
    let stage: StageFacts

    init(sources: [String] = ["domain", "general"]) throws {
      model = try tinyDecoder(seed: 3)
      reference = try tinyDecoder(seed: 4)
      let texts = randomTexts(3, lengths: 4...8)
      let examples = texts.enumerated().map { Example(rendering: Rendering(ids: $1, isTrained: $1.map { _ in true }), source: $0 / 2, line: $0) }
      host = try DataPlan(Dataset(examples: examples), .init(seed: 0, sequenceLength: 40, shuffle: false)).step(0).microbatches[0]
      for p in model.parameters { try p.value.setRequiresGradient(true) }
      forward = try model.forward(Batch(host, device: .cpu))
      stage = StageFacts(model: ModelFacts(model), seed: 1, steps: 3)
    }

    var scores: LabelScores { LabelScores(model, forward, host, ReferenceModel(beside: model) { [reference] in reference }) }
    let step = Step(number: 0, total: 3, learningRate: 0.1)

    /// log-probabilities [labels][vocabulary] of a model.
    func table(_ decoder: Decoder) throws -> [[Double]] {
      let batch = try Batch(host, device: .cpu)
      return try Torch.withoutGradients {
        let rows = try decoder.logits(decoder.forward(batch).labelledHidden).cast(.float64).logSoftmax(axis: -1)
        let flat = try rows.doubles(), width = decoder.configuration.vocabularySize
        return stride(from: 0, to: flat.count, by: width).map { Array(flat[$0..<$0 + width]) }
      }
    }

    var labels: [Int] { host.labels.filter { $0 != ignoreIndex } }
  }

  private func weights(_ method: any ActiveMethod, _ scene: Scene) throws -> [Double] {
    try #require(try method.labelWeights(scene.scores, at: scene.step)).doubles()
  }

  @Test func weightsFollowTheModel() throws {
    let scene = try Scene()
    let own = try scene.table(scene.model), p = zip(own, scene.labels).map { exp($0[$1]) }
    for (a, b) in zip(try weights(make(DynamicFineTuning.self, [:]).begin(scene.stage), scene), p) { #expect(abs(a - b) < 1e-5) }
    let entropies = own.map { row -> Double in
      let top = row.sorted(by: >).prefix(5).map { exp($0) }, sum = top.reduce(0, +)
      return -top.reduce(0) { $0 + $1 / sum * log($1 / sum) } / log(5)
    }
    for (alpha, knobs) in [(1.0, ["likeliest": 5] as JSONObject), (2, ["likeliest": 5, "alpha": 2])] {
      let found = try weights(make(EntropyAdaptiveFineTuning.self, knobs).begin(scene.stage), scene)
      for (a, b) in zip(found, entropies) { #expect(abs(a - pow(b, alpha)) < 1e-5) }
    }
    let median = p.map { -log($0) }.sorted()[p.count / 2]
    if p.count % 2 == 1 {
      for (a, b) in zip(try weights(make(TokenAdaptiveReweighting.self, ["floor": 0.2]).begin(scene.stage), scene), p) {
        #expect(abs(a - max(0.2, pow(b, 1 / median))) < 1e-5)
      }
    }
    #expect(throws: Problems.self) { try make(EntropyAdaptiveFineTuning.self, ["likeliest": 40]).begin(scene.stage) }
  }

  /// −∇ Σ p: the weight carries no gradient, so p · ∇(−log p) = −∇p.
  @Test func dynamicFineTuningClimbsTheProbability() throws {
    let scene = try Scene()
    let weights = try make(DynamicFineTuning.self, [:]).begin(scene.stage).labelWeights(scene.scores, at: scene.step)
    let loss = try LabelObjective().loss(scene.model, scene.forward, scene.host, HeadTerms(weights: weights))
    try loss.total.backward()
    let got = try scene.model.parameters.map { try #require(try $0.value.takeGradient()) }
    let again = try scene.model.forward(Batch(scene.host, device: .cpu))
    let index = try Tensor(scene.labels, shape: [scene.labels.count, 1])
    try (-scene.model.logits(again.labelledHidden).softmax(axis: -1).gathering(index, axis: 1).sum()).backward()
    for (p, a) in zip(scene.model.parameters, got) {
      let b = try #require(try p.value.takeGradient())
      let gap = try Tensor.squaredNorm(of: [a - b]).squareRoot(), size = try Tensor.squaredNorm(of: [b]).squareRoot()
      #expect(gap < 1e-4 * size + 1e-7, "\(p.name): \(gap) of \(size)")
    }
  }

  private func divergence(_ own: [Double], _ other: [Double], _ kind: DivergenceKind, _ label: Int) -> Double {
    func tempered(_ row: [Double]) -> [Double] {
      let e = row.indices.map { kind.masksLabel && $0 == label ? 0 : exp(row[$0] / kind.temperature) }, sum = e.reduce(0, +)
      return e.map { $0 / sum }
    }
    let (p, q) = (tempered(own), tempered(other))
    let (a, b) = kind.direction == .forward ? (q, p) : (p, q)
    return kind.temperature * kind.temperature * zip(a, b).reduce(0) { $1.0 == 0 ? $0 : $0 + $1.0 * log($1.0 / $1.1) }
  }

  @Test func divergencesAreTheirDefinitions() throws {
    let scene = try Scene()
    let own = try scene.table(scene.model), other = try scene.table(scene.reference), labels = scene.labels
    let sources = scene.scores.places.sources
    func expect(
      _ method: any ActiveMethod, _ kind: DivergenceKind, _ strength: Double, on: Set<Int> = [0, 1], weighted: Bool = false, _ comment: String
    ) throws {
      let scores = scene.scores
      let term = try #require(try method.divergence(scores, at: scene.step))
      let weights = try method.labelWeights(scores, at: scene.step)
      #expect((weights != nil) == weighted)
      let loss = try LabelObjective().loss(
        scene.model, scene.forward, scene.host, HeadTerms(weights: weights, divergence: (comment, term, try scores.referenceAnswers())))
      var expected = 0.0, plain = 0.0
      for i in labels.indices {
        if on.contains(sources[i]) { expected += strength * divergence(own[i], other[i], kind, labels[i]) }
        let logp = own[i][labels[i]]
        plain -= weighted ? exp(logp) * logp : logp
      }
      let found = loss.terms.first { $0.name == comment }?.value ?? .nan
      #expect(abs(found - expected) < 1e-4 * expected, "\(comment): \(found) \(expected)")
      #expect(abs(loss.value - plain) < 1e-4 * plain, "\(comment)")
    }
    try expect(make(KLToStart.self, ["beta": 0.3]).begin(scene.stage), DivergenceKind(.forward), 0.3, "kl")
    try expect(make(KLToStart.self, ["beta": 0.3, "direction": "reverse"]).begin(scene.stage), DivergenceKind(.reverse), 0.3, "kl reverse")
    try expect(make(LearningWithoutForgetting.self, ["lambda": 0.5, "temperature": 3]).begin(scene.stage), DivergenceKind(.forward, temperature: 3), 0.5, "lwf")
    try expect(make(TargetMaskedKL.self, ["beta": 0.4]).begin(scene.stage), DivergenceKind(.forward, masksLabel: true), 0.4, "tmkl")
    try expect(make(AnchoredSFT.self, ["lambda": 0.2]).begin(scene.stage), DivergenceKind(.forward), 0.2, weighted: true, "asft")
    // `on` needs the recipe's sources.
    #expect(throws: Problems.self) { try make(KLToStart.self, ["on": ["generall"]]).begin(scene.stage) }
  }

  // MARK: - Weights found beforehand

  private func artifact(_ tensors: [String: Tensor], _ scratch: Scratch) throws -> Artifact {
    try Artifact.write(to: scratch.path + "/start", tensors: tensors, facts: JSONObject(), about: JSONObject())
    return try Artifact(scratch.path + "/start")
  }

  @Test func maskingAndSampleWeightsAreConstants() throws {
    let scene = try Scene(), scratch = try Scratch()
    // What the preparation would have found: log p of every label, example after example.
    let other = try scene.table(scene.reference), places = scene.scores.places
    let lengths = scene.host.segments.map { $0.length + 1 }
    var starts = [0]
    for length in lengths { starts.append(starts.last! + length) }
    var flat = [Float](repeating: 1, count: starts.last!)  // 1: no label
    for i in scene.labels.indices { flat[starts[places.examples[i]] + places.tokens[i]] = Float(other[i][scene.labels[i]]) }
    var stage = scene.stage
    stage.artifacts = ["start_scores": try artifact(["scores": Tensor(flat), "starts": Tensor(starts)], scratch)]
    let p = zip(other, scene.labels).map { exp($0[$1]) }
    let middle = p.sorted()[p.count / 2]
    let masked = try make(SelectiveTokenMasking.self, ["perplexity": .number(1 / (middle * 0.999))]).begin(stage)
    let found = try weights(masked, scene)
    #expect(zip(found, p).allSatisfy { $0 == ($1 >= middle * 0.999 ? 1 : 0) } && Set(found).count == 2)
    #expect(masked.facts["learnt"]?.int == found.count { $0 == 1 })
    let losses = (0..<3).map { example -> Double in
      let own = p.indices.filter { places.examples[$0] == example }
      return own.reduce(0) { $0 - log(p[$1]) } / Double(own.count)
    }
    let median = losses.sorted()[1]
    for (i, weight) in try weights(make(EasySampleWeights.self, [:]).begin(stage), scene).enumerated() {
      #expect(abs(weight - exp(-losses[places.examples[i]] / median)) < 1e-5)
    }
    // Training does not change them.
    for p in scene.model.parameters { try Torch.withoutGradients { try p.value.scale(by: 0.5) } }
    #expect(try weights(masked, scene) == found)
    #expect(throws: Problems.self) { try make(SelectiveTokenMasking.self, ["perplexity": 1.0000001]).begin(stage) }
    // A label of probability 1 is a label like any other.
    flat[starts[places.examples[0]] + places.tokens[0]] = 0
    let sure = try Scratch()
    stage.artifacts = ["start_scores": try artifact(["scores": Tensor(flat), "starts": Tensor(starts)], sure)]
    let only = try make(SelectiveTokenMasking.self, ["perplexity": 1.0000001]).begin(stage)
    #expect(only.facts["learnt"]?.int == 1 && only.facts["labels"]?.int == scene.labels.count)
  }
}
