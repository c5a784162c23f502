internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastModels
internal import HoldfastTraining

/// Makes a whole model out of a base and adapters: θ + α · (θ' − θ), where θ' is what the base and the adapters do together.
///
/// For LoRA this is θ + α · s · B · A, the straight line from base to tuned model (Wise-FT) without a second model on disk.
/// In f32, cast once; a weight that no adapter touches keeps its bits, and at α = 0 all do.
public struct AdapterMerging {
  public let alpha: Double

  public init(alpha: Double = 1) {
    precondition((0...1).contains(alpha), "alpha is \(alpha), but lies between 0 and 1")
    self.alpha = alpha
  }

  /// Writes the merged model in the base folder's form and type, as a new folder.
  public func write(base: ModelFolder, adapters: [AdapterFolder], tokenizerFiles: [String], to path: String) throws {
    let source = try FileWeights(folder: base.path)
    var merged: [String: Tensor] = [:]
    for folder in adapters where alpha > 0 {
      let adapter = try folder.configuration.adapter(of: base.configuration, weights: folder.weights, subject: folder.path)
      if folder.configuration.kind == .dora, adapters.count > 1 {
        throw Problems(folder.path, ["DoRA scales the whole weight, so it does not add up with other adapters"])
      }
      for linear in adapter.linears {
        let name = linear.base.name, start = try merged[name] ?? source.tensor(name).cast(.float32)
        let end = try linear.merged(into: start)
        merged[name] = alpha == 1 ? end : try start + (end - start) * alpha
      }
    }
    try Export(folder: base, tokenizerFiles: tokenizerFiles)
      .write(to: path, parameters: base.configuration.parameters(), moved: merged, source: source)
  }
}
