public import HoldfastBasics
public import HoldfastEngine
internal import HoldfastTraining

/// The knobs of a method that is nothing but a KL divergence between the start's distribution and the model's.
struct DivergenceKnobs: Sendable {
  let beta: Double
  let direction: DivergenceKind.Direction
  private let on: SourceSelection

  init(_ reader: KeyReader, beta standard: Double, range: String) {
    beta = reader.value("beta", default: standard, in: Above(0.0), doc: "Strength, beside a nat of cross entropy: \(range).")
    direction = reader.value(
      "direction", default: .forward, doc: "`forward`: KL(start ‖ model), which keeps all that the start may say; `reverse`: KL(model ‖ start).")
    on = SourceSelection(reader, "on", doc: "Names of the sources at whose labels it acts; none: all.")
  }

  func begin(_ stage: StageFacts, masksLabel: Bool = false, method: String) throws(Problems) -> DivergenceFromStart {
    DivergenceFromStart(DivergenceKind(direction, masksLabel: masksLabel), beta, on: try on.indices(in: stage.sources, method: method))
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
