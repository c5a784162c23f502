public import HoldfastBasics
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
  /// Called once a stage, before anything moves. Throws what is wrong with this method on this model, all at once.
  func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod
}

/// What a method may know before anything runs.
public struct StageFacts: Sendable {
  public let model: ModelFacts
  /// The recipe's seed.
  public let seed: UInt64
  /// Which stage of the recipe, from 0.
  public let stage: Int
  public let steps: Int

  public init(model: ModelFacts, seed: UInt64, stage: Int = 0, steps: Int) {
    self.model = model
    self.seed = seed
    self.stage = stage
    self.steps = steps
  }
}

/// A model by its names and shapes.
public struct ModelFacts: Sendable, Hashable {
  public let configuration: ModelConfiguration
  /// Tied tensors stand once.
  public let parameters: [ParameterFacts]

  public init(configuration: ModelConfiguration, parameters: [ParameterFacts]) {
    self.configuration = configuration
    self.parameters = parameters
  }

  public init(_ model: Decoder) {
    self.init(configuration: model.configuration, parameters: model.parameters.map(\.facts))
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
  /// Adds the gradient of a penalty to the task's own, in place, after the last microbatch and before clipping; returns
  /// the penalty's value for the log. Throwing ends the run before any weight moves.
  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double?
  /// What becomes of a parameter's proposed update. Asked for every trained parameter in every step.
  func updateRule(for parameter: String, at step: Step) -> UpdateRule
  /// Called when the weights have moved. `parameters` are the masters.
  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError)
  /// Facts for the manifest and for a resume, which checks that they are the same again.
  var facts: JSONObject { get }
}

extension ActiveMethod {
  public func selection(at step: Step) -> Set<String>? { nil }
  public func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? { nil }
  public func updateRule(for parameter: String, at step: Step) -> UpdateRule { UpdateRule() }
  public func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) {}
  public var facts: JSONObject { JSONObject() }
}

extension TuningMethod {
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

  /// Methods of a recipe, begun. `catalog`: all that there are.
  init(_ recipes: [MethodRecipe], catalog: [any TuningMethod.Type], stage: StageFacts) throws(Problems) {
    var methods: [any ActiveMethod] = [], problems = Problems("method")
    for recipe in recipes {
      guard let type = catalog.first(where: { $0.name == recipe.name }) else {
        let near = nearestName(to: recipe.name, among: catalog.map { $0.name }).map { "; did you mean \($0)?" } ?? ""
        problems.add("there is no method \(recipe.name)\(near)")
        continue
      }
      do throws(Problems) {
        methods.append(try type.make(recipe).begin(stage))
      } catch {
        for complaint in error.complaints { problems.add("\(recipe.name): \(complaint)") }
      }
    }
    try problems.check()
    self.methods = methods
    names = recipes.map(\.name)
    if selection(of: stage.model.parameters.map(\.name), at: Step(number: 0, total: stage.steps, learningRate: 0)).isEmpty {
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

  /// One rule out of all; methods that both want the same part of it cannot stand beside each other, which `begin` refuses.
  func updateRule(for parameter: String, at step: Step) -> UpdateRule {
    var result = UpdateRule()
    for method in methods {
      let rule = method.updateRule(for: parameter, at: step)
      result.rowScale = rule.rowScale ?? result.rowScale
      result.columnScale = rule.columnScale ?? result.columnScale
      result.mask = rule.mask ?? result.mask
      if rule.reference != nil { (result.reference, result.pull) = (rule.reference, rule.pull) }
    }
    return result
  }

  var facts: JSONObject {
    var result = JSONObject()
    for (name, method) in zip(names, methods) where !method.facts.isEmpty { result[name] = .object(method.facts) }
    return result
  }
}
