public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// Keeps most weights exactly where the run found them: after each step the distance from the start shrinks by
/// rate · λ and stops at zero, the proximal step of R = λ · Σ|θ − θ⁰| (L1-SP).
public struct L1ToStart: TuningMethod {
  public static let name = "l1"
  public static let summary = "Distances from the start shrink by a constant each step, so that most weights stay exactly (L1-SP)."

  public let lambda: Double

  public init(_ reader: KeyReader) {
    lambda = reader.required("lambda", in: Above(0.0), unit: "per unit of learning rate", doc: "Strength; Adam moves a weight by about 1 in this unit.")
  }

  /// The start, in f32; half of it where the file has bf16.
  public func bytes(trained: Int) -> Int { 4 * trained }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    if stage.model.adapter != nil {
      throw Problems("l1", ["it keeps single weights where they are, and an adapter's factors are none; `l2` pulls their product back"])
    }
    return Active(lambda, stage.pretrained)
  }

  private final class Active: ActiveMethod {
    private let lambda: Double
    private let start: PretrainedWeights

    init(_ lambda: Double, _ start: PretrainedWeights) {
      self.lambda = lambda
      self.start = start
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      for (name, weight) in zip(parameters.names, parameters.all) {
        let from = try start.tensor(name).cast(weight.dtype)
        let moved = try (weight.detached() - from).shrunk(by: lambda * step.learningRate)
        // A distance of zero gives back the very bits.
        try Torch.withoutGradients { () throws(EngineError) in try weight.assign(from + moved) }
      }
      return true
    }
  }
}
