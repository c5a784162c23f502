internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels

/// AdamW over f32 masters. Weights in bf16 are the masters' rounded image, written in the same pass as the step.
/// State exists for parameters that train, and for no other.
final class AdamW {
  final class Slot {
    let parameter: Parameter
    /// The weights that move: f32 beside bf16 images, else the parameter itself.
    let master: Tensor
    /// Moments; nil until the first step, and again once they were dropped.
    private(set) var first: Tensor?
    private(set) var second: Tensor?
    /// Steps this parameter has been given with these moments.
    var steps = 0

    /// `start`: the weights in the type they are kept in, which may say more than the image.
    init(_ parameter: Parameter, start: Tensor?, keepsMasters: Bool) throws(EngineError) {
      self.parameter = parameter
      let value = parameter.value
      let dtype = try value.dtype
      if keepsMasters, dtype == .bfloat16 || dtype == .float16 {
        master = try (start ?? value).cast(.float32).to(value.device).copy()
      } else {
        master = value
      }
    }

    /// The moments, zeros where there are none yet.
    func moments() throws(EngineError) -> (first: Tensor, second: Tensor) {
      if let first, let second { return (first, second) }
      let kind = try master.dtype
      let made = (
        first: try Tensor.zeros(parameter.shape, dtype: kind, device: master.device),
        second: try Tensor.zeros(parameter.shape, dtype: kind, device: master.device)
      )
      (first, second) = made
      return made
    }

    /// Forgets the moments; the weights stay.
    func dropMoments() {
      (first, second) = (nil, nil)
      steps = 0
    }

    var image: Tensor? { master === parameter.value ? nil : parameter.value }
  }

  let recipe: OptimizerRecipe
  private(set) var slots: [String: Slot] = [:]

  /// Without masters bf16 weights move themselves, and their moments are bf16: for the step benchmark alone.
  private let keepsMasters: Bool

  init(_ recipe: OptimizerRecipe, keepsMasters: Bool = true) {
    self.recipe = recipe
    self.keepsMasters = keepsMasters
  }

  /// State for a parameter from its first step on.
  func slot(for parameter: Parameter, start: () throws -> Tensor?) throws -> Slot {
    if let slot = slots[parameter.name] { return slot }
    let slot = try Slot(parameter, start: start(), keepsMasters: keepsMasters)
    slots[parameter.name] = slot
    return slot
  }

  /// Puts a parameter back to where it started, as if it had never trained.
  func forget(_ name: String, start: (Parameter) throws -> Tensor?) throws {
    guard let slot = slots.removeValue(forKey: name), let value = try start(slot.parameter) else { return }
    try slot.master.assign(value)
    try slot.image?.assign(slot.master)
  }

  /// Norm weights and biases do not decay unless asked to.
  private func decay(of parameter: Parameter) -> Double {
    parameter.shape.count > 1 || recipe.decayNorms ? recipe.weightDecay : 0
  }

  /// Rounds the masters into the weights that a pass uses, where the two differ.
  func refreshImages() throws(EngineError) {
    for slot in slots.values { if let image = slot.image { try image.assign(slot.master) } }
  }

  func step(_ slot: Slot, gradient: Tensor, rate: Double, gradientScale: Double, rule: UpdateRule) throws(EngineError) {
    slot.steps += 1
    var step = AdamWStep(rate: rate, step: slot.steps)
    step.beta1 = recipe.beta1
    step.beta2 = recipe.beta2
    step.epsilon = recipe.epsilon
    step.decay = decay(of: slot.parameter)
    step.gradientScale = gradientScale
    let moments = try slot.moments()
    try slot.master.adamW(gradient: gradient, first: moments.first, second: moments.second, image: slot.image, step, rule: rule)
  }
}
