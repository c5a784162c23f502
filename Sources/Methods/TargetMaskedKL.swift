public import HoldfastBasics
public import HoldfastEngine
public import HoldfastTraining

/// + β · Σ over labels of a KL divergence between the start's distribution and the model's after the label was taken out of both and they
/// were normalised again: what the model says beside the answer is kept, and nothing pulls at the answer (TMKL, arXiv 2605.29498).
///
/// Direction and strength of the paper are not known to us; both are knobs.
public struct TargetMaskedKL: TuningMethod {
  public static let name = "tmkl"
  public static let summary = "What the start says beside the answer is kept; the answer itself is free to be learnt (target-masked KL)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  public let beta: Double
  public let direction: DivergenceKind.Direction
  private let on: SourceSelection

  public init(_ reader: KeyReader) {
    beta = reader.value("beta", default: 0.1, in: Above(0.0), doc: "Strength, beside a nat of cross entropy: 1e-2 to 10.")
    direction = reader.value("direction", default: .forward, doc: "`forward`: KL(start ‖ model); `reverse`: KL(model ‖ start).")
    on = SourceSelection(reader, "on", doc: "Names of the sources at whose labels it acts; none: all.")
  }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    DivergenceFromStart(DivergenceKind(direction, masksLabel: true), beta, on: try on.indices(in: stage.sources, method: Self.name))
  }
}
