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
    let space = try anchor.space(stage.model)
    let earlier: Importance?, penalty: QuadraticPenalty?
    do {
      let artifact = try Recorded.artifact(importance, of: Self.name, stage)
      earlier = try artifact.map { try Importance($0, model: stage.model) }
      penalty = try artifact.map {
        QuadraticPenalty(try anchor.shaped(Importance($0, model: stage.model), seed: stage.seed), start: stage.pretrained, space: space)
      }
    } catch { throw Problems(Self.name, ["\(error)"]) }
    let warning = penalty == nil && !stage.isPlan ? "nothing was recorded before, so this stage only records and nothing holds its weights" : nil
    return try PathRecording(path, stage, space, earlier: earlier, penalty: penalty, anchor: anchor, warning: warning)
  }
}
