internal import HoldfastBasics

/// What an adapter is, without its numbers: which of a model's linear layers it adapts, how, and how strongly.
public struct AdapterConfiguration: Sendable, Hashable {
  public enum Kind: String, Sendable {
    /// y = W·x + s·B·A·x (Hu et al. 2022, arXiv 2106.09685).
    case lora
    /// W' = m ⊙ (W + s·B·A) / ‖W + s·B·A‖ by output row (Liu et al. 2024, arXiv 2402.09353).
    case dora
    /// y = W·x + s·P·Λ·Q·x, with B = P, A = Q and the diagonal E = Λ (Zhang et al. 2023, arXiv 2303.10512).
    case adalora
  }

  /// How α and the rank give the factor s.
  public enum Scaling: String, Sendable, CaseIterable {
    /// α / rank
    case standard
    /// α / √rank (Kalajdzievski 2023, arXiv 2312.03732)
    case rankStabilized = "rank_stabilized"
  }

  /// Which linear layers are adapted. The head is never one of them.
  public enum Targets: Sendable, Hashable {
    case allLinear, attention, mlp
    /// Last parts of names, such as `q_proj` or `mlp.up_proj`, or whole names.
    case named([String])
  }

  public var kind: Kind
  public var rank: Int
  public var alpha: Double
  public var scaling: Scaling
  /// Share of the inputs that the adapter's path misses while it trains.
  public var dropout: Double
  public var targets: Targets
  /// Ranks and alphas of single layers that differ, by the layer's whole name.
  public var ranks: [String: Int] = [:]
  public var alphas: [String: Double] = [:]

  public init(
    _ kind: Kind = .lora, rank: Int, alpha: Double, scaling: Scaling = .standard, dropout: Double = 0, targets: Targets = .allLinear
  ) {
    precondition(rank > 0 && (0..<1).contains(dropout))
    self.kind = kind
    self.rank = rank
    self.alpha = alpha
    self.scaling = scaling
    self.dropout = dropout
    self.targets = targets
  }

  /// s of a layer.
  public func scale(of linear: String) -> Double {
    let alpha = alphas[linear] ?? alpha
    // AdaLoRA's released code divides by rank + 1e-5, and by the first rank however much of it is left.
    if kind == .adalora { return alpha / (Double(rank) + 1e-5) }
    let rank = Double(ranks[linear] ?? rank)
    return scaling == .standard ? alpha / rank : alpha / rank.squareRoot()
  }

  /// The names of the layers it adapts, out of a model's linear layers in their order.
  ///
  /// - Throws: `Problems` with every target that is none of them.
  func layers(among names: [String]) throws(Problems) -> [String] {
    switch targets {
    case .allLinear: return names
    case .attention: return names.filter { $0.contains(".self_attn.") }
    case .mlp: return names.filter { $0.contains(".mlp.") }
    case .named(let targets):
      var problems = Problems("adapter"), chosen: Set<String> = []
      for target in targets {
        let found = names.filter { $0 == target || $0.hasSuffix("." + target) }
        if found.isEmpty {
          let kinds = Set(names.map { $0.split(separator: ".").suffix(1).joined() }).sorted()
          let near = nearestName(to: target, among: kinds).map { "; did you mean \($0)?" } ?? "; there are \(kinds.joined(separator: ", "))"
          problems.add(
            target.hasSuffix("lm_head") || target.hasSuffix("embed_tokens")
              ? "\(target) cannot be adapted: only the linear layers inside the blocks are" : "no linear layer is called \(target)\(near)")
        }
        chosen.formUnion(found)
      }
      if targets.isEmpty { problems.add("no target is named, so there is nothing to adapt") }
      try problems.check()
      return names.filter(chosen.contains)
    }
  }

  /// What it would put beside a model, by names and shapes, in the order of the layers.
  ///
  /// - Throws: `Problems` with every target that is no linear layer of the model.
  public func facts(of model: ModelConfiguration) throws -> (adapter: AdapterFacts, parameters: [ParameterFacts]) {
    let adapter = try adapter(of: model, weights: NoWeights())
    return (adapter.facts, adapter.parameters.map(\.facts))
  }

  /// The adapter alone, in f32 and beside no weights: for what only looks at its numbers, as a merge does.
  public func adapter(of model: ModelConfiguration, weights: any WeightSource, subject: String = "adapter") throws -> Adapter {
    try Decoder(model, weights: NoWeights()).attach(self, weights: weights, subject: subject)
  }
}
