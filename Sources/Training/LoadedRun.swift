internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// What is made of a prepared run before its folder is touched.
struct LoadedRun {
  let run: PreparedRun
  let source: any WeightSource
  let model: Decoder
  private(set) var stack: MethodStack
  private(set) var manifest: Manifest
  /// Names that may train, in the model's order.
  let candidates: [String]
  private let stage: StageFacts
  private(set) var objective: any Objective = LabelObjective()
  let reference: ReferenceModel

  init(_ run: PreparedRun, _ surroundings: Surroundings) throws {
    self.run = run
    let recipe = run.recipe
    guard let device = Device(recipe.device.rawValue), try device.isAvailable else {
      throw EngineError("the device \(recipe.device.rawValue) is not available to this libtorch; `holdfast doctor` tells more")
    }
    let threads = recipe.threads ?? surroundings.cores
    try Torch.setThreads(threads)
    try Torch.setDeterministic(true)
    source = try recipe.weights(in: run.folder)
    model = try Decoder(
      run.folder.configuration, weights: source, subject: recipe.model, dtype: recipe.precision.dtype, device: device)
    model.recomputesBlocks = recipe.recompute == .block
    if let weights = source as? AdaptedWeights { try recipe.attach(to: model, weights: weights.adapter) }
    let facts = ModelFacts(model, adapter: recipe.adapter)
    reference = ReferenceModel(beside: model) { [source] in
      try Decoder(run.folder.configuration, weights: source, subject: recipe.model, dtype: recipe.precision.dtype, device: device)
    }
    var stage = StageFacts(
        model: facts, seed: recipe.seed, stage: run.stage.number, steps: run.steps,
        pretrained: PretrainedWeights { [source, device] name in
          guard let parameter = facts.parameters.first(where: { $0.name == name }) else { throw EngineError("the model has no \(name)") }
          return try source.start(of: parameter).to(device)
        })
    stage = stage.of(recipe)
    if let earlier = run.stage.earlier { stage.records = try Self.records(of: earlier, device) }
    stage.device = device
    stage.templateTokens = run.templateTokens
    stage.origin = run.stage.origin
    let models = try run.modelFacts()
    stage.weightHashes = run.weightHashes(models)
    self.stage = stage
    // Preparations come later, so what can be wrong without them is wrong now.
    var unprepared = stage
    unprepared.isPlan = !run.preparations.isEmpty
    stack = try MethodStack(recipe.methods, catalog: run.methods, stage: unprepared)
    candidates = facts.trainable.map(\.name)
    let names = Set(stack.selection(of: candidates, at: Step(number: 0, total: run.steps, learningRate: 0)))
    var kept = stack.facts
    kept["data"] = .array(run.data.dataset.sources.map(\.json))
    manifest = Manifest(
      recipe: recipe.resolved, data: run.dataFacts(), model: models, code: surroundings.code,
      libtorch: try Torch.version, device: device.description,
      processor: device.kind == .cpu ? surroundings.processor : try device.name, threads: threads,
      seeds: [("recipe", Int(recipe.seed))], trained: Self.counts(facts, trained: names), facts: kept)
  }

  /// Runs or finds what the methods must know, and begins them with it. false where the observer stopped it.
  mutating func prepare(
    in folder: String, mostMicrobatches: Int? = nil, _ surroundings: Surroundings, _ observer: any RunObserver
  ) throws -> Bool {
    if run.preparations.isEmpty { return true }
    let store = ArtifactStore(folder: folder, surroundings: surroundings, observer: observer)
    var artifacts: [String: [String: Artifact]] = [:], facts: [JSON] = []
    for prepared in run.preparations {
      let artifact: Artifact
      do {
        artifact = try store.artifact(prepared, mostMicrobatches: mostMicrobatches, model: model, recipe: run.recipe, manifest: manifest)
      } catch is PreparationInterrupted { return false }
      artifacts[prepared.method, default: [:]][prepared.preparation.name] = artifact
      facts.append([
        "method": .string(prepared.method), "name": .string(prepared.preparation.name), "artifact": .string(Files.name(of: artifact.path)),
        "sha256": .string(artifact.sha256), "facts": .object(artifact.facts),
      ])
    }
    stack = try MethodStack(run.recipe.methods, catalog: run.methods, stage: stage, artifacts: artifacts)
    if let known = artifacts["dpo"] {
      objective = PreferenceObjective(
        recipe: run.recipe.preference, reference: try known["reference"]!.tensor("log_probabilities").doubles(),
        heldOutReference: try known["held_out_reference"]?.tensor("log_probabilities").doubles() ?? [])
    }
    let others = manifest.facts
    manifest.facts = stack.facts
    manifest.facts["data"] = others["data"]
    manifest.facts["preparations"] = .array(facts)
    return true
  }

  /// What methods recorded in an earlier run.
  private static func records(of run: String, _ device: Device) throws -> [String: Artifact] {
    let folder = RunFolder(run).record
    guard Files.exists(folder) else { return [:] }
    let names = try Files.list(folder).filter { !$0.hasSuffix(".partial") }
    return Dictionary(uniqueKeysWithValues: try names.map { ($0, try Artifact(folder + "/" + $0, device: device)) })
  }

  private static func counts(_ facts: ModelFacts, trained: Set<String>) -> [TrainedCount] {
    var order: [String] = [], sums: [String: (trained: Int, total: Int)] = [:]
    for p in facts.parameters {
      let part = p.layer.map { "layer \($0)" } ?? p.module
      if sums[part] == nil { order.append(part) }
      sums[part, default: (0, 0)].total += p.count
      if trained.contains(p.name) { sums[part]!.trained += p.count }
    }
    return order.map { TrainedCount(part: $0, trained: sums[$0]!.trained, total: sums[$0]!.total) }
  }
}
