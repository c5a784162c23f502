package import HoldfastBasics
package import HoldfastEngine
package import HoldfastModels

/// AdaLoRA's part of a step: the penalty that keeps P and Q orthonormal, and the ranks that are taken away.
///
/// Source: Zhang et al. 2023, "AdaLoRA", arXiv 2303.10512, as its released code and PEFT have it: the penalty is the mean of
/// ‖PᵀP − I‖ and ‖QQᵀ − I‖ (not squared), the sensitivity of an entry is |p · ∂L/∂p| after the step with that step's gradient.
/// A triplet is one entry of Λ with its column of P and its row of Q. Its score is that of λ plus the means over the
/// column's and the row's, each entry's being mean sensitivity × mean deviation from it. The budget falls as a cube
/// from all triplets to `target_rank` a layer; those below it have λ = 0 until their score is better again, and
/// for good in the last `final` steps.
package final class AdaptiveRanks: ActiveMethod {
  package static let name = "adalora"

  private let linears: [AdapterFacts.Linear]
  private let budget: AdaptiveBudget
  private let total: Int
  /// Running means of |p · g| and of its distance from them, by parameter.
  private var sensitivity: [String: Tensor] = [:]
  private var deviation: [String: Tensor] = [:]
  /// 1 for the entries of Λ that are left, in the last steps.
  private var kept: [String: Tensor] = [:]
  /// This step's, penalties included.
  private var gradients: NamedTensors?

  /// Whether the penalty is added; false leaves the gradients as they come.
  private let addsPenalty: Bool

  package init(_ adapter: AdapterFacts, _ budget: AdaptiveBudget, steps: Int, addsPenalty: Bool = true) throws(Problems) {
    linears = adapter.linears
    self.addsPenalty = addsPenalty && budget.orthogonality > 0
    self.budget = budget
    total = steps
    if budget.warmup >= steps - budget.final {
      throw Problems(Self.name, [
        "warmup (\(budget.warmup)) and final (\(budget.final)) leave none of \(steps) steps in which ranks could be shared out"
      ])
    }
  }

  /// w / n · Σ ‖M − I‖ over n factors, with M = Q·Qᵀ or Pᵀ·P; to Q flows 2(M − I)·Q / ‖M − I‖, to P the same from the right.
  package func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
    self.gradients = gradients
    guard addsPenalty else { return nil }
    let names = linears.flatMap { [$0.a, $0.b] }.filter { gradients[$0] != nil }
    let weight = budget.orthogonality / Double(max(1, names.count))
    var sum = 0.0
    for linear in linears {
      for (name, isRows) in [(linear.a, true), (linear.b, false)] {
        guard let gradient = gradients[name], let factor = try parameters[name]?.detached() else { continue }
        let turned = try factor.transposed(0, 1)
        let away = try (isRows ? factor.matmul(turned) : turned.matmul(factor)) - Self.identity(linear.rank, like: factor)
        let norm = try Tensor.squaredNorm(of: [away]).squareRoot()
        sum += norm
        if norm > 0 { try gradient.add(isRows ? away.matmul(factor) : factor.matmul(away), scale: 2 * weight / norm) }
      }
    }
    return weight * sum
  }

  private static func identity(_ size: Int, like tensor: Tensor) throws(EngineError) -> Tensor {
    var values = [Float](repeating: 0, count: size * size)
    for i in 0..<size { values[i * size + i] = 1 }
    return try Tensor(values, shape: [size, size]).cast(tensor.dtype).to(tensor.device)
  }

  package func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
    defer { gradients = nil }
    let last = total - budget.final
    if step.number > last {
      for (name, mask) in kept { try Self.clear(parameters[name], but: mask) }
      return !kept.isEmpty
    }
    if step.number < last { try learn(parameters) }
    guard step.number == last || step.number > budget.warmup && step.number % budget.every == 0 else { return false }
    let masks = try masks(left: step.number == last ? target : left(after: step.number))
    for (name, mask) in masks { try Self.clear(parameters[name], but: mask) }
    if step.number == last {
      kept = masks
      (sensitivity, deviation) = ([:], [:])
    }
    return true
  }

  /// Sets to zero what the mask does not keep.
  private static func clear(_ weight: Tensor?, but mask: Tensor) throws(EngineError) {
    guard let weight else { return }
    let none = try Tensor.zeros(weight.shape, dtype: weight.dtype, device: weight.device)
    let left = try Tensor.choose(mask.cast(weight.dtype) > none, weight.detached(), none)
    try Torch.withoutGradients { () throws(EngineError) in try weight.assign(left) }
  }

  /// Takes this step's sensitivities into the means.
  private func learn(_ parameters: NamedTensors) throws(EngineError) {
    guard let gradients else { return }
    for name in gradients.names {
      guard let weight = parameters[name], let gradient = gradients[name] else { continue }
      let now = try (weight.detached() * gradient).abs()
      if sensitivity[name] == nil {
        sensitivity[name] = try now * 0
        deviation[name] = try now * 0
      }
      let mean = sensitivity[name]!, away = deviation[name]!
      try mean.scale(by: budget.beta1)
      try mean.add(now, scale: 1 - budget.beta1)
      try away.scale(by: budget.beta2)
      try away.add((now - mean).abs(), scale: 1 - budget.beta2)
    }
  }

  private var first: Int { linears.reduce(0) { $0 + $1.rank } }
  private var target: Int { budget.targetRank * linears.count }

  /// Triplets that the schedule leaves after a step.
  func left(after step: Int) -> Int {
    let part = 1 - Double(step - budget.warmup) / Double(total - budget.final - budget.warmup)
    return Int(Double(first - target) * part * part * part + Double(target))
  }

  /// 1 for the triplets whose score is among the `count` best, [rank, 1] by Λ's name.
  private func masks(left count: Int) throws(EngineError) -> [String: Tensor] {
    var scores: [(name: String, values: [Float])] = []
    for linear in linears {
      guard let diagonal = linear.diagonal, let middle = try score(diagonal), let a = try score(linear.a), let b = try score(linear.b) else {
        continue
      }
      let width = Double(try a.shape[1]), height = Double(try b.shape[0])
      let row = try a.sum(axis: 1) * (1 / width), column = try b.sum(axis: 0) * (1 / height)
      scores.append((diagonal, try (middle.reshaped([linear.rank]) + (row + column)).floats()))
    }
    let all = scores.flatMap(\.values).sorted()
    // As many as are too many are the worst; equals of the last of them go too.
    let surplus = min(all.count, first - count)
    let edge = surplus > 0 ? all[surplus - 1] : -.infinity
    var masks: [String: Tensor] = [:]
    for (name, values) in scores {
      let device = try sensitivity[name]!.device
      masks[name] = try Tensor(values.map { $0 > edge ? 1 as Float : 0 }, shape: [values.count, 1], device: device)
    }
    return masks
  }

  private func score(_ name: String) throws(EngineError) -> Tensor? {
    guard let mean = sensitivity[name], let away = deviation[name] else { return nil }
    return try mean * away
  }

  package var state: [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in sensitivity { result["sensitivity." + name] = tensor }
    for (name, tensor) in deviation { result["deviation." + name] = tensor }
    for (name, tensor) in kept { result["kept." + name] = tensor }
    return result
  }

  package func restore(_ state: [String: Tensor]) throws(EngineError) {
    (sensitivity, deviation, kept) = ([:], [:], [:])
    for (key, tensor) in state {
      let name = String(key.drop { $0 != "." }.dropFirst())
      if key.hasPrefix("sensitivity.") { sensitivity[name] = tensor }
      if key.hasPrefix("deviation.") { deviation[name] = tensor }
      if key.hasPrefix("kept.") { kept[name] = tensor }
    }
  }
}
