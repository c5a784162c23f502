internal import HoldfastBasics
package import HoldfastEngine
internal import HoldfastModels
package import HoldfastTraining

/// Path integrals ω_i = −Σ_t g_i(t) · δ_i(t): how much each weight's own movement lowered the loss, to first order.
///
/// g is the task's gradient before penalties and clipping, δ the movement of the f32 master as it was observed, not as a
/// rate and a gradient would predict it: under AdamW, clipping or decay that prediction is wrong. Movements that methods
/// further down in the stack add after a step are not seen.
///
/// Beside LoRA ω is that of U = s·B·A: g = dL/dU is the gradient of the frozen base weight, without any factor s (`probe`),
/// or what the factors' gradients say of it (`tangent`).
package final class PathRecorder {
  package enum Source: String, KeyChoice { case probe, tangent }

  /// ω by name, nats.
  package private(set) var path: [String: Tensor] = [:]
  package let space: ImportanceSpace
  private let source: Source
  private let start: PretrainedWeights
  private var gradients: [String: Tensor] = [:]
  private var before: [String: Tensor] = [:]

  package init(_ space: ImportanceSpace = ImportanceSpace(), source: Source = .probe, start: PretrainedWeights = PretrainedWeights()) {
    self.space = space
    self.source = source
    self.start = start
  }

  /// Parameters that do not train but whose gradients are wanted.
  package var watched: Set<String> { source == .probe ? space.watched : [] }

  /// Notes gradient and weights before the step.
  package func observe(_ gradients: NamedTensors, _ parameters: NamedTensors) throws(EngineError) {
    for name in space.names(in: parameters) {
      for part in space.parts(of: name) { if let weight = parameters[part] { try Self.keep(weight.detached(), as: part, in: &before) } }
      if space.isDense, source == .tangent {
        let linear = space.linears.first { $0.weight == name }!
        guard let a = parameters[linear.a], let b = parameters[linear.b], let toA = gradients[linear.a], let toB = gradients[linear.b] else {
          throw EngineError("source: tangent needs both factors of \(linear.name) to train")
        }
        self.gradients[name] = try TangentGradient.gradient(a: a.detached(), b: b.detached(), toA: toA, toB: toB, scale: linear.scale)
      } else if let gradient = gradients[name] {
        try Self.keep(gradient, as: name, in: &self.gradients)
      }
    }
  }

  /// Takes what the step moved.
  package func afterStep(_ parameters: NamedTensors) throws(EngineError) {
    for name in space.names(in: parameters) {
      guard let gradient = gradients[name] else { continue }
      let dtype = try space.dtype(name, parameters)
      let now = try space.value(name, { (n: String) throws(EngineError) in parameters[n] }, start: start, like: dtype)
      let moved = try now - space.value(name, { (n: String) throws(EngineError) in before[n] }, start: start, like: dtype)
      let part = try gradient.cast(dtype) * moved
      if path[name] == nil { path[name] = try part * 0 }
      try path[name]!.add(part, scale: -1)
    }
  }

  /// The gradient that the step now under way began with.
  package func gradient(_ name: String) -> Tensor? { gradients[name] }

  /// Memory is reused from step to step.
  private static func keep(_ tensor: Tensor, as name: String, in kept: inout [String: Tensor]) throws(EngineError) {
    if let old = kept[name] { try old.assign(tensor) } else { kept[name] = try tensor.copy() }
  }

  package func reset(_ name: String) throws(EngineError) { try path[name]?.scale(by: 0) }
  package func restore(_ path: [String: Tensor]) { self.path = path }
}

/// Ω_i = max(ω_i, 0) / (Δ_i² + ε): importance from a path integral and the whole movement Δ.
package enum PathImportance {
  /// What keeps weights that hardly moved from being infinitely important.
  package enum Epsilon: Sendable, Hashable {
    /// ξ times the mean of Δ² over the tensor.
    case relative(Double)
    case absolute(Double)
  }

  package struct Result {
    package var tensors: [String: Tensor] = [:]
    /// Share of the entries whose ω is below 0.
    package var negative = 0.0
    /// Σ ω, nats: to first order the drop of the loss.
    package var total = 0.0
    /// Tensors that never moved; their importance is 0.
    package var still: [String] = []
  }

  package static func importance(
    path: [String: Tensor], moved: (String) throws(EngineError) -> Tensor, epsilon: Epsilon, clamps: Bool
  ) throws(EngineError) -> Result {
    var result = Result(), below = 0.0, count = 0
    for name in path.keys.sorted() {
      let omega = path[name]!, size = try omega.count
      let none = try omega * 0, moved = try moved(name)
      let squares = try moved * moved, mean = try squares.sum().item() / Double(max(1, size))
      result.total += try omega.sum().item()
      below += try (none > omega).cast(.float32).sum().item()
      count += size
      guard mean > 0 else {
        result.still.append(name)
        result.tensors[name] = try none.cast(.float32)
        continue
      }
      let shift = switch epsilon {
      case .relative(let xi): xi * mean
      case .absolute(let value): value
      }
      let numerator = try clamps ? Tensor.choose(omega > none, omega, none) : omega
      result.tensors[name] = try (numerator / (squares + shift)).cast(.float32)
    }
    result.negative = below / Double(max(1, count))
    return result
  }
}
