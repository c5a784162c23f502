public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Fisher information and path integral together, both gathered while training: R = λ · Σ (F_i + s_i) (θ_i − θ*_i)².
///
/// Source: Chaudhry et al. 2018, "Riemannian Walk", arXiv 1801.10112. Every `every` steps F ← (1 − a) · F + a · g² and
/// s_i += max(0, ω_i / (½ F_i Δ_i² + ξ)), with ω and Δ of those steps alone. At a stage's end both are scaled to [0, 1] over the
/// model and s is averaged with the older one. g is the gradient of a step's mean loss, as in the paper: with many rows a
/// step that is not the Fisher of single examples. The published code leaves out the ½ and doubles the first task.
public struct RWalk: TuningMethod {
  public static let name = "rwalk"
  public static let summary = "Weights that mattered in earlier stages, by Fisher and path integral together, are pulled back to their start (RWalk)."

  private let anchor: AnchorKnobs
  private let decay: Double
  private let every: Int
  private let xi: Double
  private let source: PathRecorder.Source
  private let importance: String?

  public init(_ reader: KeyReader) {
    anchor = AnchorKnobs(reader)
    decay = reader.value("a", default: 0.9, in: 0.0...1.0, doc: "Weight of the newest squared gradient in the running Fisher.")
    every = reader.value("every", default: 10, in: 1..., unit: "steps", doc: "How often the Fisher and the scores are taken; 10 to 50 in the paper.")
    xi = reader.value("xi", default: 1e-3, in: Above(0.0), doc: "Added to ½ F Δ².")
    source = reader.value("source", default: .probe, doc: "As in `path_integral`.")
    importance = Recorded.knob(reader, of: Self.name)
  }

  /// Fisher, score, ω, where the interval began; gradient and weights of the step; importance and start.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 20 * ImportanceSpace.elements(model, anchor.kind, trained: trained) + 12 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try anchor.space(stage.model), recorder = PathRecorder(space, source: source, start: stage.pretrained)
    do {
      guard let artifact = try Recorded.artifact(importance, of: Self.name, stage) else { return Active(self, stage, recorder, nil, [:], [:]) }
      let fisher = try Importance(artifact, model: stage.model, prefix: "fisher.").tensors
      let score = try Importance(artifact, model: stage.model, prefix: "score.").tensors
      var both = try Self.scaled(fisher)
      for (name, tensor) in score { both[name] = try both[name]! + tensor }
      return Active(self, stage, recorder, try anchor.shaped(Importance(both), seed: stage.seed), fisher, score)
    } catch { throw Problems("rwalk", ["\(error)"]) }
  }

  /// To [0, 1] over all tensors together; all 0 where they are all equal.
  static func scaled(_ tensors: [String: Tensor]) throws(EngineError) -> [String: Tensor] {
    var least = Double.infinity, most = -Double.infinity
    for tensor in tensors.values {
      most = max(most, try tensor.max().item())
      least = min(least, try -((-tensor).max().item()))
    }
    var result: [String: Tensor] = [:]
    for (name, tensor) in tensors { result[name] = try most > least ? (tensor + -least) * (1 / (most - least)) : tensor * 0 }
    return result
  }

  private final class Active: ActiveMethod {
    private let method: RWalk
    private let stage: StageFacts
    private let penalty: QuadraticPenalty?
    private let recorder: PathRecorder
    private var fisher: [String: Tensor]
    private let earlierScore: [String: Tensor]
    private var score: [String: Tensor] = [:]
    private var anchors: [String: Tensor] = [:]
    private var found: MethodRecord?
    private var waiting: [String] = []

    init(_ method: RWalk, _ stage: StageFacts, _ recorder: PathRecorder, _ shaped: Importance?, _ fisher: [String: Tensor], _ score: [String: Tensor]) {
      self.method = method
      self.stage = stage
      self.recorder = recorder
      self.fisher = fisher
      earlierScore = score
      penalty = shaped.map { QuadraticPenalty($0, start: stage.pretrained, space: recorder.space) }
      if shaped == nil, !stage.isPlan { waiting.append("nothing was recorded before, so this stage only records and nothing holds its weights") }
    }

    var watched: Set<String> { recorder.watched }

    func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {
      try recorder.observe(gradients, parameters)
      for (name, weight) in zip(parameters.names, parameters.all) where anchors[name] == nil { anchors[name] = try weight.detached().copy() }
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      try penalty?.pull(gradients, parameters, adds: method.anchor.form == .gradient) { _ in method.anchor.lambda }
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      let shrinks = penalty != nil && method.anchor.form == .decoupled && method.anchor.lambda > 0
      if shrinks { try penalty!.shrink(parameters, rate: step.learningRate) { _ in method.anchor.lambda } }
      try recorder.afterStep(parameters)
      if (step.number + 1) % method.every == 0 || step.number + 1 == step.total { try closeInterval(parameters) }
      return shrinks
    }

    private func closeInterval(_ parameters: NamedTensors) throws(EngineError) {
      let space = recorder.space
      for name in space.names(in: parameters) {
        guard let gradient = recorder.gradient(name), let omega = recorder.path[name] else { continue }
        let squares = try gradient.cast(omega.dtype) * gradient.cast(omega.dtype)
        if let old = fisher[name] {
          try old.scale(by: 1 - method.decay)
          try old.add(squares, scale: method.decay)
        } else {
          fisher[name] = try squares * method.decay
        }
        let dtype = try omega.dtype
        let now = try space.value(name, { (n: String) throws(EngineError) in parameters[n] }, start: stage.pretrained, like: dtype)
        let moved = try now - space.value(name, { (n: String) throws(EngineError) in anchors[n] }, start: stage.pretrained, like: dtype)
        let gain = try omega / (fisher[name]! * moved * moved * 0.5 + method.xi)
        let none = try gain * 0, positive = try Tensor.choose(gain > none, gain, none)
        if let sum = score[name] { try sum.add(positive) } else { score[name] = positive }
        try recorder.reset(name)
      }
      for (name, weight) in zip(parameters.names, parameters.all) { try anchors[name]?.assign(weight) }
    }

    func finish(_ parameters: NamedTensors) throws(EngineError) {
      var scores = try RWalk.scaled(score)
      for (name, old) in earlierScore { scores[name] = try scores[name].map { (new: Tensor) throws(EngineError) in try (new + old) * 0.5 } ?? old }
      for name in fisher.keys where scores[name] == nil { scores[name] = try fisher[name]! * 0 }
      found = MethodRecord(
        tensors: fisher.prefixed("fisher.").merging(scores.prefixed("score.")) { a, _ in a },
        facts: ["fingerprint": .string(stage.model.fingerprint)])
    }

    func record() -> MethodRecord? { found }

    func warnings() -> [String] {
      defer { waiting = [] }
      return waiting
    }

    var state: [String: Tensor] {
      recorder.path.prefixed("path.").merging(fisher.prefixed("fisher.")) { a, _ in a }.merging(score.prefixed("score.")) { a, _ in a }
        .merging(anchors.prefixed("anchor.")) { a, _ in a }
    }

    func restore(_ state: [String: Tensor]) throws(EngineError) {
      recorder.restore(state.behind("path."))
      fisher = state.behind("fisher.")
      score = state.behind("score.")
      anchors = state.behind("anchor.")
    }
  }
}
