internal import HoldfastBasics
package import HoldfastEngine
package import HoldfastTraining

/// R = Σ c · w_i · (θ_i − θ*_i)² over what has an importance w; θ* is where the stage began, and θ a weight or, beside LoRA,
/// an element of U = s·B·A.
///
/// Its gradient 2 · c · w · (θ − θ*) is formed in f32 by hand, one tensor at a time: no record for gradients is kept.
/// What has no importance is free.
package final class QuadraticPenalty {
  package enum Form: String, KeyChoice {
    /// Added to the task's gradient, before clipping; Adam divides it by the size of that gradient's history.
    case gradient
    /// After Adam's own step: the minimum of ‖θ' − θ‖² / 2 + rate · R(θ'), which no strength makes unstable.
    case decoupled
  }

  package let importance: Importance
  private let start: PretrainedWeights
  private let space: ImportanceSpace

  package init(_ importance: Importance, start: PretrainedWeights, space: ImportanceSpace = ImportanceSpace()) {
    self.importance = importance
    self.start = start
    self.space = space
  }

  /// Adds the gradient where `adds`; returns R. `strength`: c by name.
  package func pull(
    _ gradients: NamedTensors, _ parameters: NamedTensors, adds: Bool, strength: (String) -> Double
  ) throws(EngineError) -> Double {
    var value = 0.0
    for name in space.names(in: parameters) {
      guard let importance = importance[name] else { continue }
      let moved = try space.distance(name, parameters, start: start), weighted = try moved * importance.cast(moved.dtype)
      let c = strength(name)
      value += try c * (weighted * moved).sum().item()
      if adds, c != 0 { try space.add(weighted, scale: 2 * c, of: name, to: gradients, parameters, start: start) }
    }
    return value
  }

  /// Σ (w · (θ − θ*)²)² of one tensor.
  package func squaredCost(_ name: String, _ parameters: NamedTensors) throws(EngineError) -> Double {
    guard let importance = importance[name] else { return 0 }
    let moved = try space.distance(name, parameters, start: start)
    return try Tensor.squaredNorm(of: [moved * moved * importance.cast(moved.dtype)])
  }

  /// Names that these parameters move.
  package func names(in parameters: NamedTensors) -> [String] { space.names(in: parameters) }

  /// Moves weights toward θ* in place: θ ← θ* + (θ − θ*) / (1 + 2 · rate · c · w). For weights that stand for themselves.
  package func shrink(_ parameters: NamedTensors, rate: Double, strength: (String) -> Double) throws(EngineError) {
    precondition(!space.isDense, "a product cannot be moved element by element")
    for (name, weight) in zip(parameters.names, parameters.all) {
      guard let importance = importance[name] else { continue }
      let c = strength(name)
      if c == 0 { continue }
      let moved = try space.distance(name, parameters, start: start)
      let kept = try moved / (importance.cast(moved.dtype) * (2 * rate * c) + 1)
      try Torch.withoutGradients { () throws(EngineError) in try weight.assign(start.tensor(name).cast(weight.dtype) + kept) }
    }
  }
}
