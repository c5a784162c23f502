public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// After each step every weight is blended with its start by how much the task's gradients outweigh its size.
///
/// Source: Huang et al. 2024, arXiv 2411.10928. Per tensor, z standardises and σ is the logistic function:
/// I = σ(z(|θ⁰|)), G ← G + g, J = σ(z(|G|)), m = J / (I + J) where I < J and 0 elsewhere; m over the mean of its non-zero entries,
/// at most 1; then θ ← (1 − m) · θ⁰ + m · θ. Costs I and G in f32.
public struct SPIDER: TuningMethod {
  public static let name = "spider"
  public static let summary = "After each step weights that matter more before than for the task go back to their start (SPIDER)."

  public init(_ reader: KeyReader) {}

  /// The start, its scores and the sums of gradients.
  public func bytes(trained: Int) -> Int { 12 * trained }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(stage.pretrained) }

  private final class Active: ActiveMethod {
    private let start: PretrainedWeights
    /// σ(z(|θ⁰|)) by name.
    private var before: [String: Tensor] = [:]
    /// Signed sums of the gradients, f32.
    private var sums: [String: Tensor] = [:]

    init(_ start: PretrainedWeights) { self.start = start }

    func observe(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) {
      for (name, gradient) in zip(gradients.names, gradients.all) {
        if let sum = sums[name] { try sum.add(gradient) } else { sums[name] = try gradient.copy() }
      }
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      for (name, weight) in zip(parameters.names, parameters.all) {
        guard let sum = sums[name] else { continue }
        let dtype = try weight.dtype
        let from = try start.tensor(name).cast(dtype)
        if before[name] == nil { before[name] = try SPIDER.score(from) }
        let old = before[name]!, new = try SPIDER.score(sum.cast(dtype))
        let none = try Tensor.zeros(weight.shape, dtype: dtype, device: weight.device)
        var mask = try Tensor.choose(new > old, new / (old + new), none)
        let chosen = try (mask > none).cast(dtype).sum().item()
        if chosen > 0 {
          mask = try mask * (chosen / mask.sum().item())
          let one = try none + 1
          mask = try Tensor.choose(mask > one, one, mask)
        }
        let blended = try from + mask * (weight.detached() - from)
        try Torch.withoutGradients { () throws(EngineError) in try weight.assign(blended) }
      }
      return true
    }

    var state: [String: Tensor] { sums }
    func restore(_ state: [String: Tensor]) throws(EngineError) { sums = state }
  }

  /// σ((|x| − mean) / deviation) over a tensor; 0 for one that is all zeros.
  static func score(_ x: Tensor) throws(EngineError) -> Tensor {
    let size = try x.abs(), count = Double(try x.shape.reduce(1, *))
    let mean = try size.sum().item() / count
    let centred = try size + -mean
    let deviation = try (Tensor.squaredNorm(of: [centred]) / max(1, count - 1)).squareRoot()
    if deviation == 0 { return try size * 0 }
    return try (centred * (1 / deviation)).sigmoid()
  }
}
