public import HoldfastBasics
public import HoldfastEngine
public import HoldfastTraining

/// Holds the model's answers to those of the model as the stage found it: + β · Σ over labels of a KL divergence.
///
/// On the data that is learnt it slows learning; on general text beside it (a replayed source named in `on`) it keeps what was known there.
public struct KLToStart: TuningMethod {
  public static let name = "kl"
  public static let summary = "The model's distribution over the next token is held to that of its start (KL to the base)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  public let beta: Double
  public let direction: DivergenceKind.Direction
  private let on: SourceSelection

  public init(_ reader: KeyReader) {
    beta = reader.value("beta", default: 0.05, in: Above(0.0), doc: "Strength, beside a nat of cross entropy: 1e-3 to 1.")
    direction = reader.value(
      "direction", default: .forward, doc: "`forward`: KL(start ‖ model), which keeps all that the start may say; `reverse`: KL(model ‖ start).")
    on = SourceSelection(reader, "on", doc: "Names of the sources at whose labels it acts; none: all.")
  }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    DivergenceFromStart(DivergenceKind(direction), beta, on: try on.indices(in: stage.sources, method: Self.name))
  }
}

/// A divergence from the start at the labels of some sources.
final class DivergenceFromStart: ActiveMethod {
  private let kind: DivergenceKind
  private let strength: Double
  private let on: Set<Int>?

  init(_ kind: DivergenceKind, _ strength: Double, on: Set<Int>? = nil) {
    self.kind = kind
    self.strength = strength
    self.on = on
  }

  func divergence(_ labels: LabelScores, at step: Step) throws(EngineError) -> Divergence? {
    Divergence(kind, pulls: try labels.values(strength, at: on))
  }
}

extension DivergenceKind.Direction: KeyChoice {}
