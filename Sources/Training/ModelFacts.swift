internal import HoldfastBasics
public import HoldfastModels

/// A model by its names and shapes.
public struct ModelFacts: Sendable, Hashable {
  public let configuration: ModelConfiguration
  /// Tied tensors stand once; those of an adapter that trains come last.
  public let parameters: [ParameterFacts]
  /// The adapter that trains in place of the model's own weights; nil where these train.
  public let adapter: AdapterFacts?

  public init(configuration: ModelConfiguration, parameters: [ParameterFacts], adapter: AdapterFacts? = nil) {
    self.configuration = configuration
    self.parameters = parameters
    self.adapter = adapter
  }

  /// `adapter`: what the recipe says of the one that trains.
  public init(_ model: Decoder, adapter: AdapterRecipe? = nil) {
    self.init(configuration: model.configuration, parameters: model.parameters.map(\.facts), adapter: model.adapters.last?.facts)
    freezesA = adapter?.freezesA ?? false
    adaptersBelow = adapter?.over ?? []
  }

  /// By names and shapes alone.
  /// - Throws: `Problems` where the adapter does not fit the model.
  package init(_ configuration: ModelConfiguration, adapter: AdapterRecipe?) throws {
    let facts = try adapter?.configuration.facts(of: configuration)
    self.init(configuration: configuration, parameters: try configuration.parameters() + (facts?.parameters ?? []), adapter: facts?.adapter)
    freezesA = adapter?.freezesA ?? false
    adaptersBelow = adapter?.over ?? []
  }

  /// Folders of adapters that act under it and stay as they are.
  public private(set) var adaptersBelow: [String] = []
  private var freezesA = false

  /// What a method may select from: all, or the adapter's tensors where there is an adapter.
  public var trainable: [ParameterFacts] {
    if adapter == nil { return parameters }
    return parameters.filter { $0.adapterPart != nil && !(freezesA && $0.adapterPart == "lora_A") }
  }

  /// SHA-256 over family, names and shapes: the same for models a plan fits.
  public var fingerprint: String {
    var hash = ContentHash()
    hash.update(configuration.family + "\n")
    for p in parameters { hash.update("\(p.name) \(p.shape)\n") }
    return hash.finish()
  }

  public var count: Int { parameters.reduce(0) { $0 + $1.count } }
}
