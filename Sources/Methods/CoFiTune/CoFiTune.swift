public import HoldfastBasics
public import HoldfastTraining
internal import HoldfastModels

/// A few modules of a few layers train, and units that matter for stable output move less.
///
/// Source: Zhang et al. 2024, "Balancing Speciality and Versatility: a Coarse to Fine Framework", arXiv 2404.10306. The coarse level is a
/// region as `freezing` has it, `up` and `down` of the second quarter by default; `holdfast search` looks for another. The fine level
/// scales the update of a unit's row by 1 − importance (`DropoutKL`).
public struct CoFiTune: TuningMethod {
  public static let name = "cofitune"
  public static let summary = "Chosen modules of chosen layers train, and units that matter for stable output move less (CoFiTune)."
  public static let sets: Set<UpdatePart> = [.rowScale]

  public let region: Region
  private let units: [UnitImportance.Kind]
  private let mask: SoftMaskKnobs

  public init(_ reader: KeyReader) {
    region = Region(
      layers: reader.value("layers", default: .share(from: 0.25, to: 0.5), doc: "The layers in which the modules train."),
      modules: reader.value("modules", default: [.up, .down], doc: "What trains, by the words of `freezing`."),
      names: reader.value("names", default: [], doc: "Further parameters by name; `*` stands for any characters."))
    units = reader.value("units", default: [.inner, .output], doc: "Which units are masked: `inner` (rows of up), `output` (rows of down), `head` (rows of q, k and v).")
    mask = SoftMaskKnobs(reader)
    if units.isEmpty, mask.application != .none { reader.complain("units", "is empty; `apply: none` trains the region without a mask") }
  }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] { mask.preparations(facts) }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    try refuseAdapter(stage, name: Self.name)
    let selected = Set(try region.parameters(of: stage.model))
    var problems = Problems("cofitune")
    if mask.application != .none {
      let masked = Set(units.flatMap(Self.modules))
      if !stage.model.parameters.contains(where: { selected.contains($0.name) && masked.contains($0.module) }) {
        problems.add("none of the units \(units.map(\.rawValue).joined(separator: ", ")) has rows in what trains; `apply: none` trains the region without a mask")
      }
    }
    try problems.check()
    return try SoftMasked(mask, selected: selected, kinds: Set(units), stage: stage)
  }

  /// Whose rows a kind of unit masks.
  private static func modules(_ kind: UnitImportance.Kind) -> [String] {
    switch kind {
    case .head: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
    case .inner: ["mlp.up_proj"]
    case .output: ["mlp.down_proj"]
    }
  }
}

/// The soft mask on the whole model: CoFiTune's baseline V-SoftMask. What the name means is our reading; nothing published says
/// which units it masks.
public struct VSoftMask: TuningMethod {
  public static let name = "v_softmask"
  public static let summary = "Everything trains, and units that matter for stable output move less (V-SoftMask)."
  public static let sets: Set<UpdatePart> = [.rowScale]

  private let mask: SoftMaskKnobs

  public init(_ reader: KeyReader) {
    mask = SoftMaskKnobs(reader)
    if mask.application == .none { reader.complain("apply", "is none, which is `full`") }
  }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] { mask.preparations(facts) }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    try refuseAdapter(stage, name: Self.name)
    return try SoftMasked(mask, selected: nil, kinds: Set(UnitImportance.Kind.allCases), stage: stage)
  }
}
