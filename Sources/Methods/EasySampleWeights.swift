public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Each example weighs exp(−ℓ / τ), where ℓ is its mean loss before training and τ the median of all examples' (FLOW, arXiv 2502.02797): what the
/// model finds easy is learnt, what it finds hard hardly.
public struct EasySampleWeights: TuningMethod {
  public static let name = "flow"
  public static let summary = "Examples that the start finds hard weigh less (FLOW)."
  public static let looksAtLabels = true

  public let temperature: Double?

  public init(_ reader: KeyReader) {
    temperature = reader.optional(
      "temperature", in: Above(0.0), otherwise: "the median of the examples' losses under the start", unit: "nats a label",
      doc: "The loss at which an example weighs 1 / e.")
  }

  public func preparations(_ facts: PreparationFacts) -> [Preparation] { [StartScores.preparation(facts.recipe)] }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    guard let scores = try StartScores.known(stage, method: Self.name) else { return Active([], JSONObject()) }
    let losses = (0..<scores.exampleCount).map { scores.loss(of: $0) }
    let sorted = losses.compactMap(\.self).sorted()
    guard !sorted.isEmpty else { throw Problems(Self.name, ["no example has a label"]) }
    let median = sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    let scale = temperature ?? max(median, 1e-6)
    return Active(losses.map { Float(exp(-($0 ?? 0) / scale)) }, ["temperature": .number(scale)])
  }

  private final class Active: ActiveMethod {
    private let weights: [Float]
    let facts: JSONObject

    init(_ weights: [Float], _ facts: JSONObject) {
      self.weights = weights
      self.facts = facts
    }

    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? {
      if weights.isEmpty { return nil }
      return try Tensor(labels.places.examples.map { weights[$0] }, device: labels.device)
    }
  }
}
