public import HoldfastBasics
public import HoldfastTraining
internal import HoldfastModels

/// Half Fine-Tuning: a random half of the weight matrices trains, the other half stays as the stage found it.
///
/// Source: Hui et al. 2024, "HFT: Half Fine-Tuning for Large Language Models", arXiv 2404.18466. The half is drawn once a
/// stage; frozen means skipped by the optimizer, so weight decay and old momentum move nothing.
public struct HalfFineTuning: TuningMethod {
  public static let name = "half"
  public static let summary = "A random half of the weight matrices trains, the other half stays (Half Fine-Tuning)."

  public enum Outside: String, KeyChoice { case train, freeze }

  public let ratio: Double
  public let strategy: HalfPlan.Strategy
  public let balance: HalfPlan.Balance
  public let embeddings: Outside
  public let head: Outside
  public let finalNorm: Outside
  /// nil: the recipe's.
  public let seed: Int?

  public init(_ reader: KeyReader) {
    ratio = reader.value("ratio", default: 0.5, in: 0...1, unit: "share of the units", doc: "How many weight matrices train.")
    strategy = reader.value(
      "strategy", default: .category,
      doc: "`category`: the ratio holds in attention, MLP and norms of every layer; `layer`: whole layers; `model`: any units.")
    balance = reader.value(
      "balance", default: .count, doc: "`bytes`: only choices whose share of the parameters is nearest to the ratio (matters for grouped heads).")
    embeddings = reader.value("embeddings", default: .train, doc: "The token embedding.")
    head = reader.value("head", default: .train, doc: "The output head, where it is not tied to the embedding.")
    finalNorm = reader.value("final_norm", default: .train, doc: "The norm in front of the head.")
    seed = reader.optional("seed", in: 0..., otherwise: "the recipe's seed", doc: "Which half is drawn.")
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let model = stage.model
    var problems = Problems("half")
    if let adapter = model.adapter {
      problems.add("it chooses among the model's own weights, which stay as they are beside the adapter \(adapter.configuration.kind.rawValue): take one or the other")
      try problems.check()
    }
    if model.configuration.tiesHead, embeddings != head {
      problems.add("embeddings and head are one shared tensor in this model, so both must say \(embeddings.rawValue) or both \(head.rawValue)")
    }
    let units = try HalfPlan.units(of: model)
    let sizes = (0..<model.configuration.layerCount).map { layer in units.count { $0.layer == layer } }
    for (layer, size) in sizes.enumerated() where size != sizes[0] {
      problems.add("layer \(layer) has \(size) units, layer 0 has \(sizes[0]): layers must be alike")
    }
    try problems.check()
    let chosen = HalfPlan.draw(
      units: units, layerCount: model.configuration.layerCount, fingerprint: model.fingerprint, ratio: ratio, strategy: strategy,
      balance: balance, seed: seed.map(UInt64.init) ?? stage.seed, stage: stage.stage)
    return Active(self, chosen, stage)
  }

  private final class Active: ActiveMethod {
    let selected: Set<String>
    let facts: JSONObject

    init(_ method: HalfFineTuning, _ chosen: [HalfPlan.Unit], _ stage: StageFacts) {
      var selected = Set(chosen.flatMap(\.tensors))
      for parameter in stage.model.parameters where parameter.layer == nil {
        let rule =
          switch parameter.module {
          case "model.embed_tokens": method.embeddings
          case "lm_head": method.head
          default: method.finalNorm
          }
        if rule == .train { selected.insert(parameter.name) }
      }
      self.selected = selected
      let trained = stage.model.parameters.reduce(0) { $0 + (selected.contains($1.name) ? $1.count : 0) }
      facts = [
        "format": 1, "fingerprint": .string(stage.model.fingerprint), "seed": .integer(method.seed ?? Int(stage.seed)),
        "stage": .integer(stage.stage), "ratio": .number(method.ratio), "strategy": .string(method.strategy.rawValue),
        "balance": .string(method.balance.rawValue), "updated": .array(chosen.map { .string($0.name) }),
        "trained": .integer(trained), "total": .integer(stage.model.count),
      ]
    }

    func selection(at step: Step) -> Set<String>? { selected }
  }
}
