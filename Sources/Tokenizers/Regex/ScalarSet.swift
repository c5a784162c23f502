/// A set of Unicode scalars as a regular expression writes it: `[^\r\n\p{L}\p{N}]`, `\s`, `.`, `a`.
struct ScalarSet: Sendable, Hashable {
  indirect enum Item: Sendable, Hashable {
    case range(UInt32, UInt32)
    case category(GeneralCategoryMask, negated: Bool)
    case whitespace(negated: Bool)
    case word(negated: Bool)
    case nested(ScalarSet)
  }

  private(set) var items: [Item]
  private(set) var isNegated: Bool
  private(set) var ignoresCase: Bool
  /// Membership of the scalars below 128, computed once.
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  init(_ items: [Item], isNegated: Bool = false, ignoresCase: Bool = false) {
    self.items = items
    self.isNegated = isNegated
    self.ignoresCase = ignoresCase
    for value in UInt32(0)..<64 {
      if slowlyContains(value) { low |= 1 << UInt64(value) }
      if slowlyContains(value + 64) { high |= 1 << UInt64(value) }
    }
  }

  @inline(__always)
  func contains(_ value: UInt32) -> Bool {
    if value < 64 { return (low >> UInt64(value)) & 1 != 0 }
    if value < 128 { return (high >> UInt64(value & 63)) & 1 != 0 }
    return slowlyContains(value)
  }

  private func slowlyContains(_ value: UInt32) -> Bool {
    var found = holds(value)
    if !found, ignoresCase, let scalar = Unicode.Scalar(value) {
      // Partners by way of both cases, so that ſ (upper case S) meets s as in Unicode's folding.
      let lower = scalar.properties.lowercaseMapping.unicodeScalars
      let upper = scalar.properties.uppercaseMapping.unicodeScalars
      if lower.count == 1, let l = lower.first {
        found = holds(l.value)
        if !found, let u = single(l.properties.uppercaseMapping) { found = holds(u) }
      }
      if !found, upper.count == 1, let u = upper.first {
        found = holds(u.value)
        if !found, let l = single(u.properties.lowercaseMapping) { found = holds(l) }
      }
    }
    return found != isNegated
  }

  private func single(_ text: String) -> UInt32? {
    let scalars = text.unicodeScalars
    return scalars.count == 1 ? scalars.first?.value : nil
  }

  private func holds(_ value: UInt32) -> Bool {
    let facts = ScalarClasses.of(value)
    for item in items {
      let found =
        switch item {
        case .range(let first, let last): first <= value && value <= last
        case .category(let mask, let negated): mask.contains(facts.category) != negated
        case .whitespace(let negated): facts.isWhitespace != negated
        case .word(let negated): facts.isWord != negated
        case .nested(let set): set.contains(value)
        }
      if found { return true }
    }
    return false
  }
}
