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
    let space = try ImportanceSpace(stage.model, space)
    let warning = !stage.isPlan && stage.steps < 2 ? "\(stage.steps) step is too few to say what matters; 2 are the least" : nil
    guard accumulates, let before = stage.record(of: Self.name) else { return try PathRecording(knobs, stage, space, warning: warning) }
    let earlier: Importance
    do { earlier = try Importance(before, model: stage.model) } catch { throw Problems(Self.name, ["\(error)"]) }
    return try PathRecording(knobs, stage, space, earlier: earlier, addedTo: before.sha256, warning: warning)
  }
}
