public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Pulls every trained weight back to where the run found it: R = λ/2 · ‖θ − θ⁰‖² (L2-SP, Xuhong et al. 2018, arXiv 1802.01483).
///
/// `decoupled` moves the weight after Adam's own step, θ −= rate · λ · (θ − θ⁰), as decoupled weight decay does toward zero;
/// `gradient` adds λ · (θ − θ⁰) to the gradient, where Adam divides the penalty by the size of the task's gradients.
public struct L2ToStart: TuningMethod {
  public static let name = "l2"
  public static let summary = "Weights are pulled back to where they started (L2-SP)."
  public static let sets: Set<UpdatePart> = [.reference]

  public enum Form: String, KeyChoice { case decoupled, gradient }

  public let lambda: Double
  public let form: Form

  public init(_ reader: KeyReader) {
    form = reader.value("form", default: .decoupled, doc: "Beside Adam's step, or as a gradient that Adam rescales.")
    lambda = reader.required("lambda", in: Above(0.0), doc: "Strength. `decoupled`: per unit of learning rate, 1 to 1000; `gradient`: 1e-4 to 1e-1.")
  }

  /// The start, in f32; half of it where the file has bf16.
  public func bytes(trained: Int) -> Int { 4 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    guard let adapter = stage.model.adapter else { return Active(self, stage.pretrained) }
    if adapter.configuration.kind != .lora {
      throw Problems("l2", ["beside an adapter it pulls the product s·B·A of LoRA back; \(adapter.configuration.kind.rawValue) is more than a product"])
    }
    return AdapterActive(self, adapter, stage.pretrained)
  }

  /// Beside LoRA the product U = s·B·A is pulled, not its factors: ‖A‖² + ‖B‖² is least where nothing was learnt from A's start.
  private final class AdapterActive: ActiveMethod {
    private let method: L2ToStart
    private let linears: [AdapterFacts.Linear]
    private let start: PretrainedWeights

    init(_ method: L2ToStart, _ adapter: AdapterFacts, _ start: PretrainedWeights) {
      self.method = method
      linears = adapter.linears
      self.start = start
    }

    /// Calls `body` with each layer's factors and what ‖U − U₀‖² / 2 sends to them.
    private func each(
      _ parameters: NamedTensors, _ body: (AdapterFacts.Linear, ProductAnchor, (a: Tensor, b: Tensor)) throws(EngineError) -> Void
    ) throws(EngineError) {
      for linear in linears {
        guard let b = try parameters[linear.b]?.detached() else { continue }
        // With A frozen only B is among what trains.
        let first = (a: try start.tensor(linear.a).cast(b.dtype), b: try start.tensor(linear.b).cast(b.dtype))
        var a = first.a
        if let trained = parameters[linear.a] { a = try trained.detached() }
        try body(linear, ProductAnchor(scale: linear.scale, start: first), (a, b))
      }
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      var squares = 0.0
      try each(parameters) { (linear, anchor, factors) throws(EngineError) in
        squares += try anchor.squaredDistance(a: factors.a, b: factors.b)
        guard method.form == .gradient else { return }
        let pulls = try anchor.gradients(a: factors.a, b: factors.b)
        try gradients[linear.a]?.add(pulls.a, scale: method.lambda)
        try gradients[linear.b]?.add(pulls.b, scale: method.lambda)
      }
      return method.lambda / 2 * squares
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      guard method.form == .decoupled else { return false }
      try each(parameters) { (linear, anchor, factors) throws(EngineError) in
        let pulls = try anchor.gradients(a: factors.a, b: factors.b)
        try Torch.withoutGradients { () throws(EngineError) in
          try parameters[linear.a]?.add(pulls.a, scale: -step.learningRate * method.lambda)
          try parameters[linear.b]?.add(pulls.b, scale: -step.learningRate * method.lambda)
        }
      }
      return true
    }
  }

  private final class Active: ActiveMethod {
    private let method: L2ToStart
    private let start: PretrainedWeights

    init(_ method: L2ToStart, _ start: PretrainedWeights) {
      self.method = method
      self.start = start
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      var squares = 0.0
      for name in gradients.names {
        guard let gradient = gradients[name], let weight = parameters[name] else { continue }
        let moved = try weight.detached() - start.tensor(name).cast(weight.dtype)
        let norm = try Tensor.squaredNorm(of: [moved])
        squares += norm
        if method.form == .gradient { try gradient.add(moved, scale: method.lambda) }
      }
      return method.lambda / 2 * squares
    }

    func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule {
      method.form == .gradient ? UpdateRule() : UpdateRule(reference: try start.tensor(parameter), pull: method.lambda)
    }
  }
}
