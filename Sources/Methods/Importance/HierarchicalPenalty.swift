internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTraining

/// The penalty of `hierarchical` at work.
final class HierarchicalPenalty: ActiveMethod {
  private let method: Hierarchical
  private let penalty: QuadraticPenalty
  /// The layer of each parameter.
  private let groups: [String: Int]
  private let groupCount: Int
  private var alpha: [Double] = []
  /// nil until `auto` has found it.
  private var lambda: Double?
  private var kept = JSONObject()
  private var waiting: [String] = []
  private var stateTensors: [String: Tensor] = [:]

  init(_ method: Hierarchical, _ stage: StageFacts, _ space: ImportanceSpace, recorded artifact: Artifact) throws {
    self.method = method
    var importance = try Importance(artifact, model: stage.model)
    if importance.names.isEmpty { throw EngineError("\(artifact.path) holds importance for no parameter of this model") }
    var order: [String] = [], groups: [String: Int] = [:], squares: [Double] = []
    for parameter in stage.model.parameters {
      guard let tensor = importance[parameter.name] else { continue }
      let key = method.group == .block ? parameter.layer.map { "\($0)" } ?? parameter.module : "\(parameter.layer ?? -1) \(parameter.module)"
      if !order.contains(key) {
        order.append(key)
        squares.append(0)
      }
      let at = order.firstIndex(of: key)!
      groups[parameter.name] = at
      squares[at] += try Tensor.squaredNorm(of: [tensor])
    }
    self.groups = groups
    groupCount = order.count
    // Norms before Ω is scaled: the published softmax is of these.
    let norms = squares.map { $0.squareRoot() }
    if norms.allSatisfy({ $0 == 0 }) { throw EngineError("the recorded importance is 0 everywhere") }
    if method.normalization == .mean { try importance.normalizeMean() }
    try importance.replace(by: method.control, seed: stage.seed)
    penalty = QuadraticPenalty(importance, start: stage.pretrained, space: space)
    lambda = method.lambda.number.map { $0 * method.lambdaScale }
    alpha = method.layerWeight.coefficients(norms, tau: method.tau.number)
    let effective = LayerWeight.effectiveLayers(alpha)
    kept = [
      "importance": .string(artifact.sha256), "layers": .integer(groupCount), "effective_layers": .number(effective),
      "norms": ["least": .number(norms.min()!), "most": .number(norms.max()!)], "negative_share": artifact.facts["negative_share"] ?? .null,
    ]
    if effective < 2, groupCount > 1 {
      let words = "\((effective * 100).rounded() / 100)"
      waiting.append("the layer weights act on \(words) of \(groupCount) layers in effect; layer_weight: sum, or softmax_temp with a larger tau, spreads them")
    }
    try keepState()
  }

  /// Only a plan: nothing is asked of it.
  init(_ method: Hierarchical, planned stage: StageFacts) {
    self.method = method
    penalty = QuadraticPenalty(Importance([:]), start: stage.pretrained)
    (groups, groupCount) = ([:], 0)
  }

  var facts: JSONObject { kept }

  private func strength(_ lambda: Double) -> (String) -> Double {
    let scale = method.scalesByLayers ? Double(groupCount) : 1
    return { [alpha, groups] name in lambda * scale * alpha[groups[name]!] }
  }

  func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
    if method.refreshEvery > 0, step.number > 0, step.number % method.refreshEvery == 0 { try refresh(parameters) }
    guard let lambda else {
      let value = try penalty.pull(gradients, parameters, adds: false, strength: strength(1))
      guard step.number + 1 >= method.autoSteps, let loss = step.loss else { return 0 }
      if value > 0 {
        self.lambda = 0.1 * loss / value * method.lambdaScale
        waiting.append("lambda: auto is \(self.lambda!) from the next step on: the penalty of the way so far is then a tenth of the loss")
      } else if step.number + 1 == method.autoSteps {
        waiting.append("lambda: auto found no weight of any importance moved yet and goes on watching")
      }
      try keepState()
      return 0
    }
    let value = try penalty.pull(gradients, parameters, adds: method.form == .gradient, strength: strength(lambda))
    if step.number < 20, let loss = step.loss, value > 100 * loss {
      waiting.append("the penalty is \(value) where the loss is \(loss): lambda is far too large")
    }
    return value
  }

  func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
    guard method.form == .decoupled, let lambda, lambda > 0 else { return false }
    try penalty.shrink(parameters, rate: step.learningRate, strength: strength(lambda))
    return true
  }

  /// α of ‖Ω_l · D_l²‖₂: what weighs is where important weights have moved. Unchanged where nothing moved.
  private func refresh(_ parameters: NamedTensors) throws(EngineError) {
    var squares = [Double](repeating: 0, count: groupCount)
    for name in penalty.names(in: parameters) {
      guard let group = groups[name] else { continue }
      squares[group] += try penalty.squaredCost(name, parameters)
    }
    guard squares.contains(where: { $0 > 0 }) else { return }
    alpha = method.layerWeight.coefficients(squares.map { $0.squareRoot() }, tau: method.tau.number)
    try keepState()
  }

  func warnings() -> [String] {
    defer { waiting = [] }
    return waiting
  }

  private func keepState() throws(EngineError) {
    stateTensors = ["alpha": try Tensor(alpha, shape: [alpha.count], dtype: .float64)]
    if let lambda { stateTensors["lambda"] = try Tensor([lambda], shape: [1], dtype: .float64) }
  }

  var state: [String: Tensor] { stateTensors }

  func restore(_ state: [String: Tensor]) throws(EngineError) {
    if let kept = try state["alpha"]?.doubles() { alpha = kept }
    lambda = try state["lambda"]?.doubles().first
    try keepState()
  }
}
