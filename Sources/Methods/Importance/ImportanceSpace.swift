package import HoldfastBasics
package import HoldfastEngine
package import HoldfastModels
package import HoldfastTraining

/// Where importance and distance are measured: in the weights that train, or, beside LoRA, in the product U = s·B·A that is
/// added to each base weight, by that weight's name.
package struct ImportanceSpace: Sendable {
  package enum Kind: String, KeyChoice {
    /// The product, [out, in]: it does not depend on how U is split into factors.
    case dense
    /// A and B as parameters like any others.
    case factor
  }

  /// Adapted layers; empty where parameters stand for themselves.
  package let linears: [AdapterFacts.Linear]
  private let byWeight: [String: AdapterFacts.Linear]

  /// Parameters stand for themselves.
  package init() { self.init([]) }

  package init(_ model: ModelFacts, _ kind: Kind) throws(Problems) {
    guard let adapter = model.adapter, kind == .dense else {
      self.init()
      return
    }
    guard adapter.configuration.kind == .lora else {
      throw Problems("adapter", ["importance of a product s·B·A is that of LoRA; \(adapter.configuration.kind.rawValue) is more than a product; space: factor anchors its parameters instead"])
    }
    self.init(adapter.linears)
  }

  private init(_ linears: [AdapterFacts.Linear]) {
    self.linears = linears
    byWeight = Dictionary(uniqueKeysWithValues: linears.map { ($0.weight, $0) })
  }

  package var isDense: Bool { !linears.isEmpty }

  /// Base weights whose gradient is dL/dU.
  package var watched: Set<String> { Set(linears.map(\.weight)) }

  /// Elements of importance where so many parameters train: those of the adapted weights, or these parameters.
  static func elements(_ model: ModelFacts, _ kind: Kind, trained: Int) -> Int {
    guard let space = try? ImportanceSpace(model, kind), space.isDense else { return trained }
    return model.parameters.reduce(0) { $0 + (space.byWeight[$1.name] == nil ? 0 : $1.count) }
  }

  /// Names of what moves when these parameters train.
  package func names(trained: Set<String>) -> Set<String> {
    isDense ? Set(linears.filter { trained.contains($0.a) || trained.contains($0.b) }.map(\.weight)) : trained
  }

  /// Names of what these parameters, those that train, move.
  package func names(in parameters: NamedTensors) -> [String] {
    isDense ? linears.filter { parameters[$0.a] != nil || parameters[$0.b] != nil }.map(\.weight) : parameters.names
  }

  /// The parameters that make up a member of the space.
  package func parts(of name: String) -> [String] { byWeight[name].map { [$0.a, $0.b] } ?? [name] }

  /// θ, or U; parameters that do not train are taken from the start.
  package func value(
    _ name: String, _ parameters: (String) throws(EngineError) -> Tensor?, start: PretrainedWeights, like dtype: DType
  ) throws(EngineError) -> Tensor {
    func part(_ name: String) throws(EngineError) -> Tensor {
      if let tensor = try parameters(name) { return try tensor.detached().cast(dtype) }
      return try start.tensor(name).cast(dtype)
    }
    guard let linear = byWeight[name] else { return try part(name) }
    return try part(linear.b).matmul(part(linear.a)) * linear.scale
  }

  /// How far a member is from the start of the stage, in the type of the parameters.
  package func distance(_ name: String, _ parameters: NamedTensors, start: PretrainedWeights) throws(EngineError) -> Tensor {
    let dtype = try self.dtype(name, parameters)
    let now = try value(name, { (n: String) throws(EngineError) in parameters[n] }, start: start, like: dtype)
    return try now - value(name, { (n: String) throws(EngineError) in nil }, start: start, like: dtype)
  }

  func dtype(_ name: String, _ parameters: NamedTensors) throws(EngineError) -> DType {
    for part in parts(of: name) { if let tensor = parameters[part] { return try tensor.dtype } }
    return .float32
  }

  /// Adds scale · M, the gradient of something in the space, to those of the parameters: to A flow s·Bᵀ·M, to B s·M·Aᵀ.
  package func add(
    _ m: Tensor, scale: Double, of name: String, to gradients: NamedTensors, _ parameters: NamedTensors, start: PretrainedWeights
  ) throws(EngineError) {
    guard let linear = byWeight[name] else {
      try gradients[name]?.add(m, scale: scale)
      return
    }
    let dtype = try m.dtype
    func part(_ name: String) throws(EngineError) -> Tensor {
      if let tensor = parameters[name] { return try tensor.detached().cast(dtype) }
      return try start.tensor(name).cast(dtype)
    }
    if let toA = gradients[linear.a] { try toA.add(part(linear.b).transposed(0, 1).matmul(m), scale: scale * linear.scale) }
    if let toB = gradients[linear.b] { try toB.add(m.matmul(part(linear.a).transposed(0, 1)), scale: scale * linear.scale) }
  }
}
