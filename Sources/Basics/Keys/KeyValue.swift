/// What may stand at a key: how it is read, written back and named in a complaint.
public protocol KeyValue: Sendable {
  /// In words with the article, as in "a whole number".
  static var kindOfValue: String { get }
  /// What a reader goes on with after a complaint; never seen by anybody, since the complaint is thrown.
  static var placeholder: Self { get }
  /// nil when the value is of another kind.
  init?(key json: JSON)
  var json: JSON { get }
}

extension Int: KeyValue {
  public static var kindOfValue: String { "a whole number" }
  public static var placeholder: Int { 0 }
  public init?(key json: JSON) {
    switch json {
    case .integer(let value): self = value
    case .number(let value):  // 1e3 is a whole number to whoever writes it
      guard let whole = Int(exactly: value) else { return nil }
      self = whole
    default: return nil
    }
  }
  public var json: JSON { .integer(self) }
}

extension Double: KeyValue {
  public static var kindOfValue: String { "a number" }
  public static var placeholder: Double { 0 }
  public init?(key json: JSON) {
    switch json {
    case .integer(let value): self = Double(value)
    case .number(let value) where value.isFinite: self = value
    default: return nil
    }
  }
  public var json: JSON { .number(self) }
}

extension Bool: KeyValue {
  public static var kindOfValue: String { "true or false" }
  public static var placeholder: Bool { false }
  public init?(key json: JSON) {
    guard case .bool(let value) = json else { return nil }
    self = value
  }
  public var json: JSON { .bool(self) }
}

extension String: KeyValue {
  public static var kindOfValue: String { "a text" }
  public static var placeholder: String { "" }
  public init?(key json: JSON) {
    guard case .string(let value) = json else { return nil }
    self = value
  }
  public var json: JSON { .string(self) }
}

extension Array: KeyValue where Element: KeyValue {
  public static var kindOfValue: String { "a list, each element \(Element.kindOfValue)" }
  public static var placeholder: [Element] { [] }
  /// One element may stand without brackets.
  public init?(key json: JSON) {
    guard case .array(let values) = json else {
      guard let one = Element(key: json) else { return nil }
      self = [one]
      return
    }
    var elements: [Element] = []
    for value in values {
      guard let element = Element(key: value) else { return nil }
      elements.append(element)
    }
    self = elements
  }
  public var json: JSON { .array(map(\.json)) }
}

/// A word out of a fixed set; an enumeration of `String` raw values needs nothing but the name of this protocol.
public protocol KeyChoice: KeyValue, RawRepresentable, CaseIterable where RawValue == String {}

extension KeyChoice {
  public static var kindOfValue: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
  public static var placeholder: Self { allCases[allCases.startIndex] }
  public init?(key json: JSON) {
    guard case .string(let word) = json else { return nil }
    self.init(rawValue: word)
  }
  public var json: JSON { .string(rawValue) }
}

/// Which values of a kind are valid.
public protocol KeyBounds<Bound>: Sendable {
  associatedtype Bound: KeyValue
  func contains(_ value: Bound) -> Bool
  /// As in "between 0 and 1".
  var words: String { get }
}

extension ClosedRange: KeyBounds where Bound: KeyValue {
  public var words: String { "between \(keyText(lowerBound)) and \(keyText(upperBound))" }
}
extension Range: KeyBounds where Bound: KeyValue {
  public var words: String { "at least \(keyText(lowerBound)) and below \(keyText(upperBound))" }
}
extension PartialRangeFrom: KeyBounds where Bound: KeyValue {
  public var words: String { "at least \(keyText(lowerBound))" }
}

/// Everything greater than a bound and, where there is one, below another.
public struct Above<Bound: KeyValue & Comparable>: KeyBounds {
  public let lower: Bound
  public let upper: Bound?

  public init(_ lower: Bound, below upper: Bound? = nil) {
    self.lower = lower
    self.upper = upper
  }

  public func contains(_ value: Bound) -> Bool { value > lower && upper.map { value < $0 } ?? true }
  public var words: String { "above \(keyText(lower))" + (upper.map { " and below \(keyText($0))" } ?? "") }
}

/// A value as a user would write it: whole numbers without a fraction.
func keyText(_ value: some KeyValue) -> String { keyText(value.json) }

func keyText(_ json: JSON) -> String {
  switch json {
  case .number(let value):
    if let whole = Int(exactly: value), abs(whole) < 1_000_000 { return String(whole) }
    return json.text()
  case .string(let word): return word
  default: return json.text(.spaced)
  }
}
