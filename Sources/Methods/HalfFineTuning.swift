public import HoldfastBasics
public import HoldfastTraining
internal import HoldfastEngine
internal import HoldfastModels

/// Half Fine-Tuning: a random half of the weight matrices trains, the other half stays as the stage found it.
///
/// Source: Hui et al. 2024, "HFT: Half Fine-Tuning for Large Language Models", arXiv 2404.18466. The half is drawn once a
/// stage; frozen means skipped by the optimizer, so weight decay and old momentum move nothing.
public struct HalfFineTuning: TuningMethod {
  public static let name = "half"
  public static let summary = "A random half of the weight matrices trains, the other half stays (Half Fine-Tuning)."

  public enum Outside: String, KeyChoice { case train, freeze }
  public enum Redraw: String, KeyChoice { case stage, never }
  public enum Choice: String, KeyChoice { case random, importance, leastMoved = "least_moved" }

  public let ratio: Double
  public let strategy: HalfPlan.Strategy
  public let balance: HalfPlan.Balance
  public let embeddings: Outside
  public let head: Outside
  public let finalNorm: Outside
  public let redraw: Redraw
  /// How many disjoint subsets there are, a stage taking one after another; nil: every stage draws for itself.
  public let tasks: Int?
  public let choice: Choice
  /// The model from which `least_moved` measures.
  public let origin: String?
  /// nil: the recipe's.
  public let seed: Int?
  private let text: GeneralTextKnobs?

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
    redraw = reader.value("redraw", default: .stage, doc: "`stage`: each stage draws anew; `never`: one half for all of them, a control.")
    tasks = reader.optional(
      "tasks", in: 2..., unit: "subsets", doc: "A subset for each task in place of `ratio`: the units are dealt into so many disjoint subsets, and stages take them in turn.")
    choice = reader.value(
      "choose", default: .random,
      doc: "`random`; `importance`: units that matter least for general text train (weights times the size of their inputs; norms are drawn); `least_moved`: those that are nearest to `origin`.")
    origin = reader.optional("origin", otherwise: "with `stages`, the model that the first one begins with", doc: "For `choose: least_moved`, a model folder: the weights before the first of several runs.")
    text = reader.optionalSection("text") { GeneralTextKnobs($0) }
    seed = reader.optional("seed", in: 0..., otherwise: "the recipe's seed", doc: "Which half is drawn.")
    guard !reader.isDocumenting else { return }
    if tasks != nil {
      if reader.has("ratio") { reader.complain("tasks", "says how large a subset is, and so does ratio; keep one") }
      if redraw == .never { reader.complain("tasks", "are for stages that differ, but redraw is never") }
      if choice != .random || balance == .bytes { reader.complain("tasks", "are dealt out at random and by count") }
    }
    if choice == .importance, text == nil { reader.complain("text", "is required by `choose: importance`: general text, as {data: general.jsonl}") }
    if choice != .importance, text != nil { reader.complain("text", "is read with `choose: importance` only") }
    if choice != .leastMoved, origin != nil { reader.complain("origin", "is read with `choose: least_moved` only") }
  }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] {
    text?.data.map { [ColumnScores.preparation($0, over: facts.model)] } ?? []
  }

  /// What units are chosen by, lower first; nil where it is not known yet, since the run is only planned.
  private func scores(_ units: [HalfPlan.Unit], _ stage: StageFacts) throws -> [String: Double]? {
    switch choice {
    case .random: return [:]
    case .importance:
      guard let artifact = stage.artifact(ColumnScores.name) else { return nil }
      var scores: [String: Double] = [:]
      for unit in units {
        let matrices = unit.tensors.filter { artifact.shape(of: $0) != nil }
        guard !matrices.isEmpty else { continue }
        scores[unit.name] = try matrices.reduce(0) { try $0 + artifact.tensor($1).sum().item() } / Double(unit.count)
      }
      return scores
    case .leastMoved:
      if stage.isPlan { return nil }
      // In the first stage nothing has moved: all distances are 0, and the draw is random.
      let source = try FileWeights(folder: origin ?? stage.origin!)
      var scores: [String: Double] = [:]
      for unit in units {
        var moved = 0.0, size = 0.0
        for name in unit.tensors {
          let before = try source.tensor(name).cast(.float32), now = try stage.pretrained.tensor(name).cast(.float32).to(.cpu)
          moved += try Tensor.squaredNorm(of: [now - before])
          size += try Tensor.squaredNorm(of: [before])
        }
        scores[unit.name] = size > 0 ? (moved / size).squareRoot() : 0
      }
      return scores
    }
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
    if choice == .leastMoved, origin == nil, stage.origin == nil {
      problems.add("choose: least_moved measures from `origin`, the model before the first run; only with `stages` that begin with a model's weights may it be left out")
    }
    let units = try HalfPlan.units(of: model)
    let sizes = (0..<model.configuration.layerCount).map { layer in units.count { $0.layer == layer } }
    for (layer, size) in sizes.enumerated() where size != sizes[0] {
      problems.add("layer \(layer) has \(size) units, layer 0 has \(sizes[0]): layers must be alike")
    }
    try problems.check()
    let scores: [String: Double]?
    do {
      scores = try self.scores(units, stage)
    } catch { throw Problems("half", ["\(error)"]) }
    let seed = self.seed.map(UInt64.init) ?? stage.seed, number = redraw == .never ? 0 : stage.stage
    let chosen =
      if let tasks {
        HalfPlan.part(
          units: units, layerCount: model.configuration.layerCount, fingerprint: model.fingerprint, count: tasks, strategy: strategy, seed: seed,
          stage: number)
      } else {
        HalfPlan.draw(
          units: units, layerCount: model.configuration.layerCount, fingerprint: model.fingerprint, ratio: ratio, strategy: strategy,
          balance: balance, seed: seed, stage: number, scores: scores ?? [:])
      }
    return Active(self, chosen, stage, isKnown: scores != nil)
  }

  private final class Active: ActiveMethod {
    let selected: Set<String>
    let facts: JSONObject
    /// A plan that stands in for one that is not known yet.
    let selectionChanges: Bool

    init(_ method: HalfFineTuning, _ chosen: [HalfPlan.Unit], _ stage: StageFacts, isKnown: Bool) {
      selectionChanges = !isKnown
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
        "balance": .string(method.balance.rawValue), "choose": .string(method.choice.rawValue), "tasks": method.tasks.map { .integer($0) } ?? .null,
        "updated": .array(chosen.map { .string($0.name) }),
        "trained": .integer(trained), "total": .integer(stage.model.count),
      ]
    }

    func selection(at step: Step) -> Set<String>? { selected }
  }
}
