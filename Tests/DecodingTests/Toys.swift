import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels

enum Toy {
  /// A random model of two layers whose logits differ widely.
  static func model(seed: UInt64, vocabulary: Int, dtype: DType = .float32, deviation: Double = 0.6) throws -> Decoder {
    try Decoder(configuration(vocabulary), weights: RandomWeights(seed: seed, deviation: deviation, layerCount: 2), dtype: dtype)
  }

  /// Widths that fill no register, grouped heads, a window on the second layer, biases, norms on heads.
  static func oddModel(seed: UInt64, dtype: DType = .float32) throws -> Decoder {
    var c = try ModelConfiguration([
      "model_type": "qwen3", "vocab_size": 37, "hidden_size": 44, "intermediate_size": 53, "num_hidden_layers": 2, "num_attention_heads": 6,
      "num_key_value_heads": 2, "head_dim": 22, "rms_norm_eps": 1e-6, "max_position_embeddings": 256, "tie_word_embeddings": true,
      "attention_bias": true,
    ])
    c.windows = [0, 7]
    c.mlpBias = true
    return try Decoder(c, weights: NoisyWeights(seed: seed), dtype: dtype)
  }

  static func configuration(_ vocabulary: Int) throws -> ModelConfiguration {
    try ModelConfiguration([
      "model_type": "llama", "vocab_size": .integer(vocabulary), "hidden_size": 16, "intermediate_size": 24,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
      "max_position_embeddings": 128, "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    ])
  }

  static func prompts(_ count: Int, vocabulary: Int, longest: Int = 15, seed: UInt64 = 3) -> [[Int]] {
    var stream = CounterGenerator(seed: seed, "prompts")
    return (0..<count).map { _ in (0..<(1 + stream.below(longest))).map { _ in stream.below(vocabulary) } }
  }

  /// A base, two tunes of one small model, and that: of one vocabulary. The tunes are near what they come from, so that speculation holds now and then.
  struct Family {
    let base, expert, other, anti: DecodingModel
    let vocabulary: Int

    init(vocabulary: Int = 29, dtype: DType = .float32) throws {
      self.vocabulary = vocabulary
      base = try DecodingModel(Toy.model(seed: 11, vocabulary: vocabulary, dtype: dtype, deviation: 0.3))
      let configuration = try Toy.configuration(vocabulary)
      func small(_ seed: UInt64, _ share: Double) throws -> DecodingModel {
        let weights = Blend(
          from: RandomWeights(seed: 12, deviation: 0.5, layerCount: 2), to: RandomWeights(seed: seed, deviation: 0.5, layerCount: 2),
          share: share)
        return try DecodingModel(Decoder(configuration, weights: weights, dtype: dtype))
      }
      anti = try small(0, 0)
      expert = try small(13, 0.4)
      other = try small(14, 0.4)
    }

    func ensemble(_ emulation: Emulation = Emulation(), experts: Int = 1) throws -> Ensemble {
      let all = [Ensemble.Member("expert", expert), Ensemble.Member("other", other)]
      return try Ensemble(
        base: .init("base", base), experts: Array(all.prefix(experts)), antiExpert: .init("anti", anti), emulation: emulation)
    }
  }
}

/// Random weights with noise on norms and biases too.
struct NoisyWeights: WeightSource {
  let seed: UInt64
  var names: [String]? { nil }
  func shape(of name: String) -> [Int]? { nil }
  func tensor(_ name: String) throws -> Tensor { throw EngineError("a shape is needed") }
  func tensor(_ name: String, shape: [Int]) throws -> Tensor {
    var stream = CounterGenerator(seed: seed, "noisy", name)
    let drawn = try Generator(seed: stream.next()).normal(shape, deviation: shape.count == 1 ? 0.2 : 0.25)
    return shape.count == 1 && !name.hasSuffix(".bias") ? try drawn + 1 : drawn
  }
}

/// (1 − share) · from + share · to
struct Blend: WeightSource {
  let from, to: any WeightSource
  let share: Double
  var names: [String]? { nil }
  func shape(of name: String) -> [Int]? { nil }
  func tensor(_ name: String) throws -> Tensor { throw EngineError("a shape is needed") }
  func tensor(_ name: String, shape: [Int]) throws -> Tensor {
    try from.tensor(name, shape: shape) * (1 - share) + to.tensor(name, shape: shape) * share
  }
}
