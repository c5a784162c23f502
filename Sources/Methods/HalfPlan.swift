public import HoldfastBasics
internal import HoldfastModels
public import HoldfastTraining

/// Which half of a model's weight matrices trains in a stage (Hui et al. 2024, arXiv 2404.18466, section 3).
public struct HalfPlan: Sendable, Hashable {
  public enum Strategy: String, KeyChoice { case category, layer, model }
  public enum Balance: String, KeyChoice { case count, bytes }

  /// A weight matrix with its bias, or one norm; the smallest thing that is chosen or not.
  public struct Unit: Sendable, Hashable {
    /// Such as "model.layers.3.self_attn.q_proj".
    public let name: String
    public let layer: Int
    public let category: Category
    /// Names of its tensors.
    public let tensors: [String]
    /// Elements of all its tensors.
    public let count: Int
  }

  public enum Category: String, Sendable, Hashable, CaseIterable { case attention, ffn, norm }

  /// A uniformly drawn plan, the same on every machine for a seed, stage and model.
  public static func draw(
    units: [Unit], layerCount: Int, fingerprint: String, ratio: Double, strategy: Strategy, balance: Balance, seed: UInt64, stage: Int
  ) -> [Unit] {
    var generator = CounterGenerator(seed: seed, "half_fine_tuning", stage, fingerprint)
    switch strategy {
    case .layer:
      let layers = Set(generator.subset(of: layerCount, size: Int((ratio * Double(layerCount)).rounded())))
      return units.filter { layers.contains($0.layer) }
    case .model:
      return generator.subset(of: units.count, size: Int((ratio * Double(units.count)).rounded())).map { units[$0] }
    case .category:
      var chosen: Set<String> = []
      for category in Category.allCases {
        let layers = (0..<layerCount).map { layer in units.filter { $0.layer == layer && $0.category == category } }
        let size = layers.first?.count ?? 0
        // 1e-9 guards against a product that lands just under a whole number.
        let base = Int((ratio * Double(size) + 1e-9).rounded(.down))
        let extra = max(0, ratio * Double(size) - Double(base))
        // Half away from zero: with an odd number of layers, one more trains two of three.
        let up = Set(generator.subset(of: layerCount, size: Int((extra * Double(layerCount)).rounded(.toNearestOrAwayFromZero))))
        for (layer, members) in layers.enumerated() {
          let k = min(members.count, base + (up.contains(layer) ? 1 : 0))
          for i in subset(of: members, size: k, balance, &generator) { chosen.insert(members[i].name) }
        }
      }
      return units.filter { chosen.contains($0.name) }
    }
  }

  /// `count` draws among all k-subsets; `bytes` among those whose share of the elements is nearest to k of n.
  private static func subset(of members: [Unit], size k: Int, _ balance: Balance, _ generator: inout CounterGenerator) -> [Int] {
    guard balance == .bytes, k > 0, k < members.count else { return generator.subset(of: members.count, size: k) }
    let subsets = (0..<1 << members.count).filter { $0.nonzeroBitCount == k }
      .map { bits in members.indices.filter { bits >> $0 & 1 == 1 } }
    let total = members.reduce(0) { $0 + $1.count }
    // In whole numbers, so that equal distances are equal: |n · share − k · total|.
    let distance = subsets.map { abs(members.count * $0.reduce(0) { $0 + members[$1].count } - k * total) }
    let nearest = distance.min()!
    return generator.pick(subsets.indices.filter { distance[$0] == nearest }.map { subsets[$0] })
  }

  /// The units inside a model's layers, in order. A layer tensor that no rule matches is an error, never a guess.
  public static func units(of model: ModelFacts) throws(Problems) -> [Unit] {
    var problems = Problems(model.configuration.family), order: [String] = [], tensors: [String: [ParameterFacts]] = [:]
    for parameter in model.parameters where parameter.layer != nil {
      if category(of: parameter.module) == nil { problems.add("\(parameter.name) belongs to no category that Half Fine-Tuning knows") }
      let name = String(parameter.name[..<(parameter.name.lastIndex(of: ".") ?? parameter.name.endIndex)])
      if tensors[name] == nil { order.append(name) }
      tensors[name, default: []].append(parameter)
    }
    if order.isEmpty { problems.add("the model has no layers to choose from") }
    try problems.check()
    return order.map { name in
      let members = tensors[name]!
      return Unit(
        name: name, layer: members[0].layer!, category: category(of: members[0].module)!, tensors: members.map(\.name),
        count: members.reduce(0) { $0 + $1.count })
    }
  }

  private static func category(of module: String) -> Category? {
    switch module {
    case "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj": .attention
    case "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj": .ffn
    case "input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm": .norm
    default: nil
    }
  }
}
