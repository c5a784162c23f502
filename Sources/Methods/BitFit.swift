public import HoldfastBasics
internal import HoldfastModels
public import HoldfastTraining

/// Only biases train (Ben Zaken et al. 2022, arXiv 2106.10199). Llama-like models mostly have none.
public struct BitFit: TuningMethod {
  public static let name = "bitfit"
  public static let summary = "Only the biases train (BitFit)."

  public init(_ reader: KeyReader) {}

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let biases = stage.model.parameters.filter(\.isBias).map(\.name)
    if biases.isEmpty {
      throw Problems("bitfit", ["this model (\(stage.model.configuration.family)) has no biases; `freezing` with `modules: [norms]` is its nearest kin"])
    }
    return Active(Set(biases))
  }

  private final class Active: ActiveMethod {
    let selected: Set<String>
    init(_ selected: Set<String>) { self.selected = selected }
    func selection(at step: Step) -> Set<String>? { selected }
  }
}
