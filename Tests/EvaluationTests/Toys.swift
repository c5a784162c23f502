import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers

/// A language of twelve tokens: `<s>`, `</s>`, line break, space and the letters a to h.
enum Toy {
  static let vocabulary = ["<s>", "</s>", "Ċ", "Ġ"] + "abcdefgh".map(String.init)

  /// One token a character; `<s>` stands in front of a text.
  static func tokenizer() throws -> Tokenizer {
    var ids = JSONObject()
    for (id, token) in vocabulary.enumerated() { ids[token] = .integer(id) }
    let front: JSON = ["SpecialToken": ["id": "<s>", "type_id": 0]]
    let body: JSON = ["Sequence": ["id": "A", "type_id": 0]]
    let json: JSON = [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": [added(0, "<s>"), added(1, "</s>")], "normalizer": nil,
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
      "post_processor": [
        "type": "TemplateProcessing", "single": [front, body], "pair": [front, body],
        "special_tokens": ["<s>": ["id": "<s>", "ids": [0], "tokens": ["<s>"]]],
      ],
      "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
        "fuse_unk": false, "byte_fallback": false, "vocab": .object(ids), "merges": [],
      ],
    ]
    return try Tokenizer(tokenizer: json, configuration: ["bos_token": "<s>", "eos_token": "</s>"], path: "toy")
  }

  private static func added(_ id: Int, _ content: String) -> JSON {
    [
      "id": .integer(id), "content": .string(content), "single_word": false, "lstrip": false, "rstrip": false,
      "normalized": false, "special": true,
    ]
  }

  /// A random model of two layers whose logits differ widely.
  static func model(seed: UInt64, context: Int = 64) throws -> Decoder {
    let configuration = try ModelConfiguration([
      "model_type": "llama", "vocab_size": .integer(vocabulary.count), "hidden_size": 16, "intermediate_size": 24,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
      "max_position_embeddings": .integer(context), "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    ])
    return try Decoder(configuration, weights: RandomWeights(seed: seed, deviation: 0.6, layerCount: 2))
  }

  static func evaluator(seed: UInt64) throws -> Evaluator {
    try Evaluator(model: model(seed: seed), tokenizer: tokenizer())
  }

  /// log p of every token of a text but the first, from logits of the text alone, in f64.
  static func bruteForce(_ model: Decoder, _ ids: [Int]) throws -> [Double] {
    let forward = try model.forward(Batch(texts: [ids]))
    let logits = try model.logits(forward.hidden).cast(.float64).logSoftmax(axis: 1).doubles()
    let width = model.configuration.vocabularySize
    return ids.indices.dropFirst().map { logits[($0 - 1) * width + ids[$0]] }
  }
}
