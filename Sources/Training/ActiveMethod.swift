public import HoldfastBasics
public import HoldfastEngine

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
