public import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// EWC over a sequence with one importance and one reference: R = λ/2 · Σ F̃_i (θ_i − θ*_i)², F̃ ← γ · F̃ + F.
///
/// Source: Schwarz et al. 2018, "Progress & Compress", arXiv 1805.06370. At the beginning of each stage F is taken of the
/// data of the stage before, or in the first stage of `data`, with the weights as they are there; θ* is where the stage
/// begins. γ acts once a stage; one published code applies it again in the loss.
public struct OnlineEWC: TuningMethod {
  public static let name = "online_ewc"
  public static let summary = "EWC over a sequence of stages: one Fisher information that fades, taken of each earlier stage's data."

  private let anchor: AnchorKnobs
  private let fisher: FisherPass.Kind
  private let gamma: Double
  private let text: GeneralTextKnobs

  public init(_ reader: KeyReader) {
    anchor = AnchorKnobs(reader)
    fisher = reader.value("fisher", default: .empirical, doc: "As in `ewc`.")
    gamma = reader.value("gamma", default: 1.0, in: 0.0...1.0, unit: "a stage", doc: "How much of the older importance stays.")
    text = GeneralTextKnobs(reader, required: false)
  }

  /// The Fisher and the start.
  public func bytes(trained: Int, of model: ModelFacts) -> Int { 4 * ImportanceSpace.elements(model, anchor.kind, trained: trained) + 4 * trained }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] {
    let space = try anchor.space(facts.model)
    let data = facts.earlierData.isEmpty ? text.data : text.over(facts.earlierData)
    return data.map { [FisherPass.preparation(fisher, over: facts, space, $0, seed: text.seed)] } ?? []
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let space = try anchor.space(stage.model)
    do {
      guard let artifact = stage.artifact("fisher") else { return Active(self, stage, space, nil, nil) }
      let fresh = try Importance(artifact, model: stage.model)
      var sum = fresh.tensors
      if let before = stage.record(of: Self.name) {
        for (name, old) in try Importance(before, model: stage.model).tensors {
          let faded = try old * gamma
          sum[name] = try sum[name].map { try $0 + faded } ?? faded
        }
      }
      let copy = try sum.mapValues { try $0.copy() }
      return Active(self, stage, space, sum, try anchor.shaped(Importance(copy), seed: stage.seed))
    } catch { throw Problems("online_ewc", ["\(error)"]) }
  }

  private final class Active: ActiveMethod {
    private let anchored: AnchoredMethod?
    private let sum: [String: Tensor]?
    private var waiting: [String] = []

    init(_ method: OnlineEWC, _ stage: StageFacts, _ space: ImportanceSpace, _ sum: [String: Tensor]?, _ shaped: Importance?) {
      self.sum = sum
      let strength = method.fisher == .asCoded ? method.anchor.lambda : method.anchor.lambda / 2
      anchored = shaped.map { AnchoredMethod($0, method.anchor.form, strength: strength, start: stage.pretrained, space: space) }
      if shaped == nil, !stage.isPlan { waiting.append("no data is named and no stage came before, so nothing holds the weights of this one") }
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      try anchored?.pull(gradients, parameters, at: step)
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      try anchored?.afterStep(parameters, at: step) ?? false
    }

    /// F̃ as it stands, which the next stage lets fade.
    func record() -> MethodRecord? { sum.map { MethodRecord(tensors: $0, facts: JSONObject()) } }

    func warnings() -> [String] {
      defer { waiting = [] }
      return waiting
    }
  }
}
