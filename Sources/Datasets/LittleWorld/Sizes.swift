public import HoldfastBasics

extension LittleWorld {
  /// Three sizes of one architecture with one tokenizer: what they know grows with their size.
  public enum Size: String, Sendable, Hashable, CaseIterable, Codable {
    case small
    /// The model that is shipped.
    case base
    case large

    /// `config.json` of a Llama of this size.
    public var configuration: JSON {
      let (hidden, layers, heads) =
        switch self {
        case .small: (64, 3, 2)
        case .base: (128, 4, 4)
        case .large: (256, 6, 8)
        }
      return [
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": .integer(vocabulary.count),
        "hidden_size": .integer(hidden), "intermediate_size": .integer(3 * hidden),
        "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads),
        "num_key_value_heads": .integer(heads / 2), "head_dim": 32, "hidden_act": "silu",
        "max_position_embeddings": .integer(contextLength), "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "initializer_range": 0.02,
        "bos_token_id": nil, "eos_token_id": 1, "torch_dtype": "float32",
      ]
    }
  }
}
