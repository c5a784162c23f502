public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// Each label weighs its own probability, and the model's distribution is held to that of its start: p · CE + λ · KL(start ‖ model), over the
/// whole vocabulary (ASFT, arXiv 2509.23753).
public struct AnchoredSFT: TuningMethod {
  public static let name = "asft"
  public static let summary = "Labels weigh their probability, with a KL to the start (anchored supervised fine-tuning)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  public let lambda: Double

  public init(_ reader: KeyReader) {
    lambda = reader.value("lambda", default: 0.05, in: Above(0.0), doc: "Strength of the divergence: 0.05 to 0.1 in the paper.")
  }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(lambda) }

  private final class Active: ActiveMethod {
    private let lambda: Double
    init(_ lambda: Double) { self.lambda = lambda }

    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? { try labels.logProbabilities().exp() }

    func divergence(_ labels: LabelScores, at step: Step) throws(EngineError) -> Divergence? {
      Divergence(DivergenceKind(.forward), pulls: try labels.values(lambda, at: nil))
    }
  }
}
