public import HoldfastBasics
public import HoldfastModels

extension AdapterConfiguration.Scaling: KeyChoice {}

extension AdapterConfiguration.Targets: KeyValue {
  public static var kindOfValue: String { "all_linear, attention, mlp, or names as in [q_proj, mlp.up_proj]" }
  public static var placeholder: Self { .allLinear }

  public init?(key json: JSON) {
    switch json {
    case "all_linear": self = .allLinear
    case "attention": self = .attention
    case "mlp": self = .mlp
    default:
      guard let names = [String](key: json), !names.isEmpty else { return nil }
      self = .named(names)
    }
  }

  public var json: JSON {
    switch self {
    case .allLinear: "all_linear"
    case .attention: "attention"
    case .mlp: "mlp"
    case .named(let names): names.json
    }
  }
}

/// An adapter that trains in place of the model's own weights.
public struct AdapterRecipe: Sendable, Hashable {
  public let configuration: AdapterConfiguration
  /// Folder of an adapter to go on with; nil: a new one.
  public let from: String?
  /// LoRA+: the learning rate of B over that of A.
  public let learningRateRatio: Double
  /// LoRA-FA: A stays where it starts.
  public let freezesA: Bool
  /// Folders of adapters that act under it and stay as they are.
  public let over: [String]
  /// nil for other kinds.
  public let budget: AdaptiveBudget?

  /// Reads the section; nil where it names no kind, which is then complained of.
  init?(_ reader: KeyReader) {
    let found = [
      reader.optionalSection("lora") { Self($0, .lora) }, reader.optionalSection("dora") { Self($0, .dora) },
      reader.optionalSection("adalora") { Self($0, .adalora) },
    ].compactMap { $0 }
    if found.count > 1, !reader.isDocumenting { reader.complain(nil, "names \(found.count) adapters; one trains at a time") }
    guard let first = found.first else {
      reader.complain(nil, "names no kind; {lora: {}}, {dora: {}} or {adalora: {}} does")
      return nil
    }
    self = first
  }

  private init(_ reader: KeyReader, _ kind: AdapterConfiguration.Kind) {
    let isAdaptive = kind == .adalora
    let rank = reader.value(
      "rank", default: isAdaptive ? 12 : 16, in: 1..., doc: isAdaptive ? "The rank of every layer at the beginning." : "Rows of A and columns of B.")
    let alpha: Double? = reader.optional("alpha", in: Above(0.0), otherwise: "2 · rank", doc: "The product B·A counts alpha / rank times.")
    var configuration = AdapterConfiguration(kind, rank: max(1, rank), alpha: alpha ?? Double(2 * rank))
    if !isAdaptive {
      configuration.scaling = reader.value(
        "scaling", default: .standard, doc: "`standard`: alpha / rank; `rank_stabilized`: alpha / √rank (rsLoRA).")
    }
    configuration.dropout = reader.value(
      "dropout", default: 0.0, in: 0..<1, unit: "share", doc: "Inputs of A that are dropped while it trains.")
    configuration.targets = reader.value(
      "targets", default: .allLinear, doc: "Which linear layers are adapted; `all_linear` is all inside the blocks, never the head.")
    self.configuration = configuration
    from = reader.optional(
      "from", otherwise: "a new one, drawn from the seed", doc: "Folder of an adapter of the same kind and shapes to go on with.")
    learningRateRatio = reader.value(
      "learning_rate_ratio", default: 1.0, in: Above(0.0), doc: "Learning rate of B over that of A (LoRA+; 16 in its paper).")
    freezesA = kind == .lora ? reader.value("freeze_a", default: false, doc: "A stays where it starts, and no inputs are kept for it (LoRA-FA).") : false
    over =
      kind == .dora
      ? [] : reader.optional("over", otherwise: "none", doc: "Folders of adapters that act under it, stay as they are and are not part of the result.") ?? []
    budget = isAdaptive ? AdaptiveBudget(reader, rank: rank) : nil
  }

  /// Whether a tensor of the adapter trains.
  func trains(_ name: String) -> Bool { !(freezesA && name.hasSuffix(".lora_A.weight")) }

  /// What the learning rate is multiplied by.
  func rateFactor(_ name: String) -> Double {
    learningRateRatio != 1 && ParameterFacts(name: name, shape: []).adapterPart == "lora_B" ? learningRateRatio : 1
  }
}

/// How AdaLoRA shares out its ranks.
public struct AdaptiveBudget: Sendable, Hashable {
  public let targetRank: Int
  public let warmup, final, every: Int
  public let beta1, beta2: Double
  public let orthogonality: Double

  package init(_ reader: KeyReader, rank: Int) {
    targetRank = reader.value("target_rank", default: 8, in: 1..., doc: "Ranks a layer that are left in the end, on average.")
    warmup = reader.value("warmup", default: 0, in: 0..., unit: "steps", doc: "Steps before the first rank is taken away.")
    final = reader.value("final", default: 0, in: 0..., unit: "steps", doc: "Last steps, in which the ranks stay as they are.")
    every = reader.value("every", default: 1, in: 1..., unit: "steps", doc: "How often ranks are shared out anew.")
    beta1 = reader.value("beta1", default: 0.85, in: Above(0.0, below: 1), doc: "Decay of the mean sensitivity.")
    beta2 = reader.value("beta2", default: 0.85, in: Above(0.0, below: 1), doc: "Decay of its mean deviation.")
    orthogonality = reader.value(
      "orthogonality", default: 0.5, in: 0..., doc: "Strength of the penalty that keeps P's columns and Q's rows orthonormal.")
    if targetRank > rank, !reader.isDocumenting { reader.complain("target_rank", "\(targetRank) is more than the rank \(rank) to begin with") }
  }
}
