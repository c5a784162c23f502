public import HoldfastBasics
public import HoldfastModels

/// Models that choose tokens together: a base alone, or a base with experts and what these were before they were tuned.
public final class Ensemble {
  public struct Member {
    /// For messages.
    public let name: String
    public let model: DecodingModel
    /// An expert that is an adapter shares its base's weights, and both run as one batch.
    public let adapters: AdapterChoice

    public init(_ name: String, _ model: DecodingModel, adapters: AdapterChoice = .all) {
      self.name = name
      self.model = model
      self.adapters = adapters
    }

    func isSame(as other: Member) -> Bool { model === other.model && adapters == other.adapters }
  }

  public let base: Member?
  public let experts: [Member]
  public let antiExpert: Member?
  /// Proposes tokens in speculation and has no say in what is chosen; without one the experts propose.
  public let draft: Member?
  /// Where a request says nothing else.
  public let emulation: Emulation
  public let vocabulary: CommonVocabulary

  /// - Throws: `Problems` with everything about the emulation that cannot be.
  public init(
    base: Member?, experts: [Member] = [], antiExpert: Member? = nil, draft: Member? = nil, emulation: Emulation = Emulation(),
    vocabulary: CommonVocabulary? = nil
  ) throws(Problems) {
    self.base = base
    self.experts = experts
    self.antiExpert = antiExpert
    self.draft = draft
    self.emulation = emulation
    let members = [base].compactMap { $0 } + experts + [antiExpert].compactMap { $0 }
    try Problems("emulation", emulation.complaints(experts: experts.count, hasBase: base != nil, hasAntiExpert: antiExpert != nil)).check()
    let widths = members.map(\.model.configuration.vocabularySize)
    self.vocabulary = vocabulary ?? CommonVocabulary(widths: Array(repeating: widths.min()!, count: 2 + experts.count))
  }

  /// One model alone.
  public convenience init(_ model: DecodingModel) {
    do { try self.init(base: Member("model", model)) } catch { preconditionFailure("\(error)") }
  }

  public var isEmulated: Bool { !experts.isEmpty || antiExpert != nil }

  /// Base, experts, anti-expert, in the order of the engine; nil for who is not there. A base alone is alone.
  var roles: [Member?] { isEmulated ? [base] + experts + [antiExpert] : [base] }

  /// Whether every member's numbers are the same to the bit whatever shares a step.
  public var isRowInvariant: Bool { (roles.compactMap { $0 } + [draft].compactMap { $0 }).allSatisfy { $0.model.isRowInvariant } }

  /// Bytes of weights that one token without speculation reads, each model's once.
  public var weightBytes: Int {
    var seen: Set<ObjectIdentifier> = []
    return roles.compactMap { $0 }.reduce(0) { seen.insert(ObjectIdentifier($1.model)).inserted ? $0 + $1.model.weightBytes : $0 }
  }
}
