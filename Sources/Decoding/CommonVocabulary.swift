public import HoldfastBasics
public import HoldfastTokenizers

/// The ids that the members of an ensemble mean the same by. Its ids are the base's.
public struct CommonVocabulary: Sendable {
  public enum Rule: String, Sendable, CaseIterable {
    /// An id must be the same token in every model that has one there.
    case strict
    /// Tokens are matched by their text; a token that the experts lack keeps the base's probability.
    case map
  }

  /// One member's: its tokenizer and the width of its logits.
  public struct Member: Sendable {
    public let name: String
    public let tokenizer: Tokenizer
    public let width: Int

    public init(name: String, tokenizer: Tokenizer, width: Int) {
      self.name = name
      self.tokenizer = tokenizer
      self.width = width
    }

    func token(_ id: Int) -> String? { id < width ? tokenizer.token(id) : nil }
  }

  /// Ids from 0; what a wider matrix has beyond is never chosen.
  public let count: Int
  /// By member (base, experts, anti-expert): its id for each id; nil: the same.
  let maps: [[Int64]?]
  /// 0 all know the id, 1 only the base, 2 only the experts, 3 nobody; nil: all know all.
  let kinds: [UInt8]?
  /// By member: what it is given for a token that it lacks.
  let substitutes: [Int]

  /// Ids are taken on trust; widths may differ by padding.
  public init(widths: [Int]) {
    count = widths.min() ?? 0
    maps = widths.map { _ in nil }
    kinds = nil
    substitutes = widths.map { _ in 0 }
  }

  /// - Throws: `Problems` with the first ten ids that the members mean different tokens by.
  public init(base: Member?, experts: [Member], antiExpert: Member?, rule: Rule = .strict) throws(Problems) {
    let members = [base].compactMap { $0 } + experts + [antiExpert].compactMap { $0 }
    precondition(!members.isEmpty)
    substitutes =
      [base ?? members[0]].map { $0.tokenizer.unknownID ?? 0 } + experts.map { $0.tokenizer.unknownID ?? $0.tokenizer.endID ?? 0 }
      + [antiExpert ?? members[0]].map { $0.tokenizer.unknownID ?? $0.tokenizer.endID ?? 0 }
    var problems = Problems("vocabularies")
    let width = rule == .strict ? members.map(\.width).min()! : members[0].width
    var kinds: [UInt8] = []
    kinds.reserveCapacity(width)
    var maps: [[Int64]?] = [nil] + experts.map { _ in nil } + [nil]
    if rule == .map {
      for (place, member) in (experts + [antiExpert].compactMap { $0 }).enumerated() {
        var ids: [String: Int] = [:]
        for id in 0..<member.width { if let token = member.token(id) { ids[token] = id } }
        maps[1 + place] = (0..<width).map { id in Int64(members[0].token(id).flatMap { ids[$0] } ?? -1) }
      }
    }
    var different = 0
    for id in 0..<width {
      func has(_ member: Member?, _ place: Int) -> Bool {
        guard let member else { return true }
        return rule == .map && place > 0 ? maps[place]![id] >= 0 : member.token(id) != nil
      }
      let inBase = has(base, 0), inAnti = has(antiExpert, 1 + experts.count)
      let inExperts = experts.enumerated().allSatisfy { has($1, 1 + $0) }
      let isThere = rule == .map ? members[0].token(id) != nil : members.contains { $0.token(id) != nil }
      kinds.append(!isThere ? 3 : inBase && inExperts && inAnti ? 0 : inExperts && !experts.isEmpty ? 2 : inBase ? 1 : 3)
      if rule == .strict {
        let spelled = members.map { ($0.name, $0.token(id)) }.filter { $0.1 != nil }
        if Set(spelled.map { $0.1! }).count > 1 {
          different += 1
          if different <= 10 {
            problems.add("id \(id): " + spelled.map { "\($0.0) has \(JSON.string($0.1!).text())" }.joined(separator: ", "))
          }
        }
      }
    }
    if different > 10 { problems.add("and \(different - 10) more ids") }
    if different > 0 { problems.add("the models do not share ids; if they share texts of tokens, match them with --vocabulary map") }
    if different == 0, !kinds.contains(0) { problems.add("the models have no token in common") }
    try problems.check()
    // Padding at the end is cut off.
    let end = (kinds.lastIndex { $0 != 3 } ?? -1) + 1
    count = end
    self.kinds = kinds[..<end].allSatisfy { $0 == 0 } ? nil : Array(kinds[..<end])
    self.maps = maps.map { $0.map { Array($0[..<end]) } }
  }

  /// What member `place` is given for an id.
  func id(_ id: Int, for place: Int) -> Int {
    guard let map = maps[place] else { return id }
    return id < map.count && map[id] >= 0 ? Int(map[id]) : substitutes[place]
  }
}
