public import HoldfastEngine

/// A named weight of a model. The name is the checkpoint's, verbatim.
public final class Parameter {
  public let name: String
  public let shape: [Int]
  /// What the forward pass reads. Optimizers write into it in place.
  public let value: Tensor

  init(name: String, shape: [Int], value: Tensor) {
    self.name = name
    self.shape = shape
    self.value = value
  }

  public var count: Int { shape.reduce(1, *) }
  public var facts: ParameterFacts { ParameterFacts(name: name, shape: shape) }
}

/// What a name and a shape tell of a weight, without its numbers.
public struct ParameterFacts: Sendable, Hashable {
  public let name: String
  public let shape: [Int]

  public init(name: String, shape: [Int]) {
    self.name = name
    self.shape = shape
  }

  public var count: Int { shape.reduce(1, *) }

  /// The transformer layer it stands in, from 0; nil outside the layers.
  public var layer: Int? {
    let parts = name.split(separator: ".")
    guard let at = parts.firstIndex(of: "layers"), at + 1 < parts.count else { return nil }
    return Int(parts[at + 1])
  }

  /// The module inside its layer, such as "self_attn.q_proj", an adapter's tensors being part of what they adapt; outside
  /// the layers the whole name without ".weight".
  public var module: String {
    var parts = name.split(separator: ".")
    if let at = parts.firstIndex(of: "layers"), at + 1 < parts.count, Int(parts[at + 1]) != nil { parts.removeSubrange(...(at + 1)) }
    if parts.count > 1, parts.last == "weight" || parts.last == "bias" { parts.removeLast() }
    if parts.count > 1, adapterPart != nil { parts.removeLast() }
    return parts.joined(separator: ".")
  }

  /// What it is in an adapter, such as "lora_A"; nil for the model's own weights.
  public var adapterPart: String? {
    name.split(separator: ".").suffix(2).last { $0.hasPrefix("lora_") }.map(String.init)
  }

  public var isBias: Bool { name.hasSuffix(".bias") }
}
