public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// + λ · T² · Σ over labels of KL(start at T ‖ model at T), on the inputs of the new task (Li and Hoiem 2016, arXiv 1606.09282).
///
/// The paper keeps an old head's answers to new images; a language model has one head, so its answers at the labels' places are kept.
public struct LearningWithoutForgetting: TuningMethod {
  public static let name = "lwf"
  public static let summary = "Softened answers of the start to the new task's inputs are kept (learning without forgetting)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  public let lambda: Double
  public let temperature: Double

  public init(_ reader: KeyReader) {
    lambda = reader.value("lambda", default: 1, in: Above(0.0), doc: "Strength, beside a nat of cross entropy.")
    temperature = reader.value("temperature", default: 2, in: Above(0.0), doc: "Logits of both models are divided by it.")
  }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) -> any ActiveMethod {
    DivergenceFromStart(DivergenceKind(.forward, temperature: temperature), lambda)
  }
}
