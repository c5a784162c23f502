public import HoldfastBasics
internal import HoldfastModels
public import HoldfastTraining

/// A part of a model: some of its layers, some of the modules in them.
public struct Region: Sendable, Hashable {
  /// Modules by the words of recipes; a group stands for its members.
  public enum Module: String, KeyChoice {
    case attention, query = "attention.q", key = "attention.k", value = "attention.v", output = "attention.o"
    case mlp, gate = "mlp.gate", up = "mlp.up", down = "mlp.down"
    case norms, embeddings, head, finalNorm = "final_norm"

    /// Whether a parameter belongs to it.
    func holds(_ parameter: ParameterFacts) -> Bool {
      let module = parameter.module
      switch self {
      case .attention: return [.query, .key, .value, .output].contains { (m: Module) in m.holds(parameter) }
      case .mlp: return [.gate, .up, .down].contains { (m: Module) in m.holds(parameter) }
      case .query: return module == "self_attn.q_proj"
      case .key: return module == "self_attn.k_proj"
      case .value: return module == "self_attn.v_proj"
      case .output: return module == "self_attn.o_proj"
      case .gate: return module == "mlp.gate_proj"
      case .up: return module == "mlp.up_proj"
      case .down: return module == "mlp.down_proj"
      case .norms: return parameter.layer != nil && module.hasSuffix("norm")
      case .embeddings: return module == "model.embed_tokens"
      case .head: return module == "lm_head"
      case .finalNorm: return parameter.layer == nil && module == "model.norm"
      }
    }

    /// Whether it stands inside the layers, where a span says which.
    var isInLayers: Bool { self != .embeddings && self != .head && self != .finalNorm }
  }

  public var layers: LayerSpan
  public var modules: [Module]
  /// Patterns of parameter names, `*` for any characters; they add to the modules.
  public var names: [String]
  /// Modules that are never in it, in any layer. Where neither modules nor names are given it is everything else.
  public var held: [Module]

  public init(layers: LayerSpan = .all, modules: [Module], names: [String] = [], held: [Module] = []) {
    self.layers = layers
    self.modules = modules
    self.names = names
    self.held = held
  }

  /// The names of the parameters in it, in the model's order.
  ///
  /// - Throws: `Problems` with every word that matches nothing.
  public func parameters(of model: ModelFacts) throws(Problems) -> [String] {
    var problems = Problems("region")
    let count = model.configuration.layerCount
    let span = layers.layers(of: count)
    if span.isEmpty { problems.add("the layers \(layers) are none of the model's \(count)") }
    for layer in span where !(0..<count).contains(layer) { problems.add("there is no layer \(layer); the model has 0 to \(count - 1)") }
    let inSpan = Set(span)
    var chosen: Set<String> = []
    for module in modules {
      let found = model.parameters.filter { module.holds($0) && (!module.isInLayers || inSpan.contains($0.layer!)) }
      if found.isEmpty {
        let tied = module == .head && model.configuration.tiesHead ? ": the head is the embedding in this model" : ""
        problems.add("no parameter belongs to \(module.rawValue)\(tied)")
      }
      chosen.formUnion(found.map(\.name))
    }
    for pattern in names {
      let found = model.parameters.map(\.name).filter { matches(pattern[...], $0[...]) }
      if found.isEmpty {
        let near = nearestName(to: pattern, among: model.parameters.map(\.name)).map { "; is \($0) meant?" } ?? ""
        problems.add("no parameter's name matches \(pattern)\(near)")
      }
      chosen.formUnion(found)
    }
    if modules.isEmpty, names.isEmpty {
      if held.isEmpty { problems.add("neither modules nor names are given, so nothing would train") }
      chosen = Set(model.parameters.filter { p in p.layer.map(inSpan.contains) ?? true }.map(\.name))
    }
    do throws(Problems) {
      chosen.subtract(try Self.parameters(of: held, in: model))
    } catch {
      for complaint in error.complaints { problems.add("hold: \(complaint)") }
    }
    if chosen.isEmpty, problems.isEmpty { problems.add("all that it names is held, so nothing would train") }
    try problems.check()
    return model.parameters.map(\.name).filter(chosen.contains)
  }

  /// Everything that belongs to some modules, in all layers.
  /// - Throws: `Problems` with every module to which nothing belongs.
  static func parameters(of modules: [Module], in model: ModelFacts) throws(Problems) -> Set<String> {
    var problems = Problems("region"), found: Set<String> = []
    for module in modules {
      let own = model.parameters.filter { module.holds($0) }
      if own.isEmpty {
        let tied = module == .head && model.configuration.tiesHead ? ": the head is the embedding in this model" : ""
        problems.add("no parameter belongs to \(module.rawValue)\(tied)")
      }
      found.formUnion(own.map(\.name))
    }
    try problems.check()
    return found
  }

  /// `*` stands for any characters, also none.
  private func matches(_ pattern: Substring, _ name: Substring) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == "*" {
      let rest = pattern.dropFirst()
      return name.indices.contains { matches(rest, name[$0...]) } || matches(rest, "")
    }
    return name.first == first && matches(pattern.dropFirst(), name.dropFirst())
  }
}

/// Which layers: all, a share of the depth, or numbers.
public enum LayerSpan: Sendable, Hashable, KeyValue, CustomStringConvertible {
  case all
  /// Shares of the depth, from below: zero-based layers ⌊from · L⌋ ..< ⌊to · L⌋, so that quarters tile a model.
  case share(from: Double, to: Double)
  case numbers([Int])

  public func layers(of count: Int) -> [Int] {
    switch self {
    case .all: Array(0..<count)
    case .share(let from, let to):
      // 1e-9 guards against a product that lands just under a whole number.
      Array(Int(from * Double(count) + 1e-9)..<max(Int(from * Double(count) + 1e-9), Int(to * Double(count) + 1e-9)))
    case .numbers(let numbers): numbers
    }
  }

  public static var kindOfValue: String { "all, two shares of the depth as in [25%, 50%], or numbers of layers from 0 as in [0, 1, 7]" }
  public static var placeholder: LayerSpan { .all }

  public init?(key json: JSON) {
    if json == "all" {
      self = .all
      return
    }
    guard let list = json.array, !list.isEmpty else { return nil }
    let numbers = list.compactMap(\.int)
    if numbers.count == list.count {
      self = .numbers(numbers)
      return
    }
    let shares = list.compactMap { item -> Double? in
      guard let text = item.string, text.hasSuffix("%"), let number = Double(text.dropLast()), (0...100).contains(number) else { return nil }
      return number / 100
    }
    guard shares.count == 2, list.count == 2, shares[0] < shares[1] else { return nil }
    self = .share(from: shares[0], to: shares[1])
  }

  public var json: JSON {
    switch self {
    case .all: "all"
    case .share(let from, let to): .array([.string(Self.percent(from)), .string(Self.percent(to))])
    case .numbers(let numbers): .array(numbers.map { .integer($0) })
    }
  }

  private static func percent(_ share: Double) -> String {
    let value = (share * 1e6).rounded() / 1e4
    return value == value.rounded() ? "\(Int(value))%" : "\(value)%"
  }

  public var description: String { json.text() }
}
