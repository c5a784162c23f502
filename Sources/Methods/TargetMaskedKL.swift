public import HoldfastBasics
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

  private let knobs: DivergenceKnobs

  public init(_ reader: KeyReader) { knobs = DivergenceKnobs(reader, beta: 0.1, range: "1e-2 to 10") }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    try knobs.begin(stage, masksLabel: true, method: Self.name)
  }
}
