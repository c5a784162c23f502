/// What the tokenizers ask of a Unicode scalar, in one byte: its general category and two properties.
///
/// The answers are Swift's own (`Unicode.Scalar.Properties`); asking there takes tens of nanoseconds, so the
/// first two planes are asked once and kept.
struct ScalarClass: Sendable {
  let bits: UInt8

  /// Index of the general category, 0 ..< 30, as in `GeneralCategoryMask`.
  var category: UInt32 { UInt32(bits & 31) }
  var isWhitespace: Bool { bits & 32 != 0 }
  /// Unicode's Alphabetic property, which is wider than the letters.
  var isAlphabetic: Bool { bits & 64 != 0 }

  var isLetter: Bool { GeneralCategoryMask.letter.contains(category) }
  var isNumber: Bool { GeneralCategoryMask.number.contains(category) }
  var isMark: Bool { GeneralCategoryMask.mark.contains(category) }
  var isPunctuation: Bool { GeneralCategoryMask.punctuation.contains(category) }
  /// `\w` of Oniguruma: alphabetic, mark, decimal number or connector punctuation.
  var isWord: Bool { isAlphabetic || GeneralCategoryMask.word.contains(category) }
}

/// A set of general categories.
struct GeneralCategoryMask: Sendable, Hashable {
  var bits: UInt32

  func contains(_ category: UInt32) -> Bool { (bits >> category) & 1 != 0 }

  /// Two-letter names; the position is the category's index.
  static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
    "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  static let letter = Self(bits: 0x1F)
  static let mark = Self(bits: 0xE0)
  static let number = Self(bits: 0x700)
  static let punctuation = Self(bits: 0x3F800)
  /// What `\w` holds beside the alphabetic scalars: marks, decimal numbers, connectors.
  static let word = Self(bits: 0xE0 | 1 << 8 | 1 << 11)
  static let decimal = Self(bits: 1 << 8)

  /// A category (`Lu`) or a group of them (`L`, `LC`), with or without regard to case; nil when there is none.
  init?(name: String) {
    let long = [
      "letter": "L", "mark": "M", "number": "N", "punctuation": "P", "punct": "P", "symbol": "S", "separator": "Z",
      "other": "C", "digit": "Nd",
    ]
    let name = long[name.lowercased()] ?? name
    if name.lowercased() == "lc" {
      bits = 0b111
      return
    }
    bits = 0
    for (i, two) in Self.names.enumerated()
    where two.lowercased() == name.lowercased() || two.prefix(1).lowercased() == name.lowercased() {
      bits |= 1 << UInt32(i)
    }
    if bits == 0 { return nil }
  }

  init(bits: UInt32) { self.bits = bits }
}

/// The classes of all scalars, looked up fast.
enum ScalarClasses {
  private static let kept: [UInt8] = {
    var table = [UInt8](repeating: 0, count: 0x20000)
    // Long runs of one class that no version of Unicode changes within; asking would take most of the time.
    let runs: [(ClosedRange<UInt32>, UInt32)] = [
      (0x3400...0x4DB5, 4), (0x4E00...0x9FA5, 4), (0xAC00...0xD7A3, 4), (0xE000...0xF8FF, 28), (0xD800...0xDFFF, 27),
    ]
    for (range, category) in runs {
      let bits = UInt8(category) | (category == 4 ? 64 : 0)
      for scalar in range { table[Int(scalar)] = bits }
    }
    for value in UInt32(0)..<0x20000 where table[Int(value)] == 0 {
      if let scalar = Unicode.Scalar(value) { table[Int(value)] = ask(scalar) }
    }
    return table
  }()

  /// One byte for each scalar below U+20000. Never freed and never written again, hence safe to share.
  nonisolated(unsafe) private static let pointer: UnsafePointer<UInt8> = {
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: kept.count)
    copy.initialize(from: kept, count: kept.count)
    return UnsafePointer(copy)
  }()

  @inline(__always)
  static func of(_ scalar: UInt32) -> ScalarClass {
    scalar < 0x20000 ? ScalarClass(bits: pointer[Int(scalar)]) : beyond(scalar)
  }

  private static func beyond(_ scalar: UInt32) -> ScalarClass {
    ScalarClass(bits: Unicode.Scalar(scalar).map(ask) ?? 29)
  }

  private static func ask(_ scalar: Unicode.Scalar) -> UInt8 {
    let properties = scalar.properties
    let category: UInt8 =
      switch properties.generalCategory {
      case .uppercaseLetter: 0
      case .lowercaseLetter: 1
      case .titlecaseLetter: 2
      case .modifierLetter: 3
      case .otherLetter: 4
      case .nonspacingMark: 5
      case .spacingMark: 6
      case .enclosingMark: 7
      case .decimalNumber: 8
      case .letterNumber: 9
      case .otherNumber: 10
      case .connectorPunctuation: 11
      case .dashPunctuation: 12
      case .openPunctuation: 13
      case .closePunctuation: 14
      case .initialPunctuation: 15
      case .finalPunctuation: 16
      case .otherPunctuation: 17
      case .mathSymbol: 18
      case .currencySymbol: 19
      case .modifierSymbol: 20
      case .otherSymbol: 21
      case .spaceSeparator: 22
      case .lineSeparator: 23
      case .paragraphSeparator: 24
      case .control: 25
      case .format: 26
      case .surrogate: 27
      case .privateUse: 28
      case .unassigned: 29
      @unknown default: 29
      }
    return category | (properties.isWhitespace ? 32 : 0) | (properties.isAlphabetic ? 64 : 0)
  }
}
