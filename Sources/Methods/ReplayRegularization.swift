public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastTraining

/// KL to the start everywhere, beside plain learning of replayed general text (ARR, arXiv 2512.22337).
///
/// The replayed text is an ordinary source of the recipe; this method asks for its name, so that a run without replay is refused.
public struct ReplayRegularization: TuningMethod {
  public static let name = "arr"
  public static let summary = "KL to the start on all data, beside general text that is learnt again (ARR)."
  public static let sets: Set<UpdatePart> = [.divergence]
  public static let looksAtLabels = true

  public let beta: Double
  private let replay: SourceSelection

  public init(_ reader: KeyReader) {
    beta = reader.value("beta", default: 0.001, in: Above(0.0), doc: "Strength of the divergence, beside a nat of cross entropy.")
    replay = SourceSelection(reader, "replay", doc: "Names of the sources with general text: at least one.")
    if replay.names.isEmpty, !reader.isDocumenting {
      reader.complain("replay", "names no source; give general text as a source of `data` with a `name` and a `share`, and that name here, or use kl")
    }
  }

  public var needsReference: Bool { true }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    if let found = try replay.indices(in: stage.sources, method: Self.name), found.count == stage.sources.count {
      throw Problems(Self.name, ["every source is replayed, so there is nothing new to learn; name the general ones only"])
    }
    return DivergenceFromStart(DivergenceKind(.forward), beta)
  }
}
