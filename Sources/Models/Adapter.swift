internal import HoldfastBasics
public import HoldfastEngine

/// An adapter on a model: a few small tensors beside linear layers, which themselves stay as they are.
public final class Adapter {
  public let configuration: AdapterConfiguration
  /// In the model's order.
  public let linears: [AdaptedLinear]
  /// Named as PEFT names them in files, without its `base_model.model.` in front.
  public let parameters: [Parameter]

  init(_ configuration: AdapterConfiguration, _ linears: [Linear], _ loader: WeightLoader) throws {
    self.configuration = configuration
    let chosen = Set(try configuration.layers(among: linears.map(\.name)))
    self.linears = try linears.filter { chosen.contains($0.name) }.map { try AdaptedLinear(loader, $0, configuration) }
    parameters = try loader.finish { _ in false }
  }

  public var facts: AdapterFacts {
    AdapterFacts(
      configuration: configuration,
      linears: linears.map {
        AdapterFacts.Linear(
          name: $0.name, weight: $0.base.name, a: $0.a.name, b: $0.b.name, diagonal: $0.diagonal?.name, magnitude: $0.magnitude?.name,
          scale: $0.scale, rank: $0.rank)
      })
  }
}

/// An adapter by names and sizes: which of the model's parameters are whose factors.
public struct AdapterFacts: Sendable, Hashable {
  public struct Linear: Sendable, Hashable {
    /// Such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    /// The base weight's name.
    public let weight: String
    /// Names of the factors: U = scale · B · A, with the diagonal between them where there is one.
    public let a, b: String
    public let diagonal: String?
    public let magnitude: String?
    public let scale: Double
    public let rank: Int
  }

  public let configuration: AdapterConfiguration
  public let linears: [Linear]
}

/// Where a new adapter starts: drawn from a seed, each tensor by its name alone, so that U = 0.
///
/// LoRA and DoRA: A uniform within ±1/√in (Kaiming with a = √5, as PEFT draws), B zero, m the norms of W's rows.
/// AdaLoRA: P and Q normal with deviation 0.02, Λ zero.
public struct AdapterStart: WeightSource {
  public let seed: UInt64
  public let kind: AdapterConfiguration.Kind
  /// The model's weights, which DoRA's magnitudes start from.
  public let base: any WeightSource
  /// Of these weights.
  private let shapes: [String: [Int]]

  public init(seed: UInt64, kind: AdapterConfiguration.Kind, base: any WeightSource, model: ModelConfiguration) throws {
    self.seed = seed
    self.kind = kind
    self.base = base
    shapes = kind == .dora ? try Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.shape) }) : [:]
  }

  public var names: [String]? { nil }
  public func shape(of name: String) -> [Int]? { nil }
  public func tensor(_ name: String) throws -> Tensor { throw EngineError("a new adapter needs a shape for \(name)") }

  public func tensor(_ name: String, shape: [Int]) throws -> Tensor {
    var stream = CounterGenerator(seed: seed, "adapter", name)
    let part = ParameterFacts(name: name, shape: shape).adapterPart
    switch (part, kind) {
    case ("lora_magnitude_vector", _):
      let weight = String(name.dropLast("lora_magnitude_vector".count) + "weight")
      guard let found = shapes[weight] else { throw EngineError("\(weight) is not there, whose row norms \(name) starts from") }
      let stored = try base.tensor(weight, shape: found), w = try stored.cast(.float64)
      return try (w * w).sum(axis: 1).squareRoot().cast(stored.dtype == .float64 ? .float64 : .float32)
    case ("lora_E", _), ("lora_B", .lora), ("lora_B", .dora): return try Tensor.zeros(shape)
    case (_, .adalora): return try Generator(seed: stream.next()).normal(shape, deviation: 0.02)
    default:
      let bound = 1 / Double(shape[1]).squareRoot()
      return try (Generator(seed: stream.next()).uniform(shape) + -0.5) * (2 * bound)
    }
  }
}
