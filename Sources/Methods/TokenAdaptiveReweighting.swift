public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// Each label weighs max(p^(1/τ), floor), where τ is the median loss of the microbatch's labels in nats.
///
/// Source: "Token-Adaptive Loss Reweighting", arXiv 2509.20758. Whether the paper's median runs over tokens or sequences is
/// not known to us; here it runs over the labels of a microbatch. The floor of 0.1 is ours.
public struct TokenAdaptiveReweighting: TuningMethod {
  public static let name = "talr"
  public static let summary = "Labels that the model finds unlikely weigh less, measured against the median loss (TALR)."
  public static let looksAtLabels = true

  public let floor: Double

  public init(_ reader: KeyReader) {
    floor = reader.value("floor", default: 0.1, in: 0...1, doc: "The least weight of a label.")
  }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(floor) }

  private final class Active: ActiveMethod {
    private let floor: Double
    init(_ floor: Double) { self.floor = floor }

    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? {
      let scores = try labels.logProbabilities()
      let sorted = try scores.doubles().sorted()
      guard !sorted.isEmpty else { return nil }
      let middle = sorted.count / 2
      let median = -(sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2)
      let weights = try (scores * (1 / max(median, 1e-6))).exp()
      let least = try weights * 0 + floor
      return try Tensor.choose(weights > least, weights, least)
    }
  }
}
