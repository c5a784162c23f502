/// The four Unicode normalization forms (UAX #15), telling for every scalar how it came about.
enum NormalizationForm: Sendable {
  case nfc, nfd, nfkc, nfkd

  fileprivate var isCompatible: Bool { self == .nfkc || self == .nfkd }
  fileprivate var composes: Bool { self == .nfc || self == .nfkc }

  /// A scalar of the result. `change` is 1 for one that was added after the one before, otherwise 0 less the
  /// number of source scalars after its own that went into it: how the `tokenizers` library counts.
  struct Scalar { var value: UInt32, change: Int }

  /// The normalized text, or nil when it is normalized already.
  func apply(_ text: [UInt32]) -> [Scalar]? {
    let tables = DecompositionTables.shared
    let settled = tables.settled(self)
    guard var at = text.firstIndex(where: { !settled.contains($0) }) else { return nil }
    // A settled scalar neither changes nor joins the one before it: text can be cut in front of each.
    if at > 0 { at -= 1 }
    var result = text[..<at].map { Scalar(value: $0, change: 0) }
    result.reserveCapacity(text.count)
    while at < text.count {
      var stop = at + 1
      while stop < text.count, !settled.contains(text[stop]) { stop += 1 }
      if stop == at + 1, settled.contains(text[at]) {
        result.append(Scalar(value: text[at], change: 0))
      } else {
        result += normalize(text[at..<stop], tables)
      }
      at = stop
    }
    return result
  }

  private func normalize(_ text: ArraySlice<UInt32>, _ tables: DecompositionTables) -> [Scalar] {
    var result: [Scalar] = []
    var isFirst = true
    func push(_ value: UInt32) {
      result.append(Scalar(value: value, change: isFirst ? 0 : 1))
      isFirst = false
    }
    for value in text {
      isFirst = true
      if value < 0xA0 {
        push(value)
      } else if (0xAC00...0xD7A3).contains(value) {
        let index = value - 0xAC00
        push(0x1100 + index / 588)
        push(0x1161 + index % 588 / 28)
        if index % 28 > 0 { push(0x11A7 + index % 28) }
      } else if let parts = tables.decomposition(value, isCompatible: isCompatible) {
        for part in parts { push(part) }
      } else {
        push(value)
      }
    }
    sortMarks(&result)
    return composes ? compose(result, tables) : result
  }

  /// Puts every run of combining marks in the order of their classes; equal classes keep theirs.
  private func sortMarks(_ text: inout [Scalar]) {
    var start = 0
    while start < text.count {
      guard combiningClass(text[start].value) != 0 else {
        start += 1
        continue
      }
      var stop = start
      while stop < text.count, combiningClass(text[stop].value) != 0 { stop += 1 }
      if stop - start > 1 {
        let sorted = text[start..<stop].enumerated().sorted {
          let (a, b) = (combiningClass($0.element.value), combiningClass($1.element.value))
          return a != b ? a < b : $0.offset < $1.offset
        }
        text.replaceSubrange(start..<stop, with: sorted.map(\.element))
      }
      start = stop
    }
  }

  private func compose(_ text: [Scalar], _ tables: DecompositionTables) -> [Scalar] {
    var result: [Scalar] = []
    result.reserveCapacity(text.count)
    var starter: Int?
    // The class of the last mark between the starter and here that did not go into it.
    var lastClass: UInt8?
    for scalar in text {
      let ownClass = combiningClass(scalar.value)
      if let at = starter, lastClass.map({ $0 < ownClass }) ?? true,
        let composed = tables.composition(result[at].value, scalar.value)
      {
        result[at] = Scalar(value: composed, change: result[at].change + scalar.change - 1)
        continue
      }
      if ownClass == 0 {
        starter = result.count
        lastClass = nil
      } else {
        lastClass = ownClass
      }
      result.append(scalar)
    }
    return result
  }
}

/// Unicode's canonical combining class; 0 below U+0300.
private func combiningClass(_ value: UInt32) -> UInt8 {
  guard value >= 0x300, let scalar = Unicode.Scalar(value) else { return 0 }
  return scalar.properties.canonicalCombiningClass.rawValue
}

/// The decompositions of `DecompositionTable` as dictionaries, and the compositions that follow from them.
private struct DecompositionTables: Sendable {
  static let shared = Self()

  private var canonical: [UInt32: [UInt32]]
  private var compatible: [UInt32: [UInt32]]
  private var compositions: [UInt64: UInt32] = [:]

  private init() {
    canonical = Self.read(DecompositionTable.canonical)
    compatible = Self.read(DecompositionTable.compatible)
    // A full decomposition of n parts is that of its first n-1 parts, composed, and the last.
    var whole: [[UInt32]: UInt32] = [:]
    for (value, parts) in canonical where composes(value) { whole[parts] = value }
    for (value, parts) in canonical where composes(value) && parts.count > 1 {
      let head = Array(parts.dropLast())
      guard let first = head.count == 1 ? head[0] : whole[head] else { continue }
      compositions[UInt64(first) << 32 | UInt64(parts[parts.count - 1])] = value
    }
  }

  private func composes(_ value: UInt32) -> Bool {
    Unicode.Scalar(value).map { !$0.properties.isFullCompositionExclusion } ?? false
  }

  private static let settledByForm: [NormalizationForm: ScalarBits] = Dictionary(
    uniqueKeysWithValues: [NormalizationForm.nfc, .nfd, .nfkc, .nfkd].map { ($0, shared.makeSettled($0)) })

  /// Scalars that stay as they are in this form and never join the one before them.
  func settled(_ form: NormalizationForm) -> ScalarBits { Self.settledByForm[form] ?? ScalarBits() }

  private func makeSettled(_ form: NormalizationForm) -> ScalarBits {
    var unsettled = ScalarBits()
    for value in UInt32(0x300)..<0x20000 where combiningClass(value) != 0 { unsettled.insert(value) }
    for value in canonical.keys where !form.composes || !composes(value) { unsettled.insert(value) }
    if form.isCompatible { for value in compatible.keys { unsettled.insert(value) } }
    if form.composes {
      for pair in compositions.keys { unsettled.insert(UInt32(pair & 0xFFFF_FFFF)) }
      for value in UInt32(0x1161)..<0x11C3 { unsettled.insert(value) }
    } else {
      for value in UInt32(0xAC00)...0xD7A3 { unsettled.insert(value) }
    }
    return unsettled.inverted()
  }

  func decomposition(_ value: UInt32, isCompatible: Bool) -> [UInt32]? {
    (isCompatible ? compatible[value] : nil) ?? canonical[value]
  }

  func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if (0x1100..<0x1113).contains(first), (0x1161..<0x1176).contains(second) {
      return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28
    }
    if (0xAC00...0xD7A3).contains(first), (first - 0xAC00) % 28 == 0, (0x11A8..<0x11C3).contains(second) {
      return first + (second - 0x11A7)
    }
    return compositions[UInt64(first) << 32 | UInt64(second)]
  }

  private static func read(_ table: StaticString) -> [UInt32: [UInt32]] {
    var result = [UInt32: [UInt32]](minimumCapacity: 4096)
    var numbers: [UInt32] = []
    var number: UInt32?
    func endNumber() {
      if let value = number { numbers.append(value) }
      number = nil
    }
    func endEntry() {
      endNumber()
      if let key = numbers.first { result[key] = Array(numbers.dropFirst()) }
      numbers.removeAll(keepingCapacity: true)
    }
    table.withUTF8Buffer { bytes in
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): number = (number ?? 0) << 4 | UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "F"): number = (number ?? 0) << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
        case UInt8(ascii: " "): endNumber()
        default: endEntry()
        }
      }
      endEntry()
    }
    return result
  }
}

/// A set of scalars, a bit each; those from U+30000 on belong to it when `holdsRest` says so.
struct ScalarBits: Sendable {
  private var words = [UInt64](repeating: 0, count: 0x30000 / 64)
  private var holdsRest = false

  mutating func insert(_ value: UInt32) {
    if value < 0x30000 { words[Int(value >> 6)] |= 1 << UInt64(value & 63) }
  }

  func inverted() -> Self {
    var result = self
    for i in words.indices { result.words[i] = ~words[i] }
    result.holdsRest = !holdsRest
    return result
  }

  @inline(__always)
  func contains(_ value: UInt32) -> Bool {
    value < 0x30000 ? (words[Int(value >> 6)] >> UInt64(value & 63)) & 1 != 0 : holdsRest
  }
}
