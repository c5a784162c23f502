public import HoldfastBasics

/// The facts of a decoder, whatever family's file they were read from.
public struct ModelConfiguration: Sendable, Hashable {
  /// "llama", "mistral", "qwen2" or "qwen3".
  public var family: String
  public var vocabularySize: Int
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var layerCount: Int
  public var headCount: Int
  /// Key/value heads; query heads share them in groups (Ainslie et al. 2023).
  public var keyValueHeadCount: Int
  /// Width of one head; not always hiddenSize / headCount.
  public var headWidth: Int
  public var normEpsilon: Double
  public var rotary: RotaryConfiguration
  /// Tokens that training saw at most.
  public var contextLength: Int
  public var tiesHead: Bool
  public var queryKeyValueBias = false
  public var outputBias = false
  public var mlpBias = false
  /// A norm on every query and key head before the rotation (Qwen3).
  public var queryKeyNorm = false
  /// Per layer: a token sees itself and the window − 1 before it; 0 sees all.
  public var windows: [Int]
  public var beginningIDs: [Int] = []
  public var endIDs: [Int] = []

  /// Families that can be read.
  public static let families = ["llama", "mistral", "qwen2", "qwen3"]
}

extension ModelConfiguration {
  /// Reads `config.json` of a model folder, in the old and the new form of Transformers.
  public init(path: String) throws {
    let json = try MappedFile(path: path).json()
    try self.init(json, path: path)
  }

  /// All complaints at once.
  public init(_ json: JSON, path: String = "config.json") throws(Problems) {
    var reader = ConfigurationReader(json, path: path)
    switch reader.family {
    case "llama": self = .llama(&reader)
    case "mistral": self = .mistral(&reader)
    case "qwen2": self = .qwen2(&reader)
    case "qwen3": self = .qwen3(&reader)
    default:
      let near = nearestName(to: reader.family, among: Self.families).map { " (did you mean \($0)?)" } ?? ""
      reader.problems.add(
        "the architecture \"\(reader.family)\" is not supported\(near); supported are \(Self.families.joined(separator: ", "))")
      throw reader.problems
    }
    check(&reader)
    try reader.problems.check()
  }

  private func check(_ reader: inout ConfigurationReader) {
    for (name, value) in [
      ("vocab_size", vocabularySize), ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize), ("num_hidden_layers", layerCount),
      ("num_attention_heads", headCount), ("num_key_value_heads", keyValueHeadCount), ("head_dim", headWidth),
    ] where value <= 0 || value > 1 << 24 {
      reader.problems.add("\(name) is \(value), which is no size of a model")
    }
    if keyValueHeadCount > 0, headCount % keyValueHeadCount != 0 {
      reader.problems.add("num_attention_heads (\(headCount)) is no multiple of num_key_value_heads (\(keyValueHeadCount))")
    }
    if headWidth % 2 != 0 { reader.problems.add("head_dim is \(headWidth); rotary embedding needs an even width") }
  }
}

/// Reads members of config.json and collects what is wrong.
struct ConfigurationReader {
  let json: JSON
  let family: String
  var problems: Problems

  init(_ json: JSON, path: String) {
    self.json = json
    problems = Problems(path)
    let architecture = json["architectures"]?[0]?.string ?? ""
    family = json["model_type"]?.string ?? architecture.replacingSuffix("ForCausalLM").lowercased()
    if json.object == nil { problems.add("is no JSON object") }
  }

  mutating func int(_ name: String) -> Int {
    if let value = json[name]?.int { return value }
    problems.add(json[name] == nil ? "\(name) is missing" : "\(name) is no whole number")
    return 1
  }

  func int(_ name: String, default value: Int) -> Int { json[name]?.int ?? value }
  func number(_ name: String, default value: Double) -> Double { json[name]?.double ?? value }
  func flag(_ name: String, default value: Bool) -> Bool { json[name]?.bool ?? value }

  /// An id or a list of ids.
  func ids(_ name: String) -> [Int] {
    if let one = json[name]?.int { return [one] }
    return json[name]?.array?.compactMap(\.int) ?? []
  }

  /// `rope_theta` and `rope_scaling` (old form) or `rope_parameters` (new form).
  mutating func rotary(theta standard: Double) -> RotaryConfiguration {
    let parameters = json["rope_parameters"] ?? json["rope_scaling"]
    let theta = json["rope_parameters"]?["rope_theta"]?.double ?? number("rope_theta", default: standard)
    var result = RotaryConfiguration(theta: theta)
    guard let parameters, parameters.object != nil else { return result }
    let kind = parameters["rope_type"]?.string ?? parameters["type"]?.string ?? "default"
    func part(_ name: String) -> Double {
      if let value = parameters[name]?.double, value > 0 { return value }
      problems.add("rotary scaling \"\(kind)\" needs a positive \(name)")
      return 1
    }
    switch kind {
    case "default": break
    case "linear": result.scaling = .linear(factor: part("factor"))
    case "llama3":
      let original = parameters["original_max_position_embeddings"]?.int ?? int("original_max_position_embeddings", default: 8192)
      result.scaling = .llama3(factor: part("factor"), low: part("low_freq_factor"), high: part("high_freq_factor"), original: original)
    default: problems.add("rotary scaling \"\(kind)\" is not supported; supported are default, linear, llama3")
    }
    return result
  }

  /// What every family of this kind shares.
  mutating func common(family: String, theta: Double) -> ModelConfiguration {
    let hidden = int("hidden_size"), heads = int("num_attention_heads"), layers = int("num_hidden_layers")
    let activation = json["hidden_act"]?.string ?? "silu"
    if activation != "silu" { problems.add("hidden_act \"\(activation)\" is not supported; supported is silu") }
    return ModelConfiguration(
      family: family, vocabularySize: int("vocab_size"), hiddenSize: hidden, intermediateSize: int("intermediate_size"), layerCount: layers,
      headCount: heads, keyValueHeadCount: int("num_key_value_heads", default: heads),
      headWidth: int("head_dim", default: heads > 0 ? hidden / heads : 0), normEpsilon: number("rms_norm_eps", default: 1e-6),
      rotary: rotary(theta: theta), contextLength: int("max_position_embeddings", default: 2048),
      tiesHead: flag("tie_word_embeddings", default: false), windows: Array(repeating: 0, count: max(0, min(layers, 1 << 16))),
      beginningIDs: ids("bos_token_id"), endIDs: ids("eos_token_id"))
  }

  /// Windows per layer from `layer_types`, or from the first windowed layer on.
  mutating func windows(size: Int, from first: Int, layers: Int) -> [Int] {
    if let types = json["layer_types"]?.array {
      if types.count != layers { problems.add("layer_types names \(types.count) layers of \(layers)") }
      return types.map { $0.string == "sliding_attention" ? size : 0 }
    }
    return (0..<layers).map { $0 >= first ? size : 0 }
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String) -> String { hasSuffix(suffix) ? String(dropLast(suffix.count)) : self }
}
