public import HoldfastBasics
public import HoldfastTokenizers

// One tokenizer for every size of model, held as its alphabet and merges, from which the usual files are made.

extension LittleWorld {
  /// Tokens in order of their ids: `<unk>`, `<end>`, the alphabet, the merges.
  static var vocabulary: [String] {
    ["<unk>", "<end>"] + alphabet.map(String.init) + mergePairs.map { $0 + $1 }
  }

  static var mergePairs: [(String, String)] {
    merges.split { $0 == " " || $0 == "\n" }.map { pair in
      let sides = pair.split(separator: "~")
      return (String(sides[0]), String(sides[1]))
    }
  }

  /// `tokenizer.json`: byte-pair encoding over bytes, digits one by one.
  public static var tokenizerJSON: JSON {
    let special: [JSON] = ["<unk>", "<end>"].enumerated().map { id, token in
      [
        "id": .integer(id), "content": .string(token), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
      ]
    }
    let byteLevel: JSON = ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true]
    let vocabulary = JSONObject(vocabulary.enumerated().map { ($1, JSON.integer($0)) })
    let merges = mergePairs.map { JSON.array([.string($0), .string($1)]) }
    return [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(special), "normalizer": nil,
      "pre_tokenizer": [
        "type": "Sequence", "pretokenizers": [["type": "Digits", "individual_digits": true], byteLevel],
      ],
      "post_processor": nil, "decoder": byteLevel,
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": "<unk>", "continuing_subword_prefix": nil,
        "end_of_word_suffix": nil, "fuse_unk": true, "byte_fallback": false, "ignore_merges": false,
        "vocab": .object(vocabulary), "merges": .array(merges),
      ],
    ]
  }

  /// `tokenizer_config.json`. A conversation is printed as it stands, so the base model understands one as well.
  public static var tokenizerConfiguration: JSON {
    [
      "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "eos_token": "<end>",
      "model_max_length": .integer(contextLength), "clean_up_tokenization_spaces": false,
      "chat_template":
        "{% for message in messages %}{{ message.content }}{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}",
    ]
  }

  /// Tokens that every question of the world and its answer fit into, with room to spare.
  public static let contextLength = 256

  /// The world's tokenizer.
  public static func tokenizer() throws -> Tokenizer {
    try Tokenizer(tokenizer: tokenizerJSON, configuration: tokenizerConfiguration, path: "the little world's tokenizer")
  }
}
