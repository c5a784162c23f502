public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// Each label weighs its own probability, so that the gradient of a label is −∇p instead of −∇log p.
///
/// Source: Wu et al. 2025, "On the Generalization of SFT" (dynamic fine-tuning), arXiv 2508.05629.
public struct DynamicFineTuning: TuningMethod {
  public static let name = "dft"
  public static let summary = "Each label's loss weighs the label's probability (dynamic fine-tuning)."
  public static let looksAtLabels = true

  public init(_ reader: KeyReader) {}

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active() }

  private final class Active: ActiveMethod {
    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? {
      try labels.logProbabilities().exp()
    }
  }
}
