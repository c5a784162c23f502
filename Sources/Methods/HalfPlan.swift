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

  /// A uniformly drawn plan, the same on every machine for a seed, stage and model. `scores`: where there are some, units with the lowest
  /// are taken in place of a draw; units without one are drawn still.
  public static func draw(
    units: [Unit], layerCount: Int, fingerprint: String, ratio: Double, strategy: Strategy, balance: Balance, seed: UInt64, stage: Int,
    scores: [String: Double] = [:]
  ) -> [Unit] {
    var generator = CounterGenerator(seed: seed, "half_fine_tuning", stage, fingerprint)
    switch strategy {
    case .layer:
      let size = Int((ratio * Double(layerCount)).rounded())
      let means = (0..<layerCount).map { layer in mean(units.filter { $0.layer == layer }.compactMap { scores[$0.name] }) }
      let layers = Set(lowest(means, size) ?? generator.subset(of: layerCount, size: size))
      return units.filter { layers.contains($0.layer) }
    case .model:
      let size = Int((ratio * Double(units.count)).rounded())
      if scores.isEmpty { return generator.subset(of: units.count, size: size).map { units[$0] } }
      // Units without a score cannot be compared with the others: as many of both kinds as their shares say.
      let scored = units.filter { scores[$0.name] != nil }, others = units.filter { scores[$0.name] == nil }
      let few = Int((ratio * Double(others.count)).rounded())
      let best = lowest(scored.map { scores[$0.name] }, min(scored.count, size - few)) ?? []
      let chosen = Set(best.map { scored[$0].name } + generator.subset(of: others.count, size: few).map { others[$0].name })
      return units.filter { chosen.contains($0.name) }
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
          for i in subset(of: members, size: k, balance, scores, &generator) { chosen.insert(members[i].name) }
        }
      }
      return units.filter { chosen.contains($0.name) }
    }
  }

  /// `count` draws among all k-subsets; `bytes` among those whose share of the elements is nearest to k of n.
  private static func subset(
    of members: [Unit], size k: Int, _ balance: Balance, _ scores: [String: Double], _ generator: inout CounterGenerator
  ) -> [Int] {
    let own = members.map { scores[$0.name] }
    guard balance == .bytes, k > 0, k < members.count else { return lowest(own, k) ?? generator.subset(of: members.count, size: k) }
    let subsets = (0..<1 << members.count).filter { $0.nonzeroBitCount == k }
      .map { bits in members.indices.filter { bits >> $0 & 1 == 1 } }
    let total = members.reduce(0) { $0 + $1.count }
    // In whole numbers, so that equal distances are equal: |n · share − k · total|.
    let distance = subsets.map { abs(members.count * $0.reduce(0) { $0 + members[$1].count } - k * total) }
    let nearest = distance.min()!
    let candidates = subsets.indices.filter { distance[$0] == nearest }.map { subsets[$0] }
    guard own.allSatisfy({ $0 != nil }) else { return generator.pick(candidates) }
    let sums = candidates.map { $0.reduce(0.0) { $0 + own[$1]! } }
    return candidates[candidates.indices.min { sums[$0] < sums[$1] }!]
  }

  /// Indices of the lowest scores, of equals the earlier; nil where one is missing.
  private static func lowest(_ scores: [Double?], _ count: Int) -> [Int]? {
    guard !scores.isEmpty, scores.allSatisfy({ $0 != nil }) else { return nil }
    return Array(scores.indices.sorted { (scores[$0]!, $0) < (scores[$1]!, $1) }.prefix(count))
  }

  private static func mean(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.reduce(0, +) / Double(values.count) }

  /// One of `count` disjoint subsets that together hold every unit, a subset for each task: stage t takes number t modulo `count`. Within
  /// a category and layer (or over layers, or the whole model) the subsets differ in size by one at most.
  public static func part(
    units: [Unit], layerCount: Int, fingerprint: String, count: Int, strategy: Strategy, seed: UInt64, stage: Int
  ) -> [Unit] {
    var generator = CounterGenerator(seed: seed, "half_fine_tuning tasks", fingerprint)
    /// Members of the subset among so many, dealt out in a random order from a random first subset.
    func deal(_ size: Int) -> [Int] {
      let order = generator.permutation(size), first = generator.below(count)
      return order.indices.filter { (first + $0) % count == stage % count }.map { order[$0] }
    }
    switch strategy {
    case .layer:
      let layers = Set(deal(layerCount))
      return units.filter { layers.contains($0.layer) }
    case .model:
      let chosen = Set(deal(units.count))
      return units.indices.filter(chosen.contains).map { units[$0] }
    case .category:
      var chosen: Set<String> = []
      for category in Category.allCases {
        for layer in 0..<layerCount {
          let members = units.filter { $0.layer == layer && $0.category == category }
          for i in deal(members.count) { chosen.insert(members[i].name) }
        }
      }
      return units.filter { chosen.contains($0.name) }
    }
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
