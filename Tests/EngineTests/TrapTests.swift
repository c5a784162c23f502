import HoldfastEngine
import Testing

/// What a mask on gradients does under an adaptive optimizer: traps that the methods are built around.
struct TrapTests {
  private let shape = [2, 64]

  private func gradients(_ steps: Int, scale: Double, seed: UInt64) throws -> [Tensor] {
    let generator = try Generator(seed: seed)
    // A direction that stays, with noise around it.
    let mean = try generator.normal([1, 64], deviation: scale).expanded(shape).copy()
    return try (0..<steps).map { _ in try mean + generator.normal([1, 64], deviation: scale).expanded(shape) }
  }

  /// Distance that each row moved. `factor`: on the second row's gradient; `rule`: on updates.
  private func moved(
    _ gradients: [Tensor], factor: Float = 1, rule: UpdateRule = UpdateRule(), epsilon: Double = 1e-8, rate: Double = 1e-3, decay: Double = 0
  ) throws -> [Double] {
    let weights = try Tensor.full(shape, 1).copy(), first = try Tensor.zeros(shape), second = try Tensor.zeros(shape)
    let mask = try Tensor([1, factor], shape: [2, 1])
    for (number, gradient) in gradients.enumerated() {
      var step = AdamWStep(rate: rate, step: number + 1)
      step.beta2 = 0.95
      step.epsilon = epsilon
      step.decay = decay
      try weights.adamW(gradient: gradient * mask, first: first, second: second, step, rule: rule)
    }
    let values = try weights.floats()
    return [0, 1].map { row in values[row * 64..<(row + 1) * 64].reduce(0.0) { $0 + Double(($1 - 1) * ($1 - 1)) }.squareRoot() }
  }

  /// The step does not change when a gradient is multiplied by a constant, so neither does the run.
  @Test(arguments: [0.3, 0.7, 0.95])
  func aGradientMaskUnderAdamWChangesNothing(importance: Float) throws {
    let rows = try moved(gradients(300, scale: 1e-3, seed: 1), factor: 1 - importance)
    #expect(abs(rows[1] / rows[0] - 1) < 0.002, "\(rows)")
  }

  /// On updates the same mask is exact: a row moves by 1 − I of what it would, nearly, since its own weights lead it on.
  @Test func anUpdateMaskScalesTheMove() throws {
    let rows = try moved(gradients(300, scale: 1e-3, seed: 1), rule: UpdateRule(rowScale: Tensor([1, 0.3] as [Float])))
    #expect(abs(rows[1] / rows[0] - 0.3) < 1e-3, "\(rows)")
    let none = try moved(gradients(20, scale: 1e-3, seed: 1), rule: UpdateRule(rowScale: Tensor([1, 0] as [Float])), decay: 0.5)
    #expect(none[1] == 0 && none[0] > 0)
  }

  /// Where ε outweighs the gradients the step is SGD's with momentum, and there the gradient mask does scale.
  @Test func underPlainGradientDescentAGradientMaskScales() throws {
    let rows = try moved(gradients(100, scale: 1e-3, seed: 1), factor: 0.3, epsilon: 1e3, rate: 1e4)
    #expect(abs(rows[1] / rows[0] - 0.3) < 1e-4, "\(rows)")
  }

  /// A gradient that becomes zero freezes nothing: momentum and decay go on.
  @Test func aZeroedGradientStillDrifts() throws {
    let warm = try gradients(10, scale: 1e-3, seed: 1), zero = try Tensor.zeros(shape)
    let before = try moved(warm), after = try moved(warm + Array(repeating: zero, count: 10))
    #expect(after[1] > before[1] * 1.2, "\(before), \(after)")
    let decayed = try moved(Array(repeating: zero, count: 10), decay: 0.1)
    #expect(abs(decayed[1] / 8 - (1 - 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999)) < 1e-5)
  }
}
