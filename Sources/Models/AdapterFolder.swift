public import HoldfastBasics
public import HoldfastEngine

/// An adapter in PEFT's files: `adapter_config.json` and `adapter_model.safetensors`.
///
/// LoRA, rsLoRA and DoRA (`peft_type` LORA) and AdaLoRA are read, ranks and alphas of single layers too. What would change
/// other weights of the model, or needs a base model changed in a way of its own, is refused by name.
public struct AdapterFolder: Sendable {
  public static let configurationFile = "adapter_config.json"
  public static let weightsFile = "adapter_model.safetensors"
  /// What PEFT puts in front of a model's names.
  static let prefix = "base_model.model."

  public let path: String
  public let configuration: AdapterConfiguration
  /// What the adapter was trained on, as its writer named it.
  public let baseModel: String?
  private let file: SafetensorsFile
  /// The file's name of each tensor, by the model's.
  private let keys: [String: String]

  /// Reads the configuration and the header of the weights; everything that is wrong is named at once.
  public init(_ path: String) throws {
    let configurationPath = path + "/" + Self.configurationFile
    guard Files.exists(configurationPath) else {
      let reason = Files.isFolder(path) ? "it holds no \(Self.configurationFile), so it is no adapter" : "no such folder"
      throw FileError(path: path, doing: "open the adapter", code: 0, reason: reason)
    }
    guard Files.exists(path + "/" + Self.weightsFile) else {
      let pickle = Files.exists(path + "/adapter_model.bin")
      throw SafetensorsError(
        file: path, reason: "it holds no \(Self.weightsFile)",
        cure: pickle ? "adapter_model.bin is a pickle, which can run code and is never read here; save the adapter again with safe_serialization=True" : "fetch the weights into it")
    }
    self.path = path
    let json = try MappedFile(path: configurationPath).json()
    file = try SafetensorsFile(path: path + "/" + Self.weightsFile)
    var reader = AdapterConfigurationReader(json, path: configurationPath)
    (configuration, keys) = reader.read(file)
    baseModel = json["base_model_name_or_path"]?.string
    try reader.problems.check()
  }

  /// Its tensors by the model's names.
  public var weights: any WeightSource { AdapterFile(file: file, keys: keys) }

  /// Writes both files into a folder, which must exist. `tensors` by the model's names, `model` for the names of targets.
  public static func write(
    _ adapter: AdapterFacts, tensors: [String: Tensor], model: ModelConfiguration, baseModel: String, extra: JSONObject = JSONObject(), to path: String
  ) throws {
    let c = adapter.configuration
    func number(_ value: Double) -> JSON { Int(exactly: value).map { .integer($0) } ?? .number(value) }
    var json: JSONObject = [
      "peft_type": c.kind == .adalora ? "ADALORA" : "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": .string(baseModel),
      "inference_mode": true, "r": .integer(c.rank), "lora_alpha": number(c.alpha), "lora_dropout": .number(c.dropout),
      "target_modules": .array(targets(adapter, model).map { .string($0) }), "bias": "none", "fan_in_fan_out": false, "modules_to_save": nil,
      "init_lora_weights": true, "use_rslora": .bool(c.scaling == .rankStabilized), "use_dora": .bool(c.kind == .dora),
    ]
    if c.kind == .adalora {
      for (key, value) in extra.members { json[key] = value }
      json["init_r"] = .integer(c.rank)
      json["r"] = 8  // PEFT's default, which it does not use here and warns of where it is another
    } else {
      json["rank_pattern"] = .object(JSONObject(c.ranks.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) }))
      json["alpha_pattern"] = .object(JSONObject(c.alphas.sorted { $0.key < $1.key }.map { ($0.key, number($0.value)) }))
    }
    try Tensor.save(
      Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0.key, $0.value) }), to: path + "/" + weightsFile, metadata: ["format": "pt"])
    try Files.writeAtomically(JSON.object(json).text(.pretty) + "\n", to: path + "/" + configurationFile)
  }

  /// `q_proj` where every layer's is adapted, else whole names.
  private static func targets(_ adapter: AdapterFacts, _ model: ModelConfiguration) -> [String] {
    var names: [String: [String]] = [:]
    for linear in adapter.linears { names[linear.name.split(separator: ".").suffix(1).joined(), default: []].append(linear.name) }
    return names.flatMap { $0.value.count == model.layerCount ? [$0.key] : $0.value }.sorted()
  }
}

/// The tensors of `adapter_model.safetensors` under the model's names.
private struct AdapterFile: WeightSource {
  let file: SafetensorsFile
  let keys: [String: String]

  var names: [String]? { keys.keys.sorted() }
  func shape(of name: String) -> [Int]? { keys[name].flatMap { file.entry($0)?.shape } }

  func tensor(_ name: String) throws -> Tensor {
    guard let key = keys[name], let entry = file.entry(key) else { throw EngineError("\(file.path) holds no tensor \(name)") }
    return try Tensor(bytes: file.bytes(key), shape: entry.shape, dtype: entry.dtype)
  }
}

/// Reads `adapter_config.json` beside the names that stand in the weights.
private struct AdapterConfigurationReader {
  let json: JSON
  var problems: Problems

  init(_ json: JSON, path: String) {
    self.json = json
    problems = Problems(path)
  }

  mutating func read(_ file: SafetensorsFile) -> (AdapterConfiguration, keys: [String: String]) {
    let type = json["peft_type"]?.string ?? "none"
    if type != "LORA" && type != "ADALORA" { problems.add("peft_type \(type) is not supported; supported are LORA and ADALORA") }
    refuse("bias", unless: ["none"], "trained biases would be lost")
    refuse("fan_in_fan_out", unless: [false], "weights are stored the other way round")
    refuse("lora_bias", unless: [false], "the adapter has biases of its own")
    refuse("use_qalora", unless: [false], "its inputs are pooled")
    for key in ["modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication", "alora_invocation_tokens", "kasa_config",
      "monteclora_config", "velora_config", "arrow_config", "use_bdlora"]
    {
      refuse(key, unless: [false], "it is not part of a plain adapter")
    }
    if let start = json["init_lora_weights"]?.string?.lowercased(), ["pissa", "olora", "corda", "loftq", "lora_ga"].contains(where: start.hasPrefix) {
      problems.add("init_lora_weights \"\(start)\" changed the base model itself; save the adapter converted to plain LoRA (path_initial_model_for_weight_conversion)")
    }
    let isAdaptive = type == "ADALORA"
    let kind: AdapterConfiguration.Kind = isAdaptive ? .adalora : json["use_dora"]?.bool == true ? .dora : .lora
    let rank = positive(isAdaptive ? "init_r" : "r")
    let alpha = json["lora_alpha"]?.double ?? 8
    if alpha <= 0 { problems.add("lora_alpha is \(alpha), but is above 0") }
    var c = AdapterConfiguration(kind, rank: rank, alpha: alpha)
    c.scaling = json["use_rslora"]?.bool == true ? .rankStabilized : .standard
    if let dropout = json["lora_dropout"]?.double, (0..<1).contains(dropout) { c.dropout = dropout }
    let keys = tensors(file, &c, isAdaptive)
    return (c, keys)
  }

  /// Fills in targets, ranks and alphas from the tensors; gives the file's name of each.
  private mutating func tensors(_ file: SafetensorsFile, _ c: inout AdapterConfiguration, _ isAdaptive: Bool) -> [String: String] {
    var keys: [String: String] = [:], linears: [String] = [], emptied: Set<String> = []
    let ending = isAdaptive ? ".lora_A" : ".lora_A.weight"
    for key in file.names {
      guard key.hasPrefix(AdapterFolder.prefix) else {
        problems.add("\(file.path): \(key) does not begin with \(AdapterFolder.prefix)")
        continue
      }
      let name = String(key.dropFirst(AdapterFolder.prefix.count))
      keys[name] = key
      guard name.hasSuffix(ending) else { continue }
      let linear = String(name.dropLast(ending.count)), rows = file.entry(key)!.shape.first ?? 0
      if rows == 0, isAdaptive {
        emptied.insert(linear)
      } else {
        linears.append(linear)
        if rows != c.rank { c.ranks[linear] = max(1, rows) }
        if let alpha = pattern("alpha_pattern", linear) { c.alphas[linear] = alpha }
      }
    }
    // AdaLoRA may have taken every rank of a layer.
    for linear in emptied { for part in ["lora_A", "lora_B", "lora_E"] { keys["\(linear).\(part)"] = nil } }
    if linears.isEmpty, problems.isEmpty { problems.add("\(file.path) holds no \(ending.dropFirst())") }
    c.targets = .named(linears.sorted())
    return keys
  }

  /// The value for a layer in a table of name endings.
  private mutating func pattern(_ key: String, _ linear: String) -> Double? {
    for (ending, value) in json[key]?.object?.members ?? JSONObject().members {
      if ending.contains(where: { "*^$\\[(|+?".contains($0) }) {
        problems.add("\(key): \(ending) is an expression; only endings of names are read")
      } else if linear == ending || linear.hasSuffix("." + ending) {
        return value.double
      }
    }
    return nil
  }

  private mutating func positive(_ key: String) -> Int {
    if let value = json[key]?.int, value > 0 { return value }
    problems.add("\(key) is \(json[key]?.text() ?? "missing"); it is a whole number above 0")
    return 1
  }

  /// Complains where a key says anything but null, nothing, or one of the given values.
  private mutating func refuse(_ key: String, unless allowed: [JSON], _ why: String) {
    guard let value = json[key], value != .null, !allowed.contains(value), value.array?.isEmpty != true else { return }
    problems.add("\(key) is \(value.text(.spaced).prefix(80)): \(why)")
  }
}
