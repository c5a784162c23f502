internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels

/// Times emulated fine-tuning with random models: a base of 110 million parameters and two small ones of 15 million, all of one vocabulary.
public struct EmulationBenchmark {
  public enum Size: Sendable {
    /// 768 wide, 12 layers.
    case large
    /// 288 wide, 6 layers.
    case small

    func configuration() throws -> ModelConfiguration {
      let (hidden, intermediate, layers, heads) = self == .large ? (768, 2048, 12, 12) : (288, 768, 6, 6)
      return try ModelConfiguration([
        "model_type": "llama", "hidden_size": .integer(hidden), "intermediate_size": .integer(intermediate),
        "num_hidden_layers": .integer(layers),
        "num_attention_heads": .integer(heads), "num_key_value_heads": .integer(heads), "vocab_size": 32_000,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": true,
      ])
    }
  }

  /// Tokens of every prompt.
  public static let promptLength = 64

  public let rows: Int
  /// Tokens that every row gets.
  public let new: Int
  let base, expert, antiExpert: DecodingModel

  public init(rows: Int, new: Int, dtype: DType, weights: DecodingWeights = .asStored) throws {
    func model(_ size: Size, _ seed: UInt64) throws -> DecodingModel {
      let configuration = try size.configuration()
      return try DecodingModel(
        Decoder(configuration, weights: RandomWeights(seed: seed, layerCount: configuration.layerCount), dtype: dtype), weights: weights)
    }
    self.rows = rows
    self.new = new
    base = try model(.large, 0)
    expert = try model(.small, 1)
    antiExpert = try model(.small, 2)
  }

  public func emulated() throws -> Ensemble {
    try Ensemble(base: .init("base", base), experts: [.init("expert", expert)], antiExpert: .init("anti-expert", antiExpert))
  }
  public var baseAlone: Ensemble { Ensemble(base) }
  public var expertAlone: Ensemble { Ensemble(expert) }

  public struct Result: Sendable {
    /// Of all rows, prompts included.
    public let tokensPerSecond: Double
    /// Of one step in which every row gets a token, without speculation and prompts: the median.
    public let stepSeconds: Double
    public let counts: GenerationCounts
  }

  /// Every row continues a random prompt greedily. `now` is a clock in seconds.
  public func run(_ ensemble: Ensemble, speculation: Speculation? = nil, now: () -> Double) throws -> Result {
    let engine = try GenerationEngine(ensemble, rows: rows, capacity: Self.promptLength + new, speculation: speculation)
    engine.promptTokensPerStep = max(512, rows * Self.promptLength)
    var stream = CounterGenerator(seed: 3, "bench eft")
    for row in 0..<rows {
      let prompt = (0..<Self.promptLength).map { _ in stream.below(32_000) }
      var request = GenerationRequest(prompt: prompt, maximumTokens: new)
      request.sampling.seed = UInt64(row)
      _ = try engine.add(request)
    }
    let begun = now()
    var steps: [Double] = [], last = begun
    while engine.count > 0 {
      _ = try engine.advance()
      steps.append(now() - last)
      last = now()
    }
    let decoding = steps.dropFirst().sorted()
    return Result(
      tokensPerSecond: Double(rows * new) / (last - begun), stepSeconds: decoding.isEmpty ? 0 : decoding[decoding.count / 2],
      counts: engine.counts)
  }

  /// Seconds of one pass of the base over so many tokens of one row, and its floating-point operations (2 a parameter of the layers and token).
  public func prefill(tokens: Int, now: () -> Double) throws -> (seconds: Double, operations: Double) {
    let cache = try base.cache(rows: 1, capacity: tokens), c = base.configuration
    var stream = CounterGenerator(seed: 4, "bench eft"), best = Double.infinity
    let ids = (0..<tokens).map { _ in stream.below(32_000) }
    for _ in 0..<4 {
      cache.crop(row: 0, to: 0)
      let begun = now()
      _ = try base.advance([RowTokens(row: 0, ids: ids, wanted: 1)], in: cache)
      best = min(best, now() - begun)
    }
    let layer = 4 * c.hiddenSize * c.hiddenSize + 3 * c.hiddenSize * c.intermediateSize
    return (best, 2 * Double(tokens) * Double(c.layerCount * layer))
  }

  /// Seconds of one pass over a block of every row: base, expert, anti-expert. For the cost model of speculation.
  public func blockSeconds(_ block: Int, now: () -> Double) throws -> [Double] {
    try [base, expert, antiExpert].map { model in
      let cache = try model.cache(rows: rows, capacity: Self.promptLength + block)
      let prompt = Array(repeating: 7, count: Self.promptLength), part = Array(repeating: 9, count: block)
      _ = try model.advance((0..<rows).map { RowTokens(row: $0, ids: prompt, wanted: 0) }, in: cache)
      var seconds: [Double] = []
      for _ in 0..<7 {
        for row in 0..<rows { cache.crop(row: row, to: Self.promptLength) }
        let begun = now()
        _ = try model.advance((0..<rows).map { RowTokens(row: $0, ids: part, wanted: block) }, in: cache)
        seconds.append(now() - begun)
      }
      return seconds.sorted()[seconds.count / 2]
    }
  }
}
