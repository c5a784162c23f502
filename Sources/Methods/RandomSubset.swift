public import HoldfastBasics
internal import HoldfastModels
public import HoldfastTraining

/// A control for methods that choose who trains: as many parameters, chosen by nothing.
public struct RandomSubset: TuningMethod {
  public static let name = "random_subset"
  public static let summary = "Tensors drawn at random, up to a share of the parameters, train: a control for methods that choose."

  public let share: Double
  /// nil: the recipe's.
  public let seed: Int?
  /// Modules that are not drawn from.
  public let held: [Region.Module]

  public init(_ reader: KeyReader) {
    share = reader.value("share", default: 0.5, in: Above(0.0), unit: "share of the parameters", doc: "How much trains, at most.")
    seed = reader.optional("seed", in: 0..., otherwise: "the recipe's seed", doc: "Which tensors are drawn.")
    held = reader.value("hold", default: [], doc: "Modules that stay, and of which nothing is drawn.")
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    var generator = CounterGenerator(seed: seed.map(UInt64.init) ?? stage.seed, "random subset", stage.stage)
    let held = try Region.parameters(of: held, in: stage.model), room = Int(share * Double(stage.model.trainable.reduce(0) { $0 + $1.count }))
    let parameters = stage.model.trainable.filter { !held.contains($0.name) }
    var selected: Set<String> = [], count = 0
    for index in generator.permutation(parameters.count) where count + parameters[index].count <= room {
      selected.insert(parameters[index].name)
      count += parameters[index].count
    }
    if selected.isEmpty { throw Problems("random_subset", ["share is \(share): not even the smallest tensor fits"]) }
    return Active(selected)
  }

  private final class Active: ActiveMethod {
    let selected: Set<String>
    init(_ selected: Set<String>) { self.selected = selected }
    func selection(at step: Step) -> Set<String>? { selected }
  }
}
