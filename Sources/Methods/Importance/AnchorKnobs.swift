internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastDatasets
internal import HoldfastModels
internal import HoldfastTraining

/// The knobs that every penalty of the form Σ importance · distance² shares.
struct AnchorKnobs: Sendable {
  enum Normalization: String, KeyChoice { case mean, none }

  let lambda: Double
  let form: QuadraticPenalty.Form
  let normalization: Normalization
  let control: Importance.Control
  let kind: ImportanceSpace.Kind

  init(_ reader: KeyReader, lambdaDoc: String = "Strength, with importance of mean 1; 1e-2 to 1e3.") {
    lambda = reader.required("lambda", in: 0.0..., doc: lambdaDoc)
    form = reader.value(
      "form", default: .gradient,
      doc: "`gradient`: the penalty's gradient joins the task's, and Adam rescales both; `decoupled`: weights move toward the start after Adam's step, ours.")
    normalization = reader.value("normalize", default: .mean, doc: "`mean`: importance is scaled to mean 1 over all parameters that have it.")
    kind = ImportanceSpace.knob(reader)
    control = reader.value(
      "control", default: .none,
      doc: "In place of the measured importance: `shuffled` within each tensor, `uniform` with equal mass, `tensor_mean`. To see whether importance matters.")
  }

  /// - Throws: `Problems` where the adapter or the form does not go with it.
  func space(_ model: ModelFacts) throws(Problems) -> ImportanceSpace {
    let space = try ImportanceSpace(model, kind)
    if space.isDense, form == .decoupled {
      throw Problems("form", ["decoupled moves weights element by element, which the product of an adapter's factors does not allow; form: gradient, or space: factor"])
    }
    return space
  }

  /// Normalized, then replaced where a control is wanted.
  func shaped(_ importance: Importance, seed: UInt64) throws -> Importance {
    var importance = importance
    if normalization == .mean { try importance.normalizeMean() }
    try importance.replace(by: control, seed: seed)
    return importance
  }
}

extension ImportanceSpace {
  static func knob(_ reader: KeyReader) -> Kind {
    reader.value(
      "space", default: .dense, doc: "Beside LoRA: importance and distance of the product s·B·A (`dense`), or of A and B (`factor`).")
  }
}

/// A method at work that anchors weights by an importance that is known when the stage begins.
final class AnchoredMethod: ActiveMethod {
  private let penalty: QuadraticPenalty?
  private let form: QuadraticPenalty.Form
  private let strength: Double
  private let kept: JSONObject

  /// `importance`: nil where the run is only planned.
  init(
    _ importance: Importance?, _ form: QuadraticPenalty.Form, strength: Double, start: PretrainedWeights, space: ImportanceSpace,
    facts: JSONObject = JSONObject()
  ) {
    penalty = importance.map { QuadraticPenalty($0, start: start, space: space) }
    self.form = form
    self.strength = strength
    kept = facts
  }

  var facts: JSONObject { kept }

  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
    try penalty!.pull(gradients, parameters, adds: form == .gradient) { _ in strength }
  }

  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
    guard form == .decoupled, strength > 0 else { return false }
    try penalty!.shrink(parameters, rate: step.learningRate) { _ in strength }
    return true
  }
}

/// The knobs of a pass over text that says what matters.
struct GeneralTextKnobs: Sendable {
  let data: PreparationData?
  private let sources: [DataSource]
  private let length: Int
  private let examples: Int
  let seed: Int

  init(_ reader: KeyReader, required: Bool = true) {
    sources = PreparationData.sources(reader, required: required)
    examples = reader.value("examples", default: 1000, in: 1..., unit: "examples", doc: "At most so many are passed over.")
    length = reader.value("length", default: 512, in: 2..., unit: "tokens", doc: "Longer examples are cut.")
    seed = reader.value("seed", default: 0, in: 0..., doc: "Which examples are drawn, and labels where these are.")
    data = sources.isEmpty ? nil : PreparationData(sources, sequenceLength: length, limit: examples, seed: UInt64(seed))
  }

  func over(_ sources: [DataSource]) -> PreparationData {
    PreparationData(sources, sequenceLength: length, limit: examples, seed: UInt64(seed))
  }
}
