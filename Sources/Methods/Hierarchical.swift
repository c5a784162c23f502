public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Pulls weights back to where the stage began, by the importance that an earlier stage on general text recorded, element
/// by element, times a coefficient for each layer: R = λ · L · Σ_l α_l · Σ_{i in l} Ω_i (θ_i − θ*_i)².
///
/// Source: Song et al. 2025, arXiv 2501.13669 (both versions). α is a softmax of the layers' ‖Ω_l‖₂ there, which collapses to
/// one layer; `sum` is the default here. Ω has mean 1 after α is taken, so that λ means the same everywhere. L, the number
/// of layers, undoes that α sums to 1.
public struct Hierarchical: TuningMethod {
  public static let name = "hierarchical"
  public static let summary = "Pulls weights to their start by importance recorded on general text, element by element and layer by layer."

  enum Group: String, KeyChoice { case module, block }
  enum Reference: String, KeyChoice { case nuEnd = "nu_end", base }

  let lambda: AutoNumber
  let lambdaScale: Double
  let autoSteps: Int
  let layerWeight: LayerWeight
  let tau: MeanOrNumber
  let group: Group
  let scalesByLayers: Bool
  let refreshEvery: Int
  let reference: Reference
  let form: QuadraticPenalty.Form
  let normalization: AnchorKnobs.Normalization
  let control: Importance.Control
  let space: ImportanceSpace.Kind
  let importance: String?

  public init(_ reader: KeyReader) {
    lambda = reader.value(
      "lambda", default: AutoNumber(number: nil),
      doc: "Strength, with importance of mean 1. `auto`: after `auto_steps` steps without it, the value at which the penalty would be a tenth of the loss.")
    lambdaScale = reader.value("lambda_scale", default: 1.0, in: 0.0..., doc: "Factor on lambda, for sweeps around `auto`.")
    autoSteps = reader.value("auto_steps", default: 100, in: 1..., unit: "steps", doc: "How long `auto` watches.")
    layerWeight = reader.value(
      "layer_weight", default: .sum,
      doc: "Coefficient of a layer out of the norms of importance: `sum`: its share; `softmax_raw`: as published, which collapses to one layer; `softmax_temp`: softmax of norm / tau; `softmax_z`: of standardised norms; `uniform`.")
    tau = reader.value("tau", default: MeanOrNumber(number: nil), doc: "Temperature of `softmax_temp`; `mean`: the mean of the norms.")
    group = reader.value("group", default: .module, doc: "What a layer is: each `module` (weight and bias), or each `block` of the decoder.")
    scalesByLayers = reader.value("scale_by_layers", default: true, doc: "Times the number of layers, so that uniform coefficients give the unweighted penalty.")
    refreshEvery = reader.value(
      "refresh_every", default: 0, in: 0..., unit: "steps", doc: "Coefficients are taken anew of importance times squared distance; 0: never. Experimental.")
    reference = reader.value(
      "reference", default: .nuEnd, doc: "What the stage must begin with: `nu_end`: the weights that the recorded stage ended with; `base`: those that it began with.")
    form = reader.value("form", default: .gradient, doc: "`gradient`: joins the task's gradient; `decoupled`: after Adam's step, ours.")
    normalization = reader.value("normalize", default: .mean, doc: "`mean`: importance is scaled to mean 1.")
    control = reader.value("control", default: .none, doc: "In place of the measured importance, as in `ewc`: `shuffled`, `uniform`, `tensor_mean`.")
    space = ImportanceSpace.knob(reader)
    importance = Recorded.knob(reader, of: PathIntegral.name)
  }

  /// Importance and start.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 4 * ImportanceSpace.elements(model, space, trained: trained) + 4 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try ImportanceSpace(stage.model, space)
    if space.isDense, form == .decoupled {
      throw Problems(Self.name, ["form: decoupled moves weights element by element, which the product of an adapter's factors does not allow; form: gradient, or space: factor"])
    }
    let artifact: Artifact?
    do { artifact = try Recorded.artifact(importance, of: PathIntegral.name, stage) } catch { throw Problems(Self.name, ["\(error)"]) }
    guard let artifact else {
      if stage.isPlan { return HierarchicalPenalty(self, planned: stage) }
      throw Problems(Self.name, [
        "no importance is recorded: train on general text with `method: path_integral` first, as an earlier stage or as a run that `importance:` names"
      ])
    }
    var problems = Problems(Self.name)
    let recorded = artifact.facts["adapter"]?.object, own = stage.model.adapter.map { PathRecording.facts(of: $0.configuration) }
    if let recorded, let own, let key = own.keys.first(where: { recorded[$0] != own[$0] }) {
      problems.add("the importance was recorded beside an adapter whose \(key) is \(recorded[key]?.text() ?? "unknown"), now it is \(own[key]!.text())")
    } else if artifact.facts["fingerprint"] != nil, (recorded == nil) != (own == nil) {
      problems.add("the importance was recorded \(recorded == nil ? "without" : "beside") an adapter, and this run trains \(own == nil ? "none" : "one")")
    } else if let fingerprint = artifact.facts["fingerprint"]?.string, fingerprint != stage.model.fingerprint {
      problems.add("\(artifact.path) was recorded for a model of other names or shapes")
    }
    let wanted = artifact.about[reference == .nuEnd ? "ends" : "starts"]?.array?.compactMap(\.string) ?? []
    if !stage.weightHashes.isEmpty, wanted.isEmpty || Array(stage.weightHashes.suffix(wanted.count)) != wanted {
      problems.add(
        reference == .nuEnd
          ? "reference: nu_end, but the model is not what the recorded stage ended with; name its final/ as the model, or as adapter.lora.from where it trained an adapter, or reference: base with what it began with (\(artifact.about["model"]?.string ?? "?"))"
          : "reference: base, but the model is not what the recorded stage began with (\(artifact.about["model"]?.string ?? "?"))")
    }
    if lambda.number == nil, !stage.isPlan, stage.steps <= autoSteps {
      problems.add("lambda: auto watches \(autoSteps) steps, but the run has \(stage.steps); give a number or fewer auto_steps")
    }
    try problems.check()
    do { return try HierarchicalPenalty(self, stage, space, recorded: artifact) } catch { throw Problems(Self.name, ["\(error)"]) }
  }
}
