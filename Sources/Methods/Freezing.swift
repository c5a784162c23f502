public import HoldfastBasics
public import HoldfastTraining

/// Some layers and modules train, everything else stays.
///
/// CoFiTune's coarse level is `{layers: [25%, 50%], modules: [mlp.up, mlp.down]}` (Zhang et al. 2024, arXiv 2404.10306).
public struct Freezing: TuningMethod {
  public static let name = "freezing"
  public static let summary = "Chosen layers and modules train, everything else stays."

  public let region: Region

  public init(_ reader: KeyReader) {
    region = Region(
      layers: reader.value("layers", default: .all, doc: "The layers in which the modules train."),
      modules: reader.value(
        "modules", default: [],
        doc: "What trains: \(Region.Module.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "))."),
      names: reader.value("names", default: [], doc: "Further parameters by name; `*` stands for any characters."),
      held: reader.value("hold", default: [], doc: "Modules that stay in all layers; with neither `modules` nor `names` everything else trains."))
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    Active(Set(try region.parameters(of: stage.model)))
  }

  private final class Active: ActiveMethod {
    let selected: Set<String>
    init(_ selected: Set<String>) { self.selected = selected }
    func selection(at step: Step) -> Set<String>? { selected }
  }
}
