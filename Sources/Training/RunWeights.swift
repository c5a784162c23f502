internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

extension Recipe {
  /// What a run of it begins with: the weights of the model in a folder or drawn ones, and an adapter's beside them.
  func weights(in folder: ModelFolder) throws -> any WeightSource {
    let base: any WeightSource =
      initialize == .random ? RandomWeights(seed: seed, layerCount: folder.configuration.layerCount) : try FileWeights(folder: folder.path)
    guard let adapter else { return base }
    if let from = adapter.from { return try AdaptedWeights(base: base, adapter: AdapterFolder(from).weights) }
    return try AdaptedWeights(base: base, adapter: AdapterStart(seed: seed, kind: adapter.configuration.kind, base: base, model: folder.configuration))
  }

  /// Puts its adapter on a model, over those that stay as they are. `weights` are the adapter's own.
  func attach(to model: Decoder, weights: any WeightSource) throws {
    guard let adapter else { return }
    for path in adapter.over {
      let folder = try AdapterFolder(path)
      var configuration = folder.configuration
      configuration.dropout = 0
      try model.attach(configuration, weights: folder.weights, subject: path)
    }
    try model.attach(adapter.configuration, weights: weights)
  }
}

/// A model's weights and those of the adapter beside them.
struct AdaptedWeights: WeightSource {
  let base: any WeightSource
  let adapter: any WeightSource

  var names: [String]? { base.names }
  func shape(of name: String) -> [Int]? { source(of: name).shape(of: name) }
  func tensor(_ name: String) throws -> Tensor { try source(of: name).tensor(name) }
  func tensor(_ name: String, shape: [Int]) throws -> Tensor { try source(of: name).tensor(name, shape: shape) }

  private func source(of name: String) -> any WeightSource {
    ParameterFacts(name: name, shape: []).adapterPart == nil ? base : adapter
  }
}
