public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// In each step only the entries of a matrix with the largest gradient move (Li et al. 2024, "Gradient-Mask Tuning",
/// arXiv 2406.15330). The mask acts on the update, so Adam's memory of other steps does not move what is masked.
public struct GradientMaskTuning: TuningMethod {
  public static let name = "gmt"
  public static let summary = "Each step moves only the entries with the largest gradient (Gradient-Mask Tuning)."
  public static let sets: Set<UpdatePart> = [.mask]

  public let share: Double

  public init(_ reader: KeyReader) {
    share = reader.value("share", default: 0.2, in: Above(0.0), unit: "share of a tensor", doc: "How many entries move.")
    if share > 1 { reader.complain("share", "is \(share), but is at most 1") }
  }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(share) }

  private final class Active: ActiveMethod {
    private let share: Double
    init(_ share: Double) { self.share = share }

    func updateRule(for parameter: String, at step: Step, _ p: Proposal) throws(EngineError) -> UpdateRule {
      guard share < 1, try p.gradient.shape.count > 1 else { return UpdateRule() }
      return UpdateRule(mask: try p.gradient.largest(share, of: p.gradient.shape))
    }
  }
}
