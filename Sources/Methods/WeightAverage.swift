public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// The exported weights are an exponential average over the run, begun at the start: a ← d · a + (1 − d) · θ after each
/// step (Polyak and Juditsky 1992, with exponential weights). Training itself is not changed.
public struct WeightAverage: TuningMethod {
  public static let name = "average"
  public static let summary = "The exported weights are an exponential average over the run."

  public let decay: Double

  public init(_ reader: KeyReader) {
    decay = reader.value("decay", default: 0.99, in: 0..<1, unit: "a step", doc: "How much of the average stays; its memory is about 1 / (1 − decay) steps.")
  }

  /// The start and the average.
  public func bytes(trained: Int) -> Int { 8 * trained }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active(decay, stage.pretrained) }

  private final class Active: ActiveMethod {
    private let decay: Double
    private let start: PretrainedWeights
    private var averages: [String: Tensor] = [:]

    init(_ decay: Double, _ start: PretrainedWeights) {
      self.decay = decay
      self.start = start
    }

    func afterStep(_ parameters: NamedTensors, at step: Step) throws(EngineError) -> Bool {
      for (name, weight) in zip(parameters.names, parameters.all) {
        if averages[name] == nil { averages[name] = try start.tensor(name).cast(weight.dtype).copy() }
        let average = averages[name]!
        try average.add(weight.detached() - average, scale: 1 - decay)
      }
      return false
    }

    func finish(_ parameters: NamedTensors) throws(EngineError) {
      for (name, weight) in zip(parameters.names, parameters.all) { if let average = averages[name] { try weight.assign(average) } }
    }

    var state: [String: Tensor] { averages }
    func restore(_ state: [String: Tensor]) throws(EngineError) { averages = state }
  }
}
