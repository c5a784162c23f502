public import HoldfastEngine

/// A folder's weights, of which those that a model in memory has too, bit for bit, are taken from there: what a half or a region of
/// a model was tuned in shares all else with what it came from.
public struct SharedWeights: WeightSource {
  private let source: any WeightSource
  private let models: [Decoder]

  /// `models` of the type that the new one will have.
  public init(_ source: any WeightSource, with models: [Decoder]) {
    self.source = source
    self.models = models
  }

  public var names: [String]? { source.names }
  public func shape(of name: String) -> [Int]? { source.shape(of: name) }

  public func tensor(_ name: String) throws -> Tensor {
    let stored = try source.tensor(name)
    for model in models {
      guard let value = model.parameter(name)?.value, try value.shape == stored.shape else { continue }
      if try stored.cast(model.dtype).to(model.device).hasSameBits(as: value) { return value }
    }
    return stored
  }
}
