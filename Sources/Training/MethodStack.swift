internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels

/// Several methods at once.
struct MethodStack {
  let methods: [any ActiveMethod]
  let names: [String]

  /// Methods of a recipe, begun, and what the stage's adapter does of itself. `catalog`: all that there are; `artifacts`: results of preparations, by method.
  init(
    _ recipes: [MethodRecipe], catalog: [any TuningMethod.Type], stage: StageFacts, artifacts: [String: [String: Artifact]] = [:]
  ) throws(Problems) {
    var methods: [any ActiveMethod] = [], problems = Problems("method")
    var setters: [UpdatePart: String] = [:]
    for recipe in recipes {
      guard let type = catalog.first(where: { $0.name == recipe.name }) else {
        let near = nearestName(to: recipe.name, among: catalog.map { $0.name }).map { "; did you mean \($0)?" } ?? ""
        problems.add("there is no method \(recipe.name)\(near)")
        continue
      }
      for part in type.sets.sorted(by: { $0.rawValue < $1.rawValue }) {
        if let other = setters[part] {
          problems.add("\(other) and \(type.name) \(part.clash), so they do not stack")
          break
        }
        setters[part] = type.name
      }
      if type.looksAtLabels, stage.objective == .dpo {
        problems.add("\(type.name) looks at single labels, but the objective dpo compares whole answers; it stacks with sft and pretraining")
      }
      do throws(Problems) {
        var own = stage
        own.artifacts = artifacts[type.name] ?? [:]
        methods.append(try type.make(recipe).begin(own))
      } catch {
        for complaint in error.complaints { problems.add("\(recipe.name): \(complaint)") }
      }
    }
    var names = recipes.map(\.name)
    // A plan may not know how long the run is, so it cannot judge a schedule.
    if let budget = stage.adapter?.budget, let facts = stage.model.adapter, !stage.isPlan {
      do throws(Problems) {
        methods.append(try AdaptiveRanks(facts, budget, steps: stage.steps))
        names.append(AdaptiveRanks.name)
      } catch {
        for complaint in error.complaints { problems.add("\(AdaptiveRanks.name): \(complaint)") }
      }
    }
    try problems.check()
    self.methods = methods
    self.names = names
    if selection(of: stage.model.trainable.map(\.name), at: Step(number: 0, total: stage.steps, learningRate: 0)).isEmpty {
      throw Problems("method", ["together, \(names.joined(separator: " and ")) leave nothing to train"])
    }
  }

  /// Names that train, in the model's order.
  func selection(of names: [String], at step: Step) -> [String] {
    var selected: Set<String>?
    for method in methods {
      guard let chosen = method.selection(at: step) else { continue }
      selected = selected?.intersection(chosen) ?? chosen
    }
    return selected.map { chosen in names.filter(chosen.contains) } ?? names
  }

  /// Names that train in some step; all that one method or another may select where selections change.
  func everSelected(of names: [String], steps: Int) -> Set<String> {
    var selected = Set(names)
    for method in methods where !method.selectionChanges {
      if let chosen = method.selection(at: Step(number: 0, total: steps, learningRate: 0)) { selected.formIntersection(chosen) }
    }
    return selected
  }

  var dropsMomentsOfUnselected: Bool { methods.contains { $0.dropsMomentsOfUnselected } }

  /// What all methods ask of the head together: the product of all weights of labels, those of the data included, and a divergence.
  func headTerms(
    _ model: Decoder, _ forward: Forward, _ host: HostBatch, _ reference: ReferenceModel, at step: Step
  ) throws(EngineError) -> HeadTerms {
    let labels = LabelScores(model, forward, host, reference)
    var terms = HeadTerms(weights: try labelWeights(labels, forward, at: step))
    for (name, method) in zip(names, methods) {
      guard let term = try method.divergence(labels, at: step) else { continue }
      terms.divergence = (name, term, try labels.referenceAnswers())
    }
    return terms
  }

  private func labelWeights(_ labels: LabelScores, _ forward: Forward, at step: Step) throws(EngineError) -> Tensor? {
    var product = forward.batch.weights
    for method in methods {
      guard let weights = try method.labelWeights(labels, at: step) else { continue }
      product = try product.map { (p: Tensor) throws(EngineError) in try p * weights } ?? weights
    }
    return product
  }

  /// One rule out of all; methods that both want the same part of it were refused at the beginning.
  func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule {
    var result = UpdateRule()
    for method in methods {
      let rule = try method.updateRule(for: parameter, at: step, proposal)
      result.rowScale = rule.rowScale ?? result.rowScale
      result.columnScale = rule.columnScale ?? result.columnScale
      result.mask = rule.mask ?? result.mask
      if rule.reference != nil { (result.reference, result.pull) = (rule.reference, rule.pull) }
    }
    return result
  }

  /// True where a method moved weights after the step.
  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
    var moved = false
    for method in methods where try method.afterStep(parameters, at: step) { moved = true }
    return moved
  }

  var watched: Set<String> { methods.reduce(into: []) { $0.formUnion($1.watched) } }

  func warnings() -> [(method: String, text: String)] {
    zip(names, methods).flatMap { name, method in method.warnings().map { (name, $0) } }
  }

  /// Tensors for a resume, each behind the name of its method.
  var state: [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, method) in zip(names, methods) {
      for (key, tensor) in method.state { result["\(name).\(key)"] = tensor }
    }
    return result
  }

  func restore(_ state: [String: Tensor]) throws(EngineError) {
    for (name, method) in zip(names, methods) {
      var own: [String: Tensor] = [:]
      for (key, tensor) in state where key.hasPrefix(name + ".") { own[String(key.dropFirst(name.count + 1))] = tensor }
      try method.restore(own)
    }
  }

  var facts: JSONObject {
    var result = JSONObject()
    for (name, method) in zip(names, methods) where !method.facts.isEmpty { result[name] = .object(method.facts) }
    return result
  }
}
