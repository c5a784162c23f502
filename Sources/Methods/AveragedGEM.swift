public import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
public import HoldfastTraining

/// No step may raise the loss on remembered rows, to first order: where the step's gradient g points against their gradient r, its part along r is
/// taken out, g ← g − (g·r / r·r) · r, before clipping (A-GEM, Chaudhry et al. 2019, arXiv 1812.00420).
///
/// The dot products run over all trained parameters together. Adam's moments still carry earlier directions, so under Adam the promise
/// holds for the gradient and not for the step.
public struct AveragedGEM: TuningMethod {
  public static let name = "agem"
  public static let summary = "The part of the gradient that would raise the loss on remembered rows is taken out (A-GEM)."
  public static let sets: Set<UpdatePart> = [.memory]

  private let sources: [DataSource]
  private let rows: Int

  public init(_ reader: KeyReader) {
    sources = PreparationData.sources(reader)
    rows = reader.value("rows", default: 8, in: 1..., unit: "packed rows", doc: "Remembered rows whose gradient each step is held against.")
  }

  /// Their gradient.
  public func bytes(trained: Int) -> Int { 4 * trained }

  public func memory(_ recipe: Recipe) -> PreparationData? {
    var data = PreparationData(
      sources, sequenceLength: recipe.sequenceLength, packing: .bestFit, rows: rows, seed: recipe.seed)
    data.tooLong = .truncate
    return data
  }

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active() }

  private final class Active: ActiveMethod {
    func project(_ gradients: NamedTensors, memory: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      var dot = 0.0
      for name in gradients.names {
        guard let ours = gradients[name], let theirs = memory[name] else { continue }
        dot += try (ours * theirs).sum().item()
      }
      let square = try Tensor.squaredNorm(of: memory.all)
      if dot < 0, square > 0 {
        for name in gradients.names { if let theirs = memory[name] { try gradients[name]!.add(theirs, scale: -dot / square) } }
      }
      let size = try Tensor.squaredNorm(of: gradients.all)
      // The cosine before, for the log: −1 … 1.
      return square > 0 && size > 0 ? dot / (square * (dot < 0 ? size + dot * dot / square : size)).squareRoot() : 0
    }
  }
}
