internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
package import HoldfastTraining

/// Knobs of the importance pass and of the mask that follows from it, shared by the methods that damp updates by unit importance.
struct SoftMaskKnobs: Sendable {
  /// Where 1 − I acts.
  enum Application: String, KeyChoice { case update, gradient, none }

  let application: Application
  let grouping: UnitImportance.Grouping
  let pass: DropoutKL
  let norm: UnitImportance.Norm
  let batches: Int
  let seed: Int
  let isShuffled: Bool
  /// Importance sets; empty: the recipe's own data is the only one.
  private let sources: [DataSource]

  init(_ reader: KeyReader) {
    application = reader.value(
      "apply", default: .update,
      doc: "`update`: the optimizer's update of a unit's row is scaled by 1 − importance, decay included; `gradient`: its gradient is, as published, which AdamW divides away; `none`: no importance is measured.")
    grouping = reader.value("gqa", default: .max, doc: "What key and value rows take from the query heads that share them.")
    let application = application
    (pass, norm, batches, seed, isShuffled, sources) = reader.section("importance") { reader in
      let pass = DropoutKL(
        dropout: reader.value("dropout", default: 0.003, in: Above(0.0, below: 1), unit: "share", doc: "Noise behind attention's probabilities and behind down, in this pass only."),
        positions: reader.value("positions", default: .nonpad, doc: "Whose predictions are compared: `all` with padding, as published, `nonpad`, or `answer`: those that have a label."),
        accumulation: reader.value(
          "accumulate", default: .abs, doc: "`abs`: absolute value of each example's sum; `abs_batch`: of each microbatch's; `signed`: no absolute value, as published."))
      return (
        pass, reader.value("norm", default: UnitImportance.Norm.tanhZ, doc: "`tanh_z`: distance from the layer's mean; `rank`; `minmax`."),
        reader.value("batches", default: 300, in: 1..., unit: "microbatches", doc: "Length of the pass over each set, at most."),
        reader.value("seed", default: 0, in: 0..., doc: "Of the noise and of which examples are seen."),
        reader.value("shuffle", default: false, doc: "Deals the values out to other units of the same layer: a control."),
        PreparationData.sources(reader, required: false)
      )
    }
    if application == .none, isShuffled { reader.complain("importance.shuffle", "says nothing with `apply: none`") }
  }

  /// One pass for each set.
  func preparations(_ facts: PreparationFacts) -> [Preparation] {
    guard application != .none else { return [] }
    let recipe = facts.recipe, sets = sources.isEmpty ? [recipe.data] : sources.map { [$0] }
    let rows = recipe.batch.rows, pass = pass, configuration = facts.model.configuration
    let units = configuration.layerCount * (configuration.headCount + configuration.intermediateSize + configuration.hiddenSize)
    return sets.enumerated().map { index, data in
      Preparation(
        name: "importance-\(index)",
        settings: [
          "dropout": .number(pass.dropout), "positions": .string(pass.positions.rawValue), "accumulate": .string(pass.accumulation.rawValue),
          "noise": .integer(seed),
        ],
        data: PreparationData(
          data, sequenceLength: recipe.sequenceLength, packing: recipe.packing ? .bestFit : .none, rows: rows, limit: batches * rows,
          seed: UInt64(seed)),
        forwardPasses: 2, backwardPasses: 2, bytes: 4 * units
      ) { work in
        var sums = try DropoutKL.zeros(configuration, device: work.model.device)
        guard work.count > 0 else { throw Problems("importance", ["the data gives no microbatch"]) }
        try work.fold(into: &sums) { host, number, sums in
          guard !host.segments.isEmpty else { throw Problems("importance", ["microbatch \(number) holds padding only"]) }
          try pass.add(host, work.batch(host), work.model, seed: CounterGenerator.seed(work.seed, number), to: &sums)
        }
        return sums
      }
    }
  }

  /// What the passes found, normalised, merged by maximum, and dealt out anew where that is wanted; nil where nothing was measured.
  func importance(_ stage: StageFacts) throws -> UnitImportance? {
    guard application != .none, let first = stage.artifact("importance-0") else { return nil }
    var sets: [UnitImportance] = [], artifact: Artifact? = first, index = 0
    while let one = artifact {
      var values: [UnitImportance.Kind: [[Float]]] = [:]
      for kind in UnitImportance.Kind.allCases {
        values[kind] = try (0..<stage.model.configuration.layerCount).map { layer in
          UnitImportance.normalized(try one.tensor("\(kind.rawValue).\(layer)").floats(), norm)
        }
      }
      sets.append(try UnitImportance(values, model: stage.model))
      index += 1
      artifact = stage.artifact("importance-\(index)")
    }
    let merged = try UnitImportance.merged(sets, model: stage.model)
    return isShuffled ? merged.shuffled(seed: UInt64(seed)) : merged
  }

  /// What the user must hear.
  var warnings: [String] {
    guard application == .gradient else { return [] }
    return [
      "apply: gradient has almost no effect under AdamW, which divides a constant factor of a gradient away; `apply: update` masks what the optimizer does"
    ]
  }
}

/// Methods that mask rows or columns of the model's own weights have nothing to mask where these stay.
func refuseAdapter(_ stage: StageFacts, name: String) throws(Problems) {
  guard let adapter = stage.model.adapter else { return }
  throw Problems(name, ["it acts on the model's own weights, which stay as they are beside the adapter \(adapter.configuration.kind.rawValue): take one or the other"])
}

/// A method at work that damps the updates of units by their importance.
final class SoftMasked: ActiveMethod {
  private let selected: Set<String>?
  private let application: SoftMaskKnobs.Application
  /// 1 − I for each row, by parameter.
  private let scales: [String: [Float]]
  private var onDevice: [String: Tensor] = [:]
  let facts: JSONObject
  private var waiting: [String]

  /// `importance`: nil where nothing is masked, or where the run is only planned.
  init(
    _ importance: UnitImportance?, _ application: SoftMaskKnobs.Application, selected: Set<String>?, kinds: Set<UnitImportance.Kind>,
    grouping: UnitImportance.Grouping, model: ModelFacts, facts: JSONObject = JSONObject(), warnings: [String] = []
  ) {
    self.selected = selected
    self.application = application
    self.facts = facts
    waiting = warnings
    var scales: [String: [Float]] = [:]
    if let importance {
      for parameter in model.parameters where selected?.contains(parameter.name) ?? true {
        scales[parameter.name] = importance.updateScale(of: parameter, model: model, kinds: kinds, grouping: grouping)
      }
    }
    self.scales = scales
  }

  convenience init(_ knobs: SoftMaskKnobs, selected: Set<String>?, kinds: Set<UnitImportance.Kind>, stage: StageFacts) throws(Problems) {
    var facts = JSONObject(), importance: UnitImportance?
    do {
      importance = try knobs.importance(stage)
      if let importance {
        facts["importance"] = stage.artifact("importance-0").map { .string($0.sha256) }
        for kind in kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
          let all = importance.values[kind]?.flatMap { $0 } ?? []
          facts["mean_\(kind.rawValue)"] = .number(Double(all.reduce(0, +)) / Double(max(1, all.count)))
        }
      }
    } catch let problems as Problems {
      throw problems
    } catch { throw Problems("importance", ["\(error)"]) }
    self.init(
      importance, knobs.application, selected: selected, kinds: kinds, grouping: knobs.grouping, model: stage.model, facts: facts,
      warnings: knobs.warnings)
  }

  func selection(at step: Step) -> Set<String>? { selected }

  func warnings() -> [String] {
    defer { waiting = [] }
    return waiting
  }

  private func scale(_ parameter: String, _ device: Device) throws(EngineError) -> Tensor? {
    if let known = onDevice[parameter] { return known }
    guard let values = scales[parameter] else { return nil }
    let tensor = try Tensor(values, device: device)
    onDevice[parameter] = tensor
    return tensor
  }

  /// As published: after the task's gradient is whole, before clipping.
  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
    guard application == .gradient else { return nil }
    for (name, gradient) in zip(gradients.names, gradients.all) {
      guard let rows = try scale(name, gradient.device) else { continue }
      let shape = try gradient.shape
      try gradient.assign(gradient * rows.cast(gradient.dtype).reshaped([shape[0]] + shape.dropFirst().map { _ in 1 }))
    }
    return nil
  }

  func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule {
    guard application == .update else { return UpdateRule() }
    return UpdateRule(rowScale: try scale(parameter, proposal.first.device))
  }
}

extension CounterGenerator {
  /// A seed for one of many uses.
  fileprivate static func seed(_ seed: UInt64, _ number: Int) -> UInt64 {
    var generator = CounterGenerator(seed: seed, "microbatch", number)
    return generator.next()
  }
}

/// The mask of a known importance on updates, for tests.
package func softMask(
  _ importance: UnitImportance, selected: Set<String>?, kinds: Set<UnitImportance.Kind>, grouping: UnitImportance.Grouping = .max, model: ModelFacts
) -> any ActiveMethod {
  SoftMasked(importance, .update, selected: selected, kinds: kinds, grouping: grouping, model: model)
}
