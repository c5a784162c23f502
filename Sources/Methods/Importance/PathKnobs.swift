internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTraining

/// The knobs of importance from a path integral.
struct PathKnobs: Sendable {
  enum Mode: String, KeyChoice { case relative, absolute }

  let clamps: Bool
  let epsilon: PathImportance.Epsilon
  let source: PathRecorder.Source

  init(_ reader: KeyReader, mode: Mode, value: Double) {
    clamps = reader.value("clamp", default: true, doc: "Weights whose movement raised the loss count as unimportant, instead of negatively.")
    let kind = reader.value(
      "epsilon", default: mode, doc: "What is added to Δ²: `xi` times its mean over the tensor (`relative`), or `xi` itself (`absolute`).")
    let xi = reader.value("xi", default: value, in: Above(0.0), doc: "Size of what is added.")
    source = reader.value(
      "source", default: .probe,
      doc: "Beside LoRA in dense space, where dL/dU comes from: `probe`: the frozen weight's own gradient; `tangent`: what the factors' gradients say of it, without that cost.")
    epsilon = kind == .relative ? .relative(xi) : .absolute(xi)
  }

  /// Ω of a run that ends here, with facts for its record.
  func importance(
    _ recorder: PathRecorder, start: PretrainedWeights, end: NamedTensors, losses: [Double]
  ) throws(EngineError) -> (tensors: [String: Tensor], facts: JSONObject, warnings: [String]) {
    var warnings: [String] = []
    let found = try PathImportance.importance(
      path: recorder.path, moved: { (name: String) throws(EngineError) in try recorder.space.distance(name, end, start: start) },
      epsilon: epsilon, clamps: clamps)
    if found.still.count == found.tensors.count { throw EngineError("no weight moved, so nothing says which ones matter: more steps or a higher learning rate") }
    if !found.still.isEmpty { warnings.append("\(found.still.count) tensors never moved and count as unimportant: \(found.still.prefix(4).joined(separator: ", "))") }
    for (name, tensor) in found.tensors where try !Tensor.squaredNorm(of: [tensor]).isFinite {
      throw EngineError("the importance of \(name) holds an infinity or NaN")
    }
    let drop = (losses.first ?? 0) - (losses.last ?? 0)
    if losses.count < 2 { warnings.append("the stage had \(losses.count) step; an importance recorded over fewer than 2 says little") }
    return (
      found.tensors,
      [
        "sum_of_path_integrals": .number(found.total), "loss_drop": .number(drop), "negative_share": .number(found.negative),
        "clamp": .bool(clamps), "steps": .integer(losses.count), "still": .array(found.still.map { .string($0) }),
      ], warnings
    )
  }
}

extension PathKnobs {
  /// - Throws: `Problems` where the dense gradient could not be had.
  func recorder(_ stage: StageFacts, _ space: ImportanceSpace) throws(Problems) -> PathRecorder {
    if space.isDense, let adapter = stage.model.adapter, adapter.configuration.dropout > 0 {
      throw Problems("adapter", ["dropout is \(adapter.configuration.dropout), but the gradient of the product is exact without dropout only; dropout: 0, or space: factor"])
    }
    return PathRecorder(space, source: source, start: stage.pretrained)
  }
}

/// First and newest loss of a run, kept through a resume.
struct LossRange {
  private(set) var first: Double?
  private(set) var last: Double?
  private(set) var count = 0

  /// For a resume; nil before the first step.
  private(set) var state: Tensor?

  mutating func take(_ loss: Double?) throws(EngineError) {
    guard let loss else { return }
    first = first ?? loss
    last = loss
    count += 1
    state = try Tensor([first!, loss, Double(count)], shape: [3], dtype: .float64)
  }

  /// As many values as there were steps, of which only first and last are known.
  var values: [Double] {
    guard let first, let last else { return [] }
    return count == 1 ? [first] : [first] + Array(repeating: last, count: count - 1)
  }

  mutating func restore(_ state: Tensor?) throws(EngineError) {
    guard let values = try state?.doubles(), values.count == 3 else { return }
    (first, last, count) = (values[0], values[1], Int(values[2]))
    self.state = state
  }
}
