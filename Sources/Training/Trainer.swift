internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastRecords

/// How a run ended.
public struct RunResult: Sendable {
  public enum End: String, Sendable { case finished, stoppedEarly = "stopped early", interrupted }

  public let end: End
  public let folder: RunFolder
  /// Steps that are done.
  public let steps: Int
}

/// Trains: one loop for every method, objective and precision.
///
/// The same recipe, data, machine, libtorch and number of threads give the same bytes in weights, optimizer state and
/// metrics.jsonl, through any number of kills and resumes.
public final class Trainer {
  private let run: PreparedRun
  private let folder: RunFolder
  private let surroundings: Surroundings
  private let observer: any RunObserver
  private let model: Decoder
  private let source: any WeightSource
  private let stack: MethodStack
  private let candidates: [String]
  private let objective: any Objective
  private let reference: ReferenceModel
  private let optimizer: AdamW
  private let checkpoints: CheckpointStore
  private var trained: [Parameter] = []
  /// Parameters that methods watch though they do not train.
  private var watched: [Parameter] = []
  private var state = RunState()
  private var began = 0.0
  private var tokensSeen = 0

  // MARK: - Doors

  /// Trains from the beginning into a folder that must be new or empty.
  public static func start(_ run: PreparedRun, in path: String, surroundings: Surroundings, observer: any RunObserver) throws -> RunResult {
    // Everything that can be wrong is found before the folder exists.
    var loaded = try Loaded(run, surroundings)
    let folder = try RunFolder.create(path)
    try loaded.manifest.write(to: folder.manifest)
    guard try loaded.prepare(in: artifactFolder(run, path), surroundings, observer) else {
      return RunResult(end: .interrupted, folder: folder, steps: 0)
    }
    try loaded.manifest.write(to: folder.manifest)
    return try Trainer(loaded, folder, surroundings, observer).train()
  }

  /// Goes on where a run's newest whole checkpoint stands; from the beginning where there is none.
  public static func resume(
    _ run: PreparedRun, in path: String, allowOtherBits: Bool = false, surroundings: Surroundings, observer: any RunObserver
  ) throws -> RunResult {
    let folder = RunFolder(path)
    var loaded = try Loaded(run, surroundings)
    let before = try Manifest(file: folder.manifest)
    let differences = loaded.manifest.differences(
      from: before, ignoring: Manifest.places.union(run.stage.number > 0 ? ["model"] : []))
    if !differences.run.isEmpty { throw Problems("\(path) cannot be resumed", differences.run) }
    if !differences.bits.isEmpty, !allowOtherBits {
      throw Problems(
        "\(path) would not go on bit for bit", differences.bits + ["--allow-other-bits resumes all the same, with other last bits"])
    }
    guard try loaded.prepare(in: artifactFolder(run, path), surroundings, observer) else {
      return RunResult(end: .interrupted, folder: folder, steps: try CheckpointStore(folder: folder.checkpoints, keep: 1).newest().checkpoint?.step ?? 0)
    }
    if !run.preparations.isEmpty {
      // A run that was killed while it prepared has not said yet what it found.
      if let known = before.facts["preparations"], known != loaded.manifest.facts["preparations"], !allowOtherBits {
        throw Problems("\(path) would not go on bit for bit", [
          "its preparations gave \(known.text(.spaced)), now \((loaded.manifest.facts["preparations"] ?? .null).text(.spaced))",
          "--allow-other-bits resumes all the same, with other last bits",
        ])
      }
      try loaded.manifest.write(to: folder.manifest)
    }
    let trainer = try Trainer(loaded, folder, surroundings, observer)
    try trainer.restore()
    return try trainer.train()
  }

  /// One step of everything, saving and exporting included, in a folder that is removed again.
  public static func dryRun(_ run: PreparedRun, in path: String, surroundings: Surroundings, observer: any RunObserver) throws {
    var loaded = try Loaded(run, surroundings)
    let folder = try RunFolder.create(path)
    defer { try? Files.remove(path) }
    guard try loaded.prepare(in: path + "/artifacts", mostMicrobatches: 2, surroundings, observer) else { return }
    let trainer = try Trainer(loaded, folder, surroundings, observer)
    try trainer.train(upTo: 1, exporting: true)
  }

  /// What is made of a prepared run before its folder is touched.
  private struct Loaded {
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
      source = try run.weights()
      model = try Decoder(
        run.folder.configuration, weights: source, subject: recipe.model, dtype: recipe.precision.dtype, device: device)
      model.recomputesBlocks = recipe.recompute == .block
      if let weights = source as? AdaptedWeights { try run.attach(to: model, weights: weights.adapter) }
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

  /// Beside the run, where its neighbours find what it prepared; or where the recipe says.
  private static func artifactFolder(_ run: PreparedRun, _ path: String) -> String {
    run.recipe.artifacts ?? Files.folder(of: path) + "/artifacts"
  }

  private init(_ loaded: Loaded, _ folder: RunFolder, _ surroundings: Surroundings, _ observer: any RunObserver) throws {
    run = loaded.run
    self.folder = folder
    self.surroundings = surroundings
    self.observer = observer
    model = loaded.model
    source = loaded.source
    stack = loaded.stack
    candidates = loaded.candidates
    objective = loaded.objective
    reference = loaded.reference
    optimizer = AdamW(loaded.run.recipe.optimizer)
    checkpoints = CheckpointStore(folder: folder.checkpoints, keep: loaded.run.recipe.checkpoint.keep)
    manifest = loaded.manifest
  }

  private let manifest: Manifest

  // MARK: - The loop

  @discardableResult
  private func train(upTo limit: Int? = nil, exporting: Bool = true) throws -> RunResult {
    let total = run.steps, recipe = run.recipe
    let metrics = try FileWriter(appendingTo: folder.metrics, at: state.metricsBytes)
    let timing = try FileWriter(appendingTo: folder.timing, at: Files.exists(folder.timing) ? Files.size(folder.timing) : 0)
    began = surroundings.now()
    _ = try observer.observe(.began(manifest, steps: total, from: state.step))
    try passOnWarnings()
    var end: RunResult.End = isOutOfPatience ? .stoppedEarly : .finished
    var savedStep = state.step == 0 ? -1 : state.step
    while end == .finished, state.step < min(total, limit ?? total) {
      let step = Step(number: state.step, total: total, learningRate: recipe.schedule.rate(step: state.step, of: total))
      let record = try take(step)
      state.step += 1
      state.metricsBytes += try write(record.line, to: metrics)
      let time = timingRecord()
      _ = try write(time.line, to: timing)
      let answer = try observer.observe(.step(record, time, of: total))
      var isSaveDue = state.step % recipe.checkpoint.every == 0 || state.step == total || limit != nil
      if isEvaluationDue(after: step) || limit != nil && recipe.evaluate != nil {
        let (scores, isBest) = try evaluate()
        for (number, score) in scores.enumerated() {
          state.metricsBytes += try write(score.line, to: metrics)
          _ = try observer.observe(.evaluated(score, isBest: isBest && number == 0))
        }
        if recipe.earlyStopping != nil, isBest { isSaveDue = true }
        if isOutOfPatience, state.step < total { end = .stoppedEarly }
      }
      if case .stop = answer { end = .interrupted }
      if case .save = answer { isSaveDue = true }
      if end != .finished { isSaveDue = true }
      if isSaveDue, savedStep != state.step {
        try metrics.sync()
        try save()
        savedStep = state.step
      }
    }
    if end == .stoppedEarly {
      _ = try observer.observe(.stoppedEarly(step: state.step, best: state.stopping.bestStep, evaluations: state.stopping.waited))
    }
    if end != .interrupted, exporting {
      let best = try takeBest()
      try finish()
      try export(step: best)
      try record()
    }
    return RunResult(end: end, folder: folder, steps: state.step)
  }

  /// One optimizer step. Nothing moves when anything is wrong.
  private func take(_ step: Step) throws -> StepRecord {
    let data = run.data.step(step.number)
    try select(at: step)
    // THE denominator: counted on the host over all microbatches, before anything runs.
    let units = data.microbatches.reduce(0) { $0 + objective.units($1) }
    var gradients = Gradients()
    var sum = 0.0, terms: [(name: String, value: Double)] = []
    for (index, microbatch) in data.microbatches.enumerated() {
      guard objective.units(microbatch) > 0 else { continue }
      let batch = try Batch(microbatch, device: model.device)
      let forward = try model.forward(batch, adapters: run.adapterUse(step: step.number, microbatch: index))
      let loss = try objective.loss(
        model, forward, microbatch, stack.headTerms(model, forward, microbatch, reference, at: step))
      try (loss.total * (1 / Double(units))).backward()
      try gradients.fold(trained + watched)
      sum += loss.value
      for (name, value) in loss.terms {
        let share = value / Double(units)
        if let at = terms.firstIndex(where: { $0.name == name }) { terms[at].value += share } else { terms.append((name, share)) }
      }
      tokensSeen += microbatch.segments.reduce(0) { $0 + $1.length }
    }
    var step = step
    step.loss = sum / Double(max(1, units))
    let named = try gradients.named(trained)
    let masters = NamedTensors(try trained.map { ($0.name, try slot($0).master) })
    let seen = watched.isEmpty ? named : try gradients.named(trained + watched)
    for method in stack.methods { try method.observe(seen, masters, at: step) }
    for (name, method) in zip(stack.names, stack.methods) {
      if let value = try method.pull(named, masters, at: step) { terms.append((name, value)) }
    }
    if let (name, plan) = run.memory, let method = zip(stack.names, stack.methods).first(where: { $0.0 == name })?.1 {
      if let value = try method.project(named, memory: remembered(plan, at: step), at: step) { terms.append((name, value)) }
    }
    let norm = try Tensor.squaredNorm(of: named.all).squareRoot()
    guard sum.isFinite, norm.isFinite, terms.allSatisfy(\.value.isFinite) else { throw try nonFinite(step, sum, norm, named, data) }
    var scale = 1.0
    if let limit = run.recipe.optimizer.maxNorm { scale = min(1, limit / (norm + 1e-6)) }
    for parameter in trained {
      let slot = try slot(parameter), gradient = named[parameter.name]!
      let proposal = Proposal(
        gradient: gradient, gradientScale: scale, first: try slot.moments().first, beta1: run.recipe.optimizer.beta1)
      try optimizer.step(
        slot, gradient: gradient, rate: step.learningRate * (run.recipe.adapter?.rateFactor(parameter.name) ?? 1), gradientScale: scale,
        rule: stack.updateRule(for: parameter.name, at: step, proposal))
    }
    if try stack.afterStep(masters, at: step) { try optimizer.refreshImages() }
    try passOnWarnings()
    return StepRecord(
      step: step.number, loss: sum / Double(max(1, units)), units: units, gradientNorm: norm, learningRate: step.learningRate,
      epoch: data.epoch, firstRow: data.firstRow, terms: terms, sources: uses(data))
  }

  /// The gradient of the next remembered rows: the mean over their labels.
  private func remembered(_ plan: DataPlan, at step: Step) throws -> NamedTensors {
    let batch = plan.step(step.number).microbatches[0]
    var gradients = Gradients()
    let forward = try model.forward(Batch(batch, device: model.device))
    let loss = try LabelObjective().loss(model, forward, batch, HeadTerms())
    try (loss.total * (1 / Double(max(1, batch.units)))).backward()
    try gradients.fold(trained)
    return try gradients.named(trained)
  }

  private func uses(_ data: StepData) -> [SourceUse] {
    zip(run.data.dataset.sources, data.sources).map {
      SourceUse(name: $0.name, examples: $1.examples, tokens: $1.tokens, trainedTokens: $1.trainedTokens)
    }
  }

  /// Asks for gradients of exactly the parameters that train in this step.
  private func select(at step: Step) throws {
    let names = Set(stack.selection(of: candidates, at: step))
    if trained.count == names.count, trained.allSatisfy({ names.contains($0.name) }) { return }
    let extra = stack.watched.subtracting(names)
    for parameter in model.parameters { try parameter.value.setRequiresGradient(names.contains(parameter.name) || extra.contains(parameter.name)) }
    watched = model.parameters.filter { extra.contains($0.name) }
    trained = model.parameters.filter { names.contains($0.name) }
    guard stack.dropsMomentsOfUnselected else { return }
    for (name, slot) in optimizer.slots where !names.contains(name) { slot.dropMoments() }
  }

  private func slot(_ parameter: Parameter) throws -> AdamW.Slot {
    try optimizer.slot(for: parameter) { try source.start(of: parameter.facts) }
  }

  private func nonFinite(_ step: Step, _ sum: Double, _ norm: Double, _ gradients: NamedTensors, _ data: StepData) throws -> NonFiniteError {
    var wrong: [String] = []
    for name in gradients.names where try !Tensor.squaredNorm(of: [gradients[name]!]).isFinite { wrong.append(name) }
    var examples: [String] = []
    for segment in data.microbatches.flatMap(\.segments) {
      let place = run.data.dataset.location(of: segment.example)
      if examples.last != place { examples.append(place) }
    }
    return NonFiniteError(step: step.number, loss: sum, gradientNorm: norm, parameters: wrong, examples: examples)
  }

  // MARK: - Held-out loss

  private var isOutOfPatience: Bool { run.recipe.earlyStopping.map { state.stopping.waited >= $0.patience } ?? false }

  /// The step whose weights had the lowest held-out loss, where early stopping watches it.
  private var bestStep: Int? { run.recipe.earlyStopping != nil && state.stopping.bestStep > 0 ? state.stopping.bestStep : nil }

  /// Puts the weights of the lowest held-out loss into the model, where early stopping watches it; the step they are of.
  private func takeBest() throws -> Int {
    guard let best = bestStep, best != state.step else { return state.step }
    let checkpoint = try checkpoints.checkpoint(step: best)
    _ = try Torch.withoutGradients { try read(checkpoint) }
    return best
  }

  private func isEvaluationDue(after step: Step) -> Bool {
    guard let evaluate = run.recipe.evaluate else { return false }
    if step.number + 1 == run.steps { return true }
    if let every = evaluate.every { return (step.number + 1) % every == 0 }
    // The last step of an epoch: the sum of the epochs so far is the number of the next step.
    var first = 0, epoch = 0
    while first <= step.number {
      first += run.data.stepsPerEpoch(epoch)
      epoch += 1
    }
    return first == step.number + 1
  }

  /// Nats a label on the held-out rows.
  private func evaluate() throws -> (scores: [ScoreRecord], isBest: Bool) {
    guard let measured = try run.heldOutLoss(of: model, objective: objective) else { preconditionFailure("nothing is held out") }
    let isBest = state.stopping.take(
      measured.mean, step: state.step, minimumImprovement: run.recipe.earlyStopping?.minimumImprovement ?? 0)
    return (measured.records(unit: objective.scoreUnit, step: state.step), isBest)
  }

  // MARK: - Saving

  private func save() throws {
    let checkpoint = try checkpoints.save(step: state.step, keepingBest: bestStep) { folder in
      try state.write(to: folder, optimizer: optimizer, order: model.parameters, stack: stack)
    }
    _ = try observer.observe(.saved(path: checkpoint.path, step: checkpoint.step))
  }

  private func restore() throws {
    guard let checkpoint = try checkpoints.newest().checkpoint else { return }
    state = try read(checkpoint)
  }

  private func read(_ checkpoint: CheckpointStore.Checkpoint) throws -> RunState {
    try RunState(
      from: checkpoint.path, model: model, optimizer: optimizer, stack: stack, start: { try self.source.start(of: $0.facts) })
  }

  /// Lets the methods say the last word on the weights: averages, resets. Nothing of it is in a checkpoint.
  private func finish() throws {
    let masters = NamedTensors(model.parameters.compactMap { p in optimizer.slots[p.name].map { (p.name, $0.master) } })
    try Torch.withoutGradients {
      for method in stack.methods { try method.finish(masters) }
      try optimizer.refreshImages()
    }
  }

  private func passOnWarnings() throws {
    for (name, text) in stack.warnings() { _ = try observer.observe(.warned(method: name, text: text)) }
  }

  /// What methods leave for a next stage, with the weights it is about.
  private func record() throws {
    let ends = try IntegrityManifest(in: folder.final).files.filter { $0.path.hasSuffix(".safetensors") }.map(\.sha256)
    for (name, method) in zip(stack.names, stack.methods) {
      guard let record = try method.record() else { continue }
      try Files.makeFolder(folder.record)
      try Artifact.write(
        to: folder.record + "/" + name, tensors: record.tensors, facts: record.facts,
        about: [
          "format": 1, "method": .string(name), "model": .string(run.recipe.model), "starts": .array(run.weightHashes(manifest.model).map { .string($0) }),
          "ends": .array(ends.map { .string($0) }),
        ], replacing: true)
    }
  }

  /// The result as a model folder, or as PEFT's files of the adapter, read back and compared with the trained weights on the first rows of the data.
  private func export(step: Int) throws {
    let moved = optimizer.slots.mapValues(\.master), back: Decoder
    let writer = Export(folder: run.folder, tokenizerFiles: run.tokenizerFiles)
    if let adapter = model.adapters.last {
      try AdapterExport(recipe: run.recipe, steps: run.steps)
        .write(adapter, masters: moved, source: source, model: model.configuration, to: folder.final)
      back = try Decoder(model.configuration, weights: source, subject: run.recipe.model, dtype: model.dtype, device: model.device)
      try run.attach(to: back, weights: AdapterFolder(folder.final).weights)
    } else if run.recipe.export == .delta, let base = source as? FileWeights {
      try writer.writeDelta(to: folder.final, moved: moved, base: base)
      back = try Decoder(
        model.configuration, weights: DeltaWeights(folder: folder.final, base: base), subject: folder.final, dtype: model.dtype, device: model.device)
    } else {
      try writer.write(to: folder.final, parameters: model.parameters.map(\.facts), moved: moved, source: source)
      back = try ModelFolder(folder.final).load(dtype: model.dtype, device: model.device)
    }
    let difference = try Torch.withoutGradients {
      guard let microbatch = run.data.step(0).microbatches.first else { return 0.0 }
      let batch = try Batch(microbatch, device: model.device)
      let places = try Tensor(Array(0..<min(64, batch.rows * batch.length)), device: model.device)
      let ours = try model.logits(model.forward(batch).hidden.selecting(places, axis: 0))
      let theirs = try back.logits(back.forward(batch).hidden.selecting(places, axis: 0))
      return try ours.largestDifference(to: theirs)
    }
    _ = try observer.observe(.exported(path: folder.final, step: step, largestDifference: difference))
  }

  private func timingRecord() -> TimingRecord {
    let seconds = surroundings.now() - began
    return TimingRecord(
      step: state.step - 1, seconds: seconds, tokensPerSecond: Double(tokensSeen) / max(seconds, 1e-9), peakBytes: surroundings.peakBytes())
  }

  private func write(_ line: String, to file: borrowing FileWriter) throws -> Int {
    try file.write(line)
    return line.utf8.count
  }
}
