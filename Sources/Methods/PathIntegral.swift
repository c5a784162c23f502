public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Records how much each weight's movement lowered the loss, and leaves it for `hierarchical`; training is not changed.
///
/// It is the first stage of hierarchical regularization (Song et al. 2025, arXiv 2501.13669), in the form of Synaptic
/// Intelligence (Zenke et al. 2017, arXiv 1703.04200): Ω_i = max(ω_i, 0) / (Δ_i² + ε_l), where ε_l is tied to the data.
public struct PathIntegral: TuningMethod {
  public static let name = "path_integral"
  public static let summary = "Records each weight's importance while it trains on general text, for `hierarchical`; changes nothing."

  private let knobs: PathKnobs
  private let accumulates: Bool
  private let space: ImportanceSpace.Kind

  public init(_ reader: KeyReader) {
    knobs = PathKnobs(reader, mode: .relative, value: 1)
    space = ImportanceSpace.knob(reader)
    accumulates = reader.value("accumulate", default: true, doc: "What the stage before recorded is added.")
  }

  /// ω, and the gradient and weights of the step under way.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 8 * ImportanceSpace.elements(model, space, trained: trained) + 4 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    Active(self, stage, try knobs.recorder(stage, ImportanceSpace(stage.model, space)))
  }

  private final class Active: ActiveMethod {
    private let method: PathIntegral
    private let stage: StageFacts
    private let recorder: PathRecorder
    private var losses = LossRange()
    private var found: MethodRecord?
    private var waiting: [String] = []

    init(_ method: PathIntegral, _ stage: StageFacts, _ recorder: PathRecorder) {
      self.method = method
      self.stage = stage
      self.recorder = recorder
      if !stage.isPlan, stage.steps < 2 { waiting.append("\(stage.steps) step is too few to say what matters; 2 are the least") }
    }

    var watched: Set<String> { recorder.watched }

    func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {
      try losses.take(step.loss)
      try recorder.observe(gradients, parameters)
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      try recorder.afterStep(parameters)
      return false
    }

    func finish(_ parameters: NamedTensors) throws(EngineError) {
      var (tensors, facts, warnings) = try method.knobs.importance(recorder, start: stage.pretrained, end: parameters, losses: losses.values)
      waiting += warnings
      if method.accumulates, let earlier = stage.record(of: PathIntegral.name) {
        for (name, old) in try Importance(earlier, model: stage.model).tensors {
          tensors[name] = try tensors[name].map { (new: Tensor) throws(EngineError) in try new + old } ?? old
        }
        facts["added_to"] = .string(earlier.sha256)
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
