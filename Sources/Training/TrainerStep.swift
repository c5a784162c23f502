internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// One optimizer step.
extension Trainer {
  /// One optimizer step. Nothing moves when anything is wrong.
  func take(_ step: Step) throws -> StepRecord {
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
  func remembered(_ plan: DataPlan, at step: Step) throws -> NamedTensors {
    let batch = plan.step(step.number).microbatches[0]
    var gradients = Gradients()
    let forward = try model.forward(Batch(batch, device: model.device))
    let loss = try LabelObjective().loss(model, forward, batch, HeadTerms())
    try (loss.total * (1 / Double(max(1, batch.units)))).backward()
    try gradients.fold(trained)
    return try gradients.named(trained)
  }

  func uses(_ data: StepData) -> [SourceUse] {
    zip(run.data.dataset.sources, data.sources).map {
      SourceUse(name: $0.name, examples: $1.examples, tokens: $1.tokens, trainedTokens: $1.trainedTokens)
    }
  }

  /// Asks for gradients of exactly the parameters that train in this step.
  func select(at step: Step) throws {
    let names = Set(stack.selection(of: candidates, at: step))
    if trained.count == names.count, trained.allSatisfy({ names.contains($0.name) }) { return }
    let extra = stack.watched.subtracting(names)
    for parameter in model.parameters { try parameter.value.setRequiresGradient(names.contains(parameter.name) || extra.contains(parameter.name)) }
    watched = model.parameters.filter { extra.contains($0.name) }
    trained = model.parameters.filter { names.contains($0.name) }
    guard stack.dropsMomentsOfUnselected else { return }
    for (name, slot) in optimizer.slots where !names.contains(name) { slot.dropMoments() }
  }

  func slot(_ parameter: Parameter) throws -> AdamW.Slot {
    try optimizer.slot(for: parameter) { try source.start(of: parameter.facts) }
  }

  func nonFinite(_ step: Step, _ sum: Double, _ norm: Double, _ gradients: NamedTensors, _ data: StepData) throws -> NonFiniteError {
    var wrong: [String] = []
    for name in gradients.names where try !Tensor.squaredNorm(of: [gradients[name]!]).isFinite { wrong.append(name) }
    var examples: [String] = []
    for segment in data.microbatches.flatMap(\.segments) {
      let place = run.data.dataset.location(of: segment.example)
      if examples.last != place { examples.append(place) }
    }
    return NonFiniteError(step: step.number, loss: sum, gradientNorm: norm, parameters: wrong, examples: examples)
  }
}
