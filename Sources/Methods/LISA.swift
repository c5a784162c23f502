public import HoldfastBasics
internal import HoldfastModels
public import HoldfastTraining

/// A few layers train at a time, drawn anew every so many steps; embedding, head and final norm always train.
///
/// Source: Pan et al. 2024, "LISA: Layerwise Importance Sampled AdamW", arXiv 2403.17919. A layer that is put back to
/// sleep loses its moments.
public struct LISA: TuningMethod {
  public static let name = "lisa"
  public static let summary = "A few layers, drawn anew every so many steps, train at a time (LISA)."

  public let layers: Int
  public let every: Int

  public init(_ reader: KeyReader) {
    layers = reader.value("layers", default: 2, in: 1..., unit: "layers", doc: "How many train at a time.")
    every = reader.value("every", default: 20, in: 1..., unit: "steps", doc: "How long a draw holds.")
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    let count = stage.model.configuration.layerCount
    if layers > count { throw Problems("lisa", ["layers is \(layers), but the model has \(count)"]) }
    return Active(self, stage)
  }

  private final class Active: ActiveMethod {
    private let method: LISA
    private let seed: UInt64
    private let stage: Int
    private let inLayers: [[String]]
    private let outside: [String]
    private var known: (draw: Int, names: Set<String>)?

    init(_ method: LISA, _ stage: StageFacts) {
      self.method = method
      seed = stage.seed
      self.stage = stage.stage
      inLayers = (0..<stage.model.configuration.layerCount).map { layer in
        stage.model.parameters.filter { $0.layer == layer }.map(\.name)
      }
      outside = stage.model.parameters.filter { $0.layer == nil }.map(\.name)
    }

    var selectionChanges: Bool { true }
    var dropsMomentsOfUnselected: Bool { true }

    func selection(at step: Step) -> Set<String>? {
      let draw = step.number / method.every
      if let known, known.draw == draw { return known.names }
      var generator = CounterGenerator(seed: seed, "lisa", stage, draw)
      let chosen = generator.subset(of: inLayers.count, size: method.layers)
      let names = Set(outside + chosen.flatMap { inLayers[$0] })
      known = (draw, names)
      return names
    }
  }
}
