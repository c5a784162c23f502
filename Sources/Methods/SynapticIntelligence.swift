public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Weights that lowered the loss of earlier stages are pulled back to where this one began: R = λ · Σ Ω_i (θ_i − θ*_i)²,
/// Ω_i += max(ω_i, 0) / (Δ_i² + ξ) at each stage's end.
///
/// Source: Zenke, Poole, Ganguli 2017, "Continual Learning Through Synaptic Intelligence", arXiv 1703.04200. g in ω is the
/// task's own gradient, without the penalty's, and δ the observed movement. The first stage only records.
public struct SynapticIntelligence: TuningMethod {
  public static let name = "si"
  public static let summary = "Weights that lowered the loss of earlier stages are pulled back to their start (Synaptic Intelligence)."

  private let anchor: AnchorKnobs
  private let path: PathKnobs
  private let importance: String?

  public init(_ reader: KeyReader) {
    anchor = AnchorKnobs(reader)
    path = PathKnobs(reader, mode: .absolute, value: 1e-3)
    importance = Recorded.knob(reader, of: Self.name)
  }

  /// Importance, start, ω, and the gradient and weights of the step under way.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 12 * ImportanceSpace.elements(model, anchor.kind, trained: trained) + 8 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try anchor.space(stage.model), recorder = try path.recorder(stage, space)
    do {
      guard let artifact = try Recorded.artifact(importance, of: Self.name, stage) else { return Active(self, stage, recorder, nil, nil) }
      let earlier = try Importance(artifact, model: stage.model)
      return Active(self, stage, recorder, earlier, try anchor.shaped(Importance(artifact, model: stage.model), seed: stage.seed))
    } catch { throw Problems("si", ["\(error)"]) }
  }

  private final class Active: ActiveMethod {
    private let method: SynapticIntelligence
    private let stage: StageFacts
    private let earlier: Importance?
    private let penalty: QuadraticPenalty?
    private let recorder: PathRecorder
    private var losses = LossRange()
    private var found: MethodRecord?
    private var waiting: [String] = []

    /// `earlier`: as it was recorded; `shaped`: as the penalty uses it.
    init(_ method: SynapticIntelligence, _ stage: StageFacts, _ recorder: PathRecorder, _ earlier: Importance?, _ shaped: Importance?) {
      self.method = method
      self.stage = stage
      self.recorder = recorder
      self.earlier = earlier
      penalty = shaped.map { QuadraticPenalty($0, start: stage.pretrained, space: recorder.space) }
      if earlier == nil, !stage.isPlan { waiting.append("nothing was recorded before, so this stage only records and nothing holds its weights") }
    }

    var watched: Set<String> { recorder.watched }

    func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {
      try losses.take(step.loss)
      try recorder.observe(gradients, parameters)
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      try penalty?.pull(gradients, parameters, adds: method.anchor.form == .gradient) { _ in method.anchor.lambda }
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      let shrinks = penalty != nil && method.anchor.form == .decoupled && method.anchor.lambda > 0
      if shrinks { try penalty!.shrink(parameters, rate: step.learningRate) { _ in method.anchor.lambda } }
      try recorder.afterStep(parameters)
      return shrinks
    }

    func finish(_ parameters: NamedTensors) throws(EngineError) {
      var (tensors, facts, warnings) = try method.path.importance(recorder, start: stage.pretrained, end: parameters, losses: losses.values)
      waiting += warnings
      for (name, old) in earlier?.tensors ?? [:] {
        tensors[name] = try tensors[name].map { (new: Tensor) throws(EngineError) in try new + old } ?? old
      }
      facts["fingerprint"] = .string(stage.model.fingerprint)
      found = MethodRecord(tensors: tensors, facts: facts)
    }

    func record() -> MethodRecord? { found }

    func warnings() -> [String] {
      defer { waiting = [] }
      return waiting
    }

    var state: [String: Tensor] {
      var state = recorder.path.prefixed("path.")
      state["losses"] = losses.state
      return state
    }

    func restore(_ state: [String: Tensor]) throws(EngineError) {
      try losses.restore(state["losses"])
      recorder.restore(state.behind("path."))
    }
  }
}
