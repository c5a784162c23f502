internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

/// Gradients of a step, summed over its microbatches in f32 (f64 for f64 weights): sums in bf16 err by about 1 % over a
/// hundred microbatches.
struct Gradients {
  private var sums: [String: Tensor] = [:]

  init(widens: Bool = true) { self.widens = widens }
  /// false keeps gradients in the weights' type: for the step benchmark alone.
  let widens: Bool

  /// Takes what the last backward pass left at the parameters.
  mutating func fold(_ parameters: [Parameter]) throws(EngineError) {
    for parameter in parameters {
      guard let arrived = try parameter.value.takeGradient() else { continue }
      if let sum = sums[parameter.name] {
        try sum.add(arrived)
      } else {
        let dtype = try arrived.dtype
        sums[parameter.name] = !widens || dtype == .float32 || dtype == .float64 ? arrived : try arrived.cast(.float32)
      }
    }
  }

  /// In the order of the parameters. A trained parameter that no gradient reached is an error of the model's code.
  func named(_ parameters: [Parameter]) throws(EngineError) -> NamedTensors {
    var members: [(String, Tensor)] = []
    for parameter in parameters {
      guard let sum = sums[parameter.name] else {
        throw EngineError("no gradient reached \(parameter.name), which was to be trained")
      }
      members.append((parameter.name, sum))
    }
    return NamedTensors(members)
  }
}

/// A loss or gradient that is no number. Thrown before any weight has moved.
public struct NonFiniteError: Error, Sendable, CustomStringConvertible {
  public let step: Int
  public let loss: Double
  public let gradientNorm: Double
  /// Parameters whose gradient holds an infinity or NaN.
  public let parameters: [String]
  /// Where the step's examples stand: file and line.
  public let examples: [String]

  public var description: String {
    var text = "step \(step): the \(loss.isFinite ? "gradient norm is \(gradientNorm)" : "loss is \(loss)"); no weight was moved."
    if !parameters.isEmpty { text += " Gradients not finite: \(parameters.prefix(5).joined(separator: ", "))\(parameters.count > 5 ? " and \(parameters.count - 5) more" : "")." }
    text += " The step's examples: \(examples.prefix(10).joined(separator: ", "))\(examples.count > 10 ? " and \(examples.count - 10) more" : "")."
    return text + " A lower learning_rate, a longer warm-up or precision: f32 are the usual cures; the newest checkpoint is whole."
  }
}
