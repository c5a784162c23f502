public import HoldfastBasics
public import HoldfastTraining

/// Holds the model's answers to those of the model as the stage found it: + β · Σ over labels of a KL divergence.
///
/// On the data that is learnt it slows learning; on general text beside it (a replayed source named in `on`) it keeps what was known there.
public struct KLToStart: TuningMethod {
  public static let name = "kl"
  public static let summary = "The model's distribution over the next token is held to that of its start (KL to the base)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  private let knobs: DivergenceKnobs

  public init(_ reader: KeyReader) { knobs = DivergenceKnobs(reader, beta: 0.05, range: "1e-3 to 1") }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    try knobs.begin(stage, method: Self.name)
  }
}
