public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Pulls weights back to where the stage began, the harder the more they matter for general text:
/// R = λ/2 · Σ F_i (θ_i − θ⁰_i)², F the diagonal of the Fisher information (Kirkpatrick et al. 2017, arXiv 1612.00796).
///
/// `as_coded` is the Fisher and the penalty λ · Σ F_i (θ_i − θ⁰_i)² of EWCLoRA (Xiang et al. 2023, arXiv 2305.10626).
public struct EWC: TuningMethod {
  public static let name = "ewc"
  public static let summary = "Weights that matter for general text, by the Fisher information, are pulled back to their start (EWC)."

  private let anchor: AnchorKnobs
  private let fisher: FisherPass.Kind
  private let text: GeneralTextKnobs

  public init(_ reader: KeyReader) {
    anchor = AnchorKnobs(reader)
    fisher = reader.value(
      "fisher", default: .empirical,
      doc: "`empirical`: the data's labels; `sampled`: labels drawn from the model, the true Fisher; `as_coded`: as EWCLoRA's code has it, whole model over the host; `target_only`: its loss for what trains, on the device.")
    text = GeneralTextKnobs(reader)
  }

  /// The Fisher and the start.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 4 * ImportanceSpace.elements(model, anchor.kind, trained: trained) + 4 * trained }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] {
    let space = try anchor.space(facts.model)
    return text.data.map { [FisherPass.preparation(fisher, over: facts, space, $0, seed: text.seed)] } ?? []
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try anchor.space(stage.model)
    let strength = fisher == .asCoded ? anchor.lambda : anchor.lambda / 2
    guard let artifact = stage.artifact("fisher") else { return AnchoredMethod(nil, anchor.form, strength: strength, start: stage.pretrained, space: space) }
    do {
      let importance = try anchor.shaped(Importance(artifact, model: stage.model), seed: stage.seed)
      return AnchoredMethod(importance, anchor.form, strength: strength, start: stage.pretrained, space: space, facts: ["fisher": .string(artifact.sha256)])
    } catch { throw Problems("ewc", ["\(error)"]) }
  }
}
