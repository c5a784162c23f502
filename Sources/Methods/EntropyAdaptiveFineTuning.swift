public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Each label weighs (H / ln K)^α, where H is the entropy of the model's K likeliest tokens there, normalised among themselves: where the model is
/// sure of something else it is not forced, where it is unsure it learns in full (EAFT, arXiv 2601.02151).
public struct EntropyAdaptiveFineTuning: TuningMethod {
  public static let name = "eaft"
  public static let summary = "Labels weigh the model's own uncertainty where they stand (entropy-adaptive fine-tuning)."
  public static let looksAtLabels = true

  public let likeliest: Int
  public let alpha: Double

  public init(_ reader: KeyReader) {
    likeliest = reader.value("likeliest", default: 20, in: 2..., unit: "tokens", doc: "How many of the likeliest tokens the entropy is taken over.")
    alpha = reader.value("alpha", default: 1, in: Above(0.0), doc: "Exponent of the entropy's share of its maximum.")
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    if likeliest > stage.model.configuration.vocabularySize {
      throw Problems(Self.name, ["likeliest is \(likeliest), but the model has \(stage.model.configuration.vocabularySize) tokens"])
    }
    return Active(self)
  }

  private final class Active: ActiveMethod {
    private let method: EntropyAdaptiveFineTuning
    init(_ method: EntropyAdaptiveFineTuning) { self.method = method }

    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? {
      let share = try labels.entropy(likeliest: method.likeliest) * (1 / log(Double(method.likeliest)))
      if method.alpha == 1 { return share }
      // 0 stays 0: its logarithm is −∞, and e to that is 0 again.
      return try (share.log() * method.alpha).exp()
    }
  }
}
