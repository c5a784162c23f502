internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTraining

/// A stage that records a path integral and leaves the importance that follows from it, added to what earlier stages left; with a penalty
/// it also holds what these found important.
final class PathRecording: ActiveMethod {
  private let knobs: PathKnobs
  private let stage: StageFacts
  private let recorder: PathRecorder
  private let earlier: Importance?
  private let addedTo: String?
  private let penalty: QuadraticPenalty?
  private let anchor: AnchorKnobs?
  private var losses = LossRange()
  private var found: MethodRecord?
  private var waiting: [String]

  /// `earlier`: what is added to the record; `addedTo`: SHA-256 of where it stands, for the record's facts; `anchor`: how hard `penalty` acts.
  init(
    _ knobs: PathKnobs, _ stage: StageFacts, _ space: ImportanceSpace, earlier: Importance? = nil, addedTo: String? = nil,
    penalty: QuadraticPenalty? = nil, anchor: AnchorKnobs? = nil, warning: String? = nil
  ) throws(Problems) {
    self.knobs = knobs
    self.stage = stage
    recorder = try knobs.recorder(stage, space)
    self.earlier = earlier
    self.addedTo = addedTo
    self.penalty = penalty
    self.anchor = anchor
    waiting = warning.map { [$0] } ?? []
  }

  var watched: Set<String> { recorder.watched }

  func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {
    try losses.take(step.loss)
    try recorder.observe(gradients, parameters)
  }

  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
    guard let penalty, let anchor else { return nil }
    return try penalty.pull(gradients, parameters, adds: anchor.form == .gradient) { _ in anchor.lambda }
  }

  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
    var shrinks = false
    if let penalty, let anchor, anchor.form == .decoupled, anchor.lambda > 0 {
      try penalty.shrink(parameters, rate: step.learningRate) { _ in anchor.lambda }
      shrinks = true
    }
    try recorder.afterStep(parameters)
    return shrinks
  }

  func finish(_ parameters: NamedTensors) throws(EngineError) {
    var (tensors, facts, warnings) = try knobs.importance(recorder, start: stage.pretrained, end: parameters, losses: losses.values)
    waiting += warnings
    for (name, old) in earlier?.tensors ?? [:] {
      tensors[name] = try tensors[name].map { (new: Tensor) throws(EngineError) in try new + old } ?? old
    }
    if let addedTo { facts["added_to"] = .string(addedTo) }
    facts["adapter"] = stage.model.adapter.map { .object(Self.facts(of: $0.configuration)) }
    facts["fingerprint"] = .string(stage.model.fingerprint)
    found = MethodRecord(tensors: tensors, facts: facts)
  }

  func record() -> MethodRecord? { found }

  /// What an adapter must have in common with the one that importance was recorded beside; modules and shapes are in the fingerprint.
  static func facts(of adapter: AdapterConfiguration) -> JSONObject {
    [
      "kind": .string(adapter.kind.rawValue), "rank": .integer(adapter.rank), "alpha": .number(adapter.alpha),
      "scaling": .string(adapter.scaling.rawValue),
    ]
  }

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
