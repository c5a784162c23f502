internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastModels
internal import HoldfastTraining

/// Weight interpolation after training: θ = (1 − α) · base + α · tuned, in f32, tensor by tensor.
///
/// Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (Wise-FT), arXiv 2109.01903. No training is
/// needed, α is chosen afterwards, and a tensor that tuning left alone keeps its bits for every α.
public struct WeightInterpolation: Sendable {
  /// 0 gives the base, 1 the tuned model, to the bit.
  public let alpha: Double

  public init(alpha: Double) {
    precondition((0...1).contains(alpha), "alpha is \(alpha), but lies between 0 and 1")
    self.alpha = alpha
  }

  /// Writes the model between two models of one shape, in the tuned folder's form and type, as a new folder.
  public func write(base: ModelFolder, tuned: ModelFolder, tokenizerFiles: [String], to path: String) throws {
    let from = try FileWeights(folder: base.path), to = try FileWeights(folder: tuned.path)
    let parameters = try Self.common(from, to, subject: "\(base.path) and \(tuned.path)")
    var moved: [String: Tensor] = [:]
    for parameter in parameters {
      moved[parameter.name] = try blend(from.tensor(parameter.name), to.tensor(parameter.name))
    }
    try Export(folder: tuned, tokenizerFiles: tokenizerFiles).write(to: path, parameters: parameters, moved: moved, source: to)
  }

  func blend(_ base: Tensor, _ tuned: Tensor) throws -> Tensor {
    if alpha == 0 { return base }
    if try alpha == 1 || base.hasSameBits(as: tuned) { return tuned }
    return try base.cast(.float32) * (1 - alpha) + tuned.cast(.float32) * alpha
  }

  /// What both hold; everything in which they differ is named at once.
  static func common(_ a: FileWeights, _ b: FileWeights, subject: String) throws(Problems) -> [ParameterFacts] {
    var problems = Problems(subject), result: [ParameterFacts] = []
    let first = a.names ?? [], second = Set(b.names ?? [])
    for name in first {
      guard let shape = a.shape(of: name) else { continue }
      if !second.contains(name) {
        problems.add("\(name) is only in the base")
      } else if let other = b.shape(of: name), other != shape {
        problems.add("\(name) has the shape \(shape) in the base and \(other) in the tuned model")
      } else {
        result.append(ParameterFacts(name: name, shape: shape))
      }
    }
    for name in second.subtracting(first).sorted() { problems.add("\(name) is only in the tuned model") }
    try problems.check()
    return result
  }
}
