public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// In each step only the entries of a matrix with the largest momentum move.
///
/// Source: Chen et al. 2024, "MoFO: Momentum-Filtered Optimizer", arXiv 2407.20999. The share is taken of each tensor by
/// itself; norms and biases move whole. Moments follow every entry. The published code decays unmoved entries toward 0;
/// here what is not moved keeps its bits.
public struct MoFO: TuningMethod {
  public static let name = "mofo"
  public static let summary = "Each step moves only the entries with the largest momentum (MoFO)."
  public static let sets: Set<UpdatePart> = [.mask]

  public let share: Double

  public init(_ reader: KeyReader) {
    share = reader.value("share", default: 0.15, in: Above(0.0), unit: "share of a tensor", doc: "How many entries move; 0.05 to 0.2 in the paper, 1 is AdamW.")
    if share > 1 { reader.complain("share", "is \(share), but is at most 1") }
  }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(share) }

  private final class Active: ActiveMethod {
    private let share: Double
    init(_ share: Double) { self.share = share }

    func updateRule(for parameter: String, at step: Step, _ p: Proposal) throws(EngineError) -> UpdateRule {
      guard share < 1, try p.gradient.shape.count > 1 else { return UpdateRule() }
      // The momentum as the step will make it.
      let momentum = try p.first * p.beta1 + p.gradient.cast(p.first.dtype) * ((1 - p.beta1) * p.gradientScale)
      return UpdateRule(mask: try momentum.largest(share, of: momentum.shape))
    }
  }
}

extension Tensor {
  /// The mask of the largest share of the entries, one at least.
  func largest(_ share: Double, of shape: [Int]) throws(EngineError) -> Tensor {
    try largest(Swift.max(1, Int(share * Double(shape.reduce(1, *)))))
  }
}
