internal import HoldfastBasics
package import HoldfastEngine
package import HoldfastTraining

/// R = Σ c · w_i · (θ_i − θ*_i)² over the parameters that have an importance w; θ* is where the stage began.
///
/// Its gradient 2 · c · w · (θ − θ*) is formed in f32 by hand, one parameter at a time: no record for gradients is kept.
/// Parameters without importance are free.
package final class QuadraticPenalty {
  package enum Form: String, KeyChoice {
    /// Added to the task's gradient, before clipping; Adam divides it by the size of that gradient's history.
    case gradient
    /// After Adam's own step: the minimum of ‖θ' − θ‖² / 2 + rate · R(θ'), which no strength makes unstable.
    case decoupled
  }

  package let importance: Importance
  private let start: PretrainedWeights

  package init(_ importance: Importance, start: PretrainedWeights) {
    self.importance = importance
    self.start = start
  }

  private func distance(_ name: String, _ weight: Tensor) throws(EngineError) -> Tensor {
    try weight.detached() - start.tensor(name).cast(weight.dtype)
  }

  /// Adds the gradient where `adds`; returns R. `strength`: c by parameter.
  package func pull(
    _ gradients: NamedTensors, _ parameters: NamedTensors, adds: Bool, strength: (String) -> Double
  ) throws(EngineError) -> Double {
    var value = 0.0
    for name in gradients.names {
      guard let gradient = gradients[name], let weight = parameters[name], let importance = importance[name] else { continue }
      let moved = try distance(name, weight), weighted = try moved * importance.cast(moved.dtype)
      let c = strength(name)
      value += try c * (weighted * moved).sum().item()
      if adds, c != 0 { try gradient.add(weighted, scale: 2 * c) }
    }
    return value
  }

  /// Σ (w · (θ − θ*)²)² of one parameter.
  package func squaredCost(_ name: String, _ weight: Tensor) throws(EngineError) -> Double {
    guard let importance = importance[name] else { return 0 }
    let moved = try distance(name, weight)
    return try Tensor.squaredNorm(of: [moved * moved * importance.cast(moved.dtype)])
  }

  /// Moves the weights toward θ* in place: θ ← θ* + (θ − θ*) / (1 + 2 · rate · c · w).
  package func shrink(_ parameters: NamedTensors, rate: Double, strength: (String) -> Double) throws(EngineError) {
    for (name, weight) in zip(parameters.names, parameters.all) {
      guard let importance = importance[name] else { continue }
      let c = strength(name)
      if c == 0 { continue }
      let moved = try distance(name, weight)
      let kept = try moved / (importance.cast(moved.dtype) * (2 * rate * c) + 1)
      try Torch.withoutGradients { () throws(EngineError) in try weight.assign(start.tensor(name).cast(weight.dtype) + kept) }
    }
  }
}
