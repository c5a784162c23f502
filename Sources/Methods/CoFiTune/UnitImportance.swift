#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
public import HoldfastBasics
public import HoldfastTraining
public import HoldfastModels

/// How much each unit of a model matters: heads, channels of the MLP, and outputs of `down`, layer by layer.
public struct UnitImportance: Sendable, Hashable {
  public enum Kind: String, KeyChoice {
    /// Query heads, [layers][heads]; they mask rows of q, k and v.
    case head
    /// Channels of the MLP, [layers][intermediate]; they mask rows of up.
    case inner
    /// Outputs of down, [layers][hidden]; they mask its rows.
    case output
  }

  /// How raw sums become values in [0, 1), for each layer and kind by itself.
  public enum Norm: String, KeyChoice {
    /// |tanh z| with z standardised: a distance from the layer's mean, so the least important units are protected too.
    case tanhZ = "tanh_z"
    /// Rank over count; equals share the mean of their ranks.
    case rank
    case minmax
  }

  /// What a group's key and value rows take from its query heads.
  public enum Grouping: String, KeyChoice { case max, mean }

  public private(set) var values: [Kind: [[Float]]]

  /// - Throws: `Problems` where shapes do not fit the model or a value is outside [0, 1], with layer and kind.
  public init(_ values: [Kind: [[Float]]], model: ModelFacts) throws(Problems) {
    var problems = Problems("importance")
    for (kind, layers) in values.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let count = Self.count(kind, model)
      if layers.count != model.configuration.layerCount {
        problems.add("\(kind.rawValue): \(layers.count) layers, but the model has \(model.configuration.layerCount)")
      }
      for (layer, units) in layers.enumerated() {
        if units.count != count { problems.add("\(kind.rawValue) of layer \(layer): \(units.count) units, but the model has \(count)") }
        if let wrong = units.first(where: { !($0 >= 0 && $0 <= 1) }) { problems.add("\(kind.rawValue) of layer \(layer) holds \(wrong), which is not in [0, 1]") }
      }
    }
    try problems.check()
    self.values = values
  }

  /// Units of a kind in one layer.
  public static func count(_ kind: Kind, _ model: ModelFacts) -> Int {
    let c = model.configuration
    return kind == .head ? c.headCount : kind == .inner ? c.intermediateSize : c.hiddenSize
  }

  /// Element by element the largest of several.
  public static func merged(_ sets: [UnitImportance], model: ModelFacts) throws(Problems) -> UnitImportance {
    var values = sets[0].values
    for other in sets.dropFirst() {
      for (kind, layers) in other.values {
        values[kind] = values[kind].map { zip($0, layers).map { zip($0, $1).map { Swift.max($0, $1) } } } ?? layers
      }
    }
    return try UnitImportance(values, model: model)
  }

  /// The same values dealt out to other units of the same layer and kind: a control.
  public func shuffled(seed: UInt64) -> UnitImportance {
    var copy = self
    for (kind, layers) in values {
      copy.values[kind] = layers.enumerated().map { layer, units in
        var generator = CounterGenerator(seed: seed, "shuffled importance", kind.rawValue, layer)
        return generator.permutation(units.count).map { units[$0] }
      }
    }
    return copy
  }

  /// 1 − I for every row of a parameter; nil where no unit of these kinds stands for its rows. Biases follow their weights.
  public func updateScale(of parameter: ParameterFacts, model: ModelFacts, kinds: Set<Kind>, grouping: Grouping) -> [Float]? {
    guard let layer = parameter.layer else { return nil }
    let c = model.configuration
    func units(_ kind: Kind) -> [Float]? { kinds.contains(kind) ? values[kind]?[layer] : nil }
    switch parameter.module {
    case "mlp.up_proj": return units(.inner)?.map { 1 - $0 }
    case "mlp.down_proj": return units(.output)?.map { 1 - $0 }
    case "self_attn.q_proj": return units(.head)?.flatMap { Array(repeating: 1 - $0, count: c.headWidth) }
    case "self_attn.k_proj", "self_attn.v_proj":
      guard let heads = units(.head) else { return nil }
      let shared = c.headCount / c.keyValueHeadCount
      return (0..<c.keyValueHeadCount).flatMap { group in
        let members = heads[group * shared..<(group + 1) * shared]
        let value = grouping == .max ? members.max()! : members.reduce(0, +) / Float(shared)
        return Array(repeating: 1 - value, count: c.headWidth)
      }
    default: return nil
    }
  }

  /// Raw sums of one layer and kind, normalised. Where all are equal nothing can be told apart: zeros.
  public static func normalized(_ raw: [Float], _ norm: Norm) -> [Float] {
    let x = raw.map(Double.init), count = Double(x.count)
    let below = Float(1).nextDown
    switch norm {
    case .tanhZ:
      let mean = x.reduce(0, +) / count
      let deviation = (x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Swift.max(1, count - 1)).squareRoot()
      guard deviation > 0 else { return raw.map { _ in 0 } }
      return x.map { min(below, Float(abs(tanh(($0 - mean) / deviation)))) }
    case .minmax:
      let low = x.min() ?? 0, high = x.max() ?? 0
      guard high > low else { return raw.map { _ in 0 } }
      return x.map { min(below, Float(($0 - low) / (high - low))) }
    case .rank:
      let order = x.indices.sorted { x[$0] < x[$1] }
      guard let first = order.first, let last = order.last, x[first] < x[last] else { return raw.map { _ in 0 } }
      var ranks = [Float](repeating: 0, count: x.count), start = 0
      while start < order.count {
        var end = start
        while end < order.count, x[order[end]] == x[order[start]] { end += 1 }
        for place in start..<end { ranks[order[place]] = Float(Double(start + end - 1) / 2 / count) }
        start = end
      }
      return ranks
    }
  }
}
