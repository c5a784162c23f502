internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastModels

/// How far tuning moved a model's weights, module by module and layer by layer.
public struct WeightDistance: Sendable, Hashable {
  /// A module of one layer, or one outside the layers; weight and bias together.
  public struct Part: Sendable, Hashable {
    /// Such as `mlp.up_proj`.
    public let module: String
    /// nil outside the layers.
    public let layer: Int?
    /// Σ (θ − θ⁰)²
    public let moved: Double
    /// Σ (θ⁰)²
    public let size: Double

    /// ‖θ − θ⁰‖ / ‖θ⁰‖; 0 where the start is all zeros.
    public var relative: Double { WeightDistance.relative([self]) }
  }

  /// In the model's order.
  public let parts: [Part]
  public let layerCount: Int

  /// - Throws: what cannot be read, and `Problems` where names or shapes differ.
  public init(base: ModelFolder, tuned: ModelFolder) throws {
    let from = try FileWeights(folder: base.path)
    let to: any WeightSource = DeltaWeights.isDelta(tuned.path) ? try DeltaWeights(folder: tuned.path, base: from) : try FileWeights(folder: tuned.path)
    var problems = Problems(tuned.path), order: [String] = [], sums: [String: Part] = [:]
    for parameter in try base.configuration.parameters() {
      guard to.shape(of: parameter.name) == from.shape(of: parameter.name), from.shape(of: parameter.name) != nil else {
        problems.add("\(parameter.name) has the shape \(to.shape(of: parameter.name).map { "\($0)" } ?? "of nothing"), in the base \(from.shape(of: parameter.name).map { "\($0)" } ?? "of nothing")")
        continue
      }
      let a = try from.tensor(parameter.name).cast(.float32), b = try to.tensor(parameter.name).cast(.float32)
      let key = "\(parameter.layer ?? -1) \(parameter.module)"
      if sums[key] == nil { order.append(key) }
      sums[key] = Part(
        module: parameter.module, layer: parameter.layer, moved: (sums[key]?.moved ?? 0) + (try Tensor.squaredNorm(of: [b - a])),
        size: (sums[key]?.size ?? 0) + (try Tensor.squaredNorm(of: [a])))
    }
    try problems.check()
    parts = order.map { sums[$0]! }
    layerCount = base.configuration.layerCount
  }

  /// ‖θ − θ⁰‖ / ‖θ⁰‖ over several parts.
  public static func relative(_ parts: [Part]) -> Double {
    let size = parts.reduce(0) { $0 + $1.size }
    return size > 0 ? (parts.reduce(0) { $0 + $1.moved } / size).squareRoot() : 0
  }

  /// Modules of the layers in the model's order.
  public var modules: [String] {
    var seen: Set<String> = []
    return parts.filter { $0.layer != nil }.map(\.module).filter { seen.insert($0).inserted }
  }

  /// Relative distances of the layers' modules, by module, then by layer.
  public var cells: [[Double]] {
    modules.map { module in
      (0..<layerCount).map { layer in parts.first { $0.module == module && $0.layer == layer }?.relative ?? 0 }
    }
  }
}
