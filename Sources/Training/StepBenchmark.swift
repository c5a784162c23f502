internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastModels

/// Times optimizer steps of a random Llama on random tokens: forward, loss over every token but the last of a row,
/// backward, clipping, AdamW, with the trainer's own parts.
public struct StepBenchmark {
  /// Sizes of published models; all tie the head to the embedding.
  public enum Shape: String, Sendable, CaseIterable {
    case tiny15m, smol135m, qwen05b, llama1b4l

    /// hidden, intermediate, layers, query heads, key/value heads, vocabulary
    private var sizes: (Int, Int, Int, Int, Int, Int) {
      switch self {
      case .tiny15m: (288, 768, 6, 6, 6, 32_000)
      case .smol135m: (576, 1536, 30, 9, 3, 49_152)
      case .qwen05b: (896, 4864, 24, 14, 2, 151_936)
      case .llama1b4l: (2048, 8192, 4, 32, 8, 128_256)
      }
    }

    func configuration(length: Int) throws(Problems) -> ModelConfiguration {
      let (hidden, intermediate, layers, heads, groups, vocabulary) = sizes
      return try ModelConfiguration(.object([
        "model_type": "llama", "hidden_size": .integer(hidden), "intermediate_size": .integer(intermediate),
        "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads), "num_key_value_heads": .integer(groups),
        "vocab_size": .integer(vocabulary), "max_position_embeddings": .integer(max(2048, length)), "tie_word_embeddings": true,
      ]))
    }
  }

  public let shape: Shape
  public let rows: Int
  /// Tokens a row.
  public let length: Int
  public let precision: Recipe.Precision
  /// false: bf16 weights and moments without f32 masters, for comparison with programs that keep none. Never for training.
  public var keepsMasters = true
  /// Which of a model's parameters train; nil: all.
  public var selection: ((ModelFacts) throws -> Set<String>)?
  /// An adapter that trains in place of the model's own weights.
  public var adapter: AdapterConfiguration?
  public var device = "cpu"

  public init(shape: Shape, rows: Int, length: Int, precision: Recipe.Precision) {
    self.shape = shape
    self.rows = rows
    self.length = length
    self.precision = precision
  }

  public struct Result: Sendable {
    /// Seconds of each timed step, ascending.
    public let seconds: [Double]
    /// Elements of the model, and of what trains.
    public let parameters, trained: Int
    /// Nats a label after the last step.
    public let loss: Double

    public var median: Double { seconds[seconds.count / 2] }
  }

  /// Two steps to warm up; then at least `least` and, for `budget` seconds, at most `most`. `now` is a clock in seconds.
  public func run(least: Int = 3, most: Int = 8, budget: Double = 40, now: () -> Double) throws -> Result {
    guard rows > 0, length > 1 else { throw EngineError("a step needs at least one row of two tokens") }
    guard let place = Device(device), try place.isAvailable else { throw EngineError("libtorch sees no device \(device) here") }
    let configuration = try shape.configuration(length: length)
    let model = try Decoder(
      configuration, weights: RandomWeights(seed: 0, layerCount: configuration.layerCount), dtype: precision.dtype, device: place)
    if let adapter {
      let start = try AdapterStart(
        seed: 0, kind: adapter.kind, base: RandomWeights(seed: 0, layerCount: configuration.layerCount), model: configuration)
      try model.attach(adapter, weights: start)
    }
    let facts = ModelFacts(model)
    let names = try selection?(facts) ?? Set(facts.trainable.map(\.name))
    let trained = model.parameters.filter { names.contains($0.name) }
    for parameter in trained { try parameter.value.setRequiresGradient(true) }
    let settings = try KeyReader.read(KeySource(subject: "bench", object: JSONObject()), OptimizerRecipe.init).0
    let optimizer = AdamW(settings, keepsMasters: keepsMasters)
    let batch = try randomBatch(vocabulary: configuration.vocabularySize, device: place)
    var loss = 0.0

    func step() throws {
      let sum = try model.forward(batch).labelledHidden.headLoss(model.head.value, labels: batch.labels)
      try (sum * (1 / Double(batch.labelCount))).backward()
      var gradients = Gradients(widens: keepsMasters)
      try gradients.fold(trained)
      loss = try sum.item() / Double(batch.labelCount)
      let named = try gradients.named(trained)
      let norm = try Tensor.squaredNorm(of: named.all).squareRoot()
      for parameter in trained {
        try optimizer.step(
          optimizer.slot(for: parameter) { nil }, gradient: named[parameter.name]!, rate: 1e-4, gradientScale: min(1, 1 / (norm + 1e-6)),
          rule: UpdateRule())
      }
      try place.synchronize()
    }

    for _ in 0..<2 { try step() }
    var seconds: [Double] = []
    let begun = now()
    while seconds.count < least || seconds.count < most && now() - begun < budget {
      let start = now()
      try step()
      seconds.append(now() - start)
    }
    return Result(seconds: seconds.sorted(), parameters: facts.count, trained: trained.reduce(0) { $0 + $1.count }, loss: loss)
  }

  private func randomBatch(vocabulary: Int, device: Device) throws -> Batch {
    var stream = CounterGenerator(seed: 1, "bench")
    let ids = (0..<rows * length).map { _ in stream.below(vocabulary) }
    return try Batch(
      rows: rows, length: length, ids: ids, labels: ids.indices.map { $0 % length + 1 < length ? ids[$0 + 1] : -1 },
      positions: ids.indices.map { $0 % length }, spans: (0..<rows).map { Span(row: $0, start: 0, length: length) }, device: device)
  }
}
