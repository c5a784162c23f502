public import HoldfastBasics
internal import HoldfastDatasets
public import HoldfastEngine
public import HoldfastModels

/// A way of tuning, as the user writes it in the recipe and the manifest keeps it.
///
/// A method is one file in `Methods/`, one line in its list, one test and one card in `Docs/methods/`.
public protocol TuningMethod: Sendable {
  /// The word in the recipe.
  static var name: String { get }
  /// One sentence for tables.
  static var summary: String { get }
  /// Reads the knobs; complaints stay in the reader.
  init(_ reader: KeyReader)
  /// The parts of a step that it decides: two methods that decide the same one do not stack.
  static var sets: Set<UpdatePart> { get }
  /// Whether it looks at single labels, weighing their losses or holding them against the reference's. Such methods need an objective
  /// that is a sum over labels, which dpo is not.
  static var looksAtLabels: Bool { get }
  /// Whether the model as the stage found it answers beside the one that trains: a second copy of the weights, unless an adapter trains.
  var needsReference: Bool { get }
  /// Bytes that it keeps beside weights, gradients and moments, where so many parameters train.
  func bytes(trained: Int) -> Int
  /// The same where it depends on more of the model than that, such as on the sizes of what an adapter is added to.
  func bytes(trained: Int, of model: ModelFacts) -> Int
  /// What it must know before the first step. Asked before weights are read; run and kept before `begin` is called for the
  /// run itself.
  func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation]
  /// Rows that it remembers: a microbatch of them goes through the model in every step, in turn, and its gradient is given to `project`. nil: none.
  func memory(_ recipe: Recipe) -> PreparationData?
  /// Called once a stage, before anything moves, and before that without artifacts, to check and to plan. Throws what is wrong with this method on this model, all at once.
  func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod
}

/// What a method may know and use when a stage begins.
public struct StageFacts {
  public let model: ModelFacts
  /// The recipe's seed.
  public let seed: UInt64
  /// Which stage of the recipe, from 0.
  public let stage: Int
  /// Optimizer steps of the stage.
  public let steps: Int
  /// The weights as the stage found them.
  public let pretrained: PretrainedWeights
  /// Names of the data's sources, in the order of the recipe.
  public internal(set) var sources: [String] = []
  /// What is minimised.
  public internal(set) var objective = Recipe.Objective.sft
  /// The method's own results of its preparations, by their names.
  package var artifacts: [String: Artifact] = [:]
  /// What methods recorded in the stage before, by the method's name.
  package var records: [String: Artifact] = [:]
  /// SHA-256 of the files of the weights that the stage begins with.
  public package(set) var weightHashes: [String] = []
  /// Where the arithmetic runs.
  public package(set) var device = Device.cpu
  /// Whether nothing is going to run: there are no artifacts, and no weights to read.
  /// What the recipe says of the adapter that trains.
  var adapter: AdapterRecipe?
  public package(set) var isPlan = false

  public init(model: ModelFacts, seed: UInt64, stage: Int = 0, steps: Int, pretrained: PretrainedWeights = PretrainedWeights()) {
    self.model = model
    self.seed = seed
    self.stage = stage
    self.steps = steps
    self.pretrained = pretrained
  }

  /// With what a recipe says of the whole run.
  func of(_ recipe: Recipe) -> StageFacts {
    var result = self
    (result.objective, result.sources, result.adapter) = (recipe.objective, recipe.data.map(\.label), recipe.adapter)
    return result
  }

  /// What a preparation of the method found; nil where a run is only planned or checked.
  public func artifact(_ name: String) -> Artifact? { artifacts[name] }

  /// What a method recorded in the stage before; nil in a first stage, and where a run is only planned.
  public func record(of method: String) -> Artifact? { records[method] }
}

/// The weights before the run, read when first asked for and shared by every method that needs them.
public final class PretrainedWeights {
  private let read: (String) throws -> Tensor
  private var known: [String: Tensor] = [:]

  /// `read` gives a tensor of the model by its name, on the model's device.
  public init(_ read: @escaping (String) throws -> Tensor) { self.read = read }

  /// None: for what only looks at names and shapes, as a plan does.
  public convenience init() { self.init { name in throw EngineError("there are no weights to read \(name) from") } }

  /// The tensor in f32, or in bf16 where the file has bf16.
  public func tensor(_ name: String) throws(EngineError) -> Tensor {
    if let tensor = known[name] { return tensor }
    do {
      let tensor = try read(name), dtype = try tensor.dtype
      known[name] = dtype == .float32 || dtype == .bfloat16 || dtype == .float64 ? tensor : try tensor.cast(.float32)
      return known[name]!
    } catch let error as EngineError {
      throw error
    } catch {
      throw EngineError("cannot read \(name): \(error)")
    }
  }
}

/// A model by its names and shapes.
public struct ModelFacts: Sendable, Hashable {
  public let configuration: ModelConfiguration
  /// Tied tensors stand once; those of an adapter that trains come last.
  public let parameters: [ParameterFacts]
  /// The adapter that trains in place of the model's own weights; nil where these train.
  public let adapter: AdapterFacts?

  public init(configuration: ModelConfiguration, parameters: [ParameterFacts], adapter: AdapterFacts? = nil) {
    self.configuration = configuration
    self.parameters = parameters
    self.adapter = adapter
  }

  /// `adapter`: what the recipe says of the one that trains.
  public init(_ model: Decoder, adapter: AdapterRecipe? = nil) {
    self.init(configuration: model.configuration, parameters: model.parameters.map(\.facts), adapter: model.adapters.last?.facts)
    freezesA = adapter?.freezesA ?? false
    adaptersBelow = adapter?.over ?? []
  }

  /// By names and shapes alone.
  /// - Throws: `Problems` where the adapter does not fit the model.
  package init(_ configuration: ModelConfiguration, adapter: AdapterRecipe?) throws {
    let facts = try adapter?.configuration.facts(of: configuration)
    self.init(configuration: configuration, parameters: try configuration.parameters() + (facts?.parameters ?? []), adapter: facts?.adapter)
    freezesA = adapter?.freezesA ?? false
    adaptersBelow = adapter?.over ?? []
  }

  /// Folders of adapters that act under it and stay as they are.
  public private(set) var adaptersBelow: [String] = []
  private var freezesA = false

  /// What a method may select from: all, or the adapter's tensors where there is an adapter.
  public var trainable: [ParameterFacts] {
    if adapter == nil { return parameters }
    return parameters.filter { $0.adapterPart != nil && !(freezesA && $0.adapterPart == "lora_A") }
  }

  /// SHA-256 over family, names and shapes: the same for models a plan fits.
  public var fingerprint: String {
    var hash = ContentHash()
    hash.update(configuration.family + "\n")
    for p in parameters { hash.update("\(p.name) \(p.shape)\n") }
    return hash.finish()
  }

  public var count: Int { parameters.reduce(0) { $0 + $1.count } }
}

/// An optimizer step from a method's point of view.
public struct Step: Sendable, Hashable {
  /// From 0.
  public let number: Int
  public let total: Int
  public let learningRate: Double
  /// Mean loss of the step's labels, nats; nil before it is known, that is, in `selection` and `labelWeights`.
  public package(set) var loss: Double?

  public init(number: Int, total: Int, learningRate: Double) {
    self.number = number
    self.total = total
    self.learningRate = learningRate
  }
}

/// Tensors by parameter name, in the model's order.
public struct NamedTensors {
  public private(set) var names: [String]
  private var tensors: [String: Tensor]

  public init(_ members: [(String, Tensor)]) {
    names = members.map(\.0)
    tensors = Dictionary(uniqueKeysWithValues: members)
  }

  public subscript(name: String) -> Tensor? { tensors[name] }
  /// In the order of the names.
  public var all: [Tensor] { names.map { tensors[$0]! } }
}

/// A method at work in one stage. Every question has a default that changes nothing.
public protocol ActiveMethod: AnyObject {
  /// Who trains in this step, by parameter name; nil: everybody. Asked before every step. Who is not selected is
  /// *skipped*: no gradient, no optimizer state, no decay, bits unchanged. A stack's selections intersect.
  func selection(at step: Step) -> Set<String>?
  /// Parameters that do not train but whose gradients `observe` is to see beside the others.
  var watched: Set<String> { get }
  /// Whether the selection differs between steps of a stage.
  var selectionChanges: Bool { get }
  /// Whether a parameter that is no longer selected loses its moments. Its weights stay.
  var dropsMomentsOfUnselected: Bool { get }
  /// Weights of the labels of one microbatch, f32 [labels], without gradient; nil: all 1. They scale the labels' losses and
  /// never the count that these are divided by. A stack's weights multiply. The logged loss is the weighted one.
  func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor?
  /// A pull of the model's distribution toward the reference's at the labels of one microbatch, inside the same pass over the vocabulary; nil: none.
  func divergence(_ labels: LabelScores, at step: Step) throws(EngineError) -> Divergence?
  /// Sees the task's own gradient, after the last microbatch, before penalties and clipping.
  func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError)
  /// Adds the gradient of a penalty to the task's own, in place, after `observe` and before clipping; returns
  /// the penalty's value for the log. Throwing ends the run before any weight moves.
  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double?
  /// May change the step's gradient, penalties included, in place, beside the gradient of its remembered rows; before clipping. Asked only where there
  /// are such rows. Returns a value for the log.
  func project(_ gradients: NamedTensors, memory: NamedTensors, at step: Step) throws(EngineError) -> Double?
  /// What becomes of a parameter's proposed update. Asked for every trained parameter in every step, before it moves.
  func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule
  /// Called when the weights have moved. `parameters` are the masters, which may be moved further in place; true where
  /// they were.
  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool
  /// Called once when the last step of the stage is done, before the weights are exported; moves the masters in place.
  func finish(_ parameters: NamedTensors) throws(EngineError)
  /// What the next stage, or another run, is to know of this one: asked for once, after `finish`. Kept in the run's folder as an
  /// artifact, `record/NAME`.
  func record() throws(EngineError) -> MethodRecord?
  /// What a user should hear now, each sentence once; asked for before the first step and after every one.
  func warnings() -> [String]
  /// Facts for the manifest and for a resume, which checks that they are the same again.
  var facts: JSONObject { get }
  /// Tensors that a resume needs, beside what `begin` makes anew.
  var state: [String: Tensor] { get }
  /// Takes back what `state` gave.
  func restore(_ state: [String: Tensor]) throws(EngineError)
}

/// Tensors and facts that a method leaves behind.
public struct MethodRecord {
  public let tensors: [String: Tensor]
  public let facts: JSONObject

  public init(tensors: [String: Tensor], facts: JSONObject) {
    self.tensors = tensors
    self.facts = facts
  }
}

/// What the optimizer holds for one parameter, before its step.
public struct Proposal {
  /// The gradient that the step will use, penalties included, not yet clipped.
  public let gradient: Tensor
  /// What clipping multiplies the gradient by.
  public let gradientScale: Double
  /// AdamW's mean of the gradients so far, not yet moved by this one.
  public let first: Tensor
  /// Decay of that mean.
  public let beta1: Double

  public init(gradient: Tensor, gradientScale: Double, first: Tensor, beta1: Double) {
    self.gradient = gradient
    self.gradientScale = gradientScale
    self.first = first
    self.beta1 = beta1
  }
}

extension ActiveMethod {
  public func selection(at step: Step) -> Set<String>? { nil }
  public var watched: Set<String> { [] }
  public var selectionChanges: Bool { false }
  public var dropsMomentsOfUnselected: Bool { false }
  public func labelWeights(_ labels: LabelScores, at step: Step) throws(EngineError) -> Tensor? { nil }
  public func divergence(_ labels: LabelScores, at step: Step) throws(EngineError) -> Divergence? { nil }
  public func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {}
  public func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? { nil }
  public func project(_ gradients: NamedTensors, memory: NamedTensors, at step: Step) throws(EngineError) -> Double? { nil }
  public func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule { UpdateRule() }
  public func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool { false }
  public func finish(_ parameters: NamedTensors) throws(EngineError) {}
  public func record() throws(EngineError) -> MethodRecord? { nil }
  public func warnings() -> [String] { [] }
  public var facts: JSONObject { JSONObject() }
  public var state: [String: Tensor] { [:] }
  public func restore(_ state: [String: Tensor]) throws(EngineError) {}
}

/// What only one method of a stack can say about a step.
public enum UpdatePart: String, Sendable, Hashable {
  case rowScale, columnScale, mask, reference, divergence, memory

  /// What two methods that both set it do.
  var clash: String {
    switch self {
    case .divergence: "both hold the model's answers against the reference's"
    case .memory: "both remember rows"
    default: "both decide what becomes of an update (\(rawValue))"
    }
  }
}

extension TuningMethod {
  public static var sets: Set<UpdatePart> { [] }
  public static var looksAtLabels: Bool { false }
  public func memory(_ recipe: Recipe) -> PreparationData? { nil }
  public var needsReference: Bool { false }
  public func bytes(trained: Int) -> Int { 0 }
  public func bytes(trained: Int, of model: ModelFacts) -> Int { bytes(trained: trained) }
  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] { [] }

  /// The method's name and keys, for checking and documenting recipes.
  public static var keys: MethodKeys { MethodKeys(name, doc: summary) { _ = Self($0) } }

  static func make(_ recipe: MethodRecipe) throws(Problems) -> any TuningMethod {
    try KeyReader.read(KeySource(subject: "method \(name)", object: recipe.knobs)) { Self($0) }.0
  }
}

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
