public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Labels that the model finds unlikely before training are read and not learnt: weight 1 where p ≥ 1 / threshold under the start, else 0 (STM, arXiv
/// 2501.14315, where the threshold is a perplexity of 2.5).
public struct SelectiveTokenMasking: TuningMethod {
  public static let name = "stm"
  public static let summary = "Labels that the start finds unlikely are not learnt (selective token masking)."
  public static let looksAtLabels = true

  public let perplexity: Double

  public init(_ reader: KeyReader) {
    perplexity = reader.value(
      "perplexity", default: 2.5, in: Above(1.0), doc: "The largest perplexity (1 / p) under the start at which a label is learnt: 1.5 to 10.")
  }

  public func preparations(_ facts: PreparationFacts) -> [Preparation] { [StartScores.preparation(facts.recipe)] }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let least = -log(perplexity)
    guard let scores = try StartScores.known(stage, method: Self.name) else { return Active(nil, least, JSONObject()) }
    let (kept, all) = scores.count(atLeast: least)
    if kept == 0 {
      throw Problems(Self.name, ["none of \(all) labels has a perplexity of \(perplexity) or less under the start, so nothing would be learnt; raise it"])
    }
    return Active(scores, least, ["labels": .integer(all), "learnt": .integer(kept)])
  }

  private final class Active: ActiveMethod {
    private let scores: StartScores?
    private let least: Double
    let facts: JSONObject

    init(_ scores: StartScores?, _ least: Double, _ facts: JSONObject) {
      self.scores = scores
      self.least = least
      self.facts = facts
    }

    func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? {
      guard let scores else { return nil }
      let places = labels.places
      let weights = zip(places.examples, places.tokens).map { example, token -> Float in
        Double(scores.score(example: example, token: token)) >= least ? 1 : 0
      }
      return try Tensor(weights, device: labels.device)
    }
  }
}
