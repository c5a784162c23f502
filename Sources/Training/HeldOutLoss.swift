internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastRecords

/// The loss on held-out rows, together and by source.
struct HeldOutLoss {
  /// Name, files and losses of each source.
  fileprivate(set) var sources: [(name: String, path: String, moments: Moments)]

  /// Over all labels.
  var mean: Double { all.mean }
  private var all: Moments { sources.reduce(Moments()) { $0 + $1.moments } }

  /// The loss on all labels, by the name it is asked for.
  func record(_ name: String, unit: String, step: Int?) -> ScoreRecord {
    ScoreRecord(
      name: name, value: all.mean, standardError: all.standardError, count: all.count, unit: unit, what: sources.map(\.path).joined(separator: ", "), step: step)
  }

  func records(unit: String, step: Int?) -> [ScoreRecord] {
    func record(_ name: String, _ moments: Moments, _ what: String) -> ScoreRecord {
      ScoreRecord(
        name: name, value: moments.mean, standardError: moments.standardError, count: moments.count, unit: unit, what: what, step: step)
    }
    let together = record("held_out.loss", all, sources.map(\.path).joined(separator: ", "))
    // Several sources are told apart: a new domain beside what the model could do before.
    return sources.count > 1 ? [together] + sources.map { record("held_out.\($0.name).loss", $0.moments, $0.path) } : [together]
  }
}

extension PreparedRun {
  /// nil where the recipe holds nothing out.
  func heldOutLoss(of model: Decoder, objective: any Objective) throws -> HeldOutLoss? {
    try heldOut.map { try loss(of: model, on: $0, objective: objective, rows: recipe.evaluate?.rows) }
  }

  /// The loss on what a plan lays out.
  /// - Parameter rows: at most so many packed rows; nil: all.
  func loss(of model: Decoder, on plan: DataPlan, objective: any Objective, rows limit: Int? = nil) throws -> HeldOutLoss {
    var result = HeldOutLoss(sources: plan.dataset.sources.map { ($0.name, $0.path, Moments()) }), rows = 0
    try Torch.withoutGradients {
      for number in 0..<plan.stepsPerEpoch(0) {
        for microbatch in plan.step(number).microbatches {
          if let limit, rows >= limit { return }
          rows += microbatch.rows
          guard microbatch.units > 0 else { continue }
          let forward = try model.forward(Batch(microbatch, device: model.device))
          for (source, score) in zip(objective.sources(microbatch), try objective.scores(model, forward, microbatch)) {
            result.sources[source].moments.add(score)
          }
        }
      }
    }
    return result
  }

  /// Nats a label of the model in a folder on what the recipe holds out, as the run measures it between its steps. Of pairs
  /// (dpo) nothing is measured: their loss is relative to the model a run began with.
  public func heldOutLosses(of folder: String) throws -> [ScoreRecord] {
    let model = try ModelFolder(folder).load(dtype: recipe.precision.dtype)
    let objective = LabelObjective()
    return try heldOutLoss(of: model, objective: objective)?.records(unit: objective.scoreUnit, step: nil) ?? []
  }

  /// The same of whoever can tell how likely the tokens of a text are, such as an ensemble.
  ///
  /// - Parameter logProbabilities: in nats, of texts with the place of the first token that is asked for: a value for each token from there on.
  public func heldOutLosses(by logProbabilities: ([(ids: [Int], from: Int)]) throws -> [[Double]]) throws -> [ScoreRecord] {
    guard let plan = heldOut else { return [] }
    var result = HeldOutLoss(sources: plan.dataset.sources.map { ($0.name, $0.path, Moments()) }), rows = 0
    for microbatch in (0..<plan.stepsPerEpoch(0)).flatMap({ plan.step($0).microbatches }) {
      if let limit = recipe.evaluate?.rows, rows >= limit { break }
      rows += microbatch.rows
      var texts: [(ids: [Int], from: Int)] = [], asked: [(source: Int, places: [Int])] = []
      for segment in microbatch.segments {
        let start = segment.row * microbatch.length + segment.start, places = start..<(start + segment.length)
        let labelled = places.filter { microbatch.labels[$0] != ignoreIndex }
        guard let first = labelled.first, let last = labelled.last else { continue }
        // A label is the token behind its place; the last one is no token of the row.
        texts.append((Array(microbatch.ids[start...last]) + [microbatch.labels[last]], first - start + 1))
        asked.append((segment.source, labelled.map { $0 - first }))
      }
      for (values, asked) in zip(try logProbabilities(texts), asked) {
        for place in asked.places { result.sources[asked.source].moments.add(-values[place]) }
      }
    }
    return result.records(unit: LabelObjective().scoreUnit, step: nil)
  }
}

/// A mean and how sure it is.
struct Moments {
  private var sum = 0.0
  private var squares = 0.0
  private(set) var count = 0

  mutating func add(_ value: Double) {
    sum += value
    squares += value * value
    count += 1
  }

  static func + (a: Moments, b: Moments) -> Moments {
    var result = a
    result.sum += b.sum
    result.squares += b.squares
    result.count += b.count
    return result
  }

  var mean: Double { sum / Double(max(1, count)) }
  var standardError: Double { (max(0, squares / Double(max(1, count)) - mean * mean) / Double(max(1, count))).squareRoot() }
}
