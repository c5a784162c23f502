import HoldfastBasics
import HoldfastEngine
import HoldfastModels

enum Toy {
  /// A random model of two layers whose logits differ widely.
  static func model(seed: UInt64, vocabulary: Int) throws -> Decoder {
    let configuration = try ModelConfiguration([
      "model_type": "llama", "vocab_size": .integer(vocabulary), "hidden_size": 16, "intermediate_size": 24,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
      "max_position_embeddings": 128, "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    ])
    return try Decoder(configuration, weights: RandomWeights(seed: seed, deviation: 0.6, layerCount: 2))
  }
}
