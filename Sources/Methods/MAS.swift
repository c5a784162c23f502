public import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Weights that the model's output depends on are pulled back to their start: R = λ · Σ Ω_i (θ_i − θ*_i)²,
/// Ω_i = mean over examples of |∂ ‖f(x)‖² / ∂θ_i|.
///
/// Source: Aljundi et al. 2018, "Memory Aware Synapses", arXiv 1711.09601. No labels are used. f is the logits, or
/// log-probabilities, of each position that the data marks as learnt, and ‖f‖² is averaged over them. In a sequence Ω is
/// summed over the stages.
public struct MAS: TuningMethod {
  public static let name = "mas"
  public static let summary = "Weights that the model's outputs on general text depend on are pulled back to their start (Memory Aware Synapses)."

  private let anchor: AnchorKnobs
  private let output: OutputPass.Output
  private let text: GeneralTextKnobs

  public init(_ reader: KeyReader) {
    anchor = AnchorKnobs(reader)
    output = reader.value("output", default: .logits, doc: "What the model's output is: `logits` or `log_probabilities` of each position.")
    text = GeneralTextKnobs(reader)
  }

  /// Importance and start.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 4 * ImportanceSpace.elements(model, anchor.kind, trained: trained) + 4 * trained }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] {
    let space = try anchor.space(facts.model)
    return text.data.map { [OutputPass.preparation(output, over: facts, space, $0)] } ?? []
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try anchor.space(stage.model)
    guard let artifact = stage.artifact("output_gradients") else { return Active(nil, AnchoredMethod(nil, anchor.form, strength: anchor.lambda, start: stage.pretrained, space: space)) }
    do {
      var sum = try Importance(artifact, model: stage.model).tensors
      if let before = stage.record(of: Self.name) {
        for (name, old) in try Importance(before, model: stage.model).tensors { sum[name] = try sum[name].map { try $0 + old } ?? old }
      }
      let shaped = try anchor.shaped(Importance(sum.mapValues { try $0.copy() }), seed: stage.seed)
      return Active(sum, AnchoredMethod(shaped, anchor.form, strength: anchor.lambda, start: stage.pretrained, space: space))
    } catch { throw Problems("mas", ["\(error)"]) }
  }

  private final class Active: ActiveMethod {
    private let sum: [String: Tensor]?
    private let anchored: AnchoredMethod

    init(_ sum: [String: Tensor]?, _ anchored: AnchoredMethod) {
      self.sum = sum
      self.anchored = anchored
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      try anchored.pull(gradients, parameters, at: step)
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool { try anchored.afterStep(parameters, at: step) }

    func record() -> MethodRecord? { sum.map { MethodRecord(tensors: $0, facts: JSONObject()) } }
  }
}
