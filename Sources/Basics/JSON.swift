// JSON as files hold it: members keep their order, integers stay integers, a key that stands twice is an error.
// Foundation's decoder keeps neither the order nor the duplicates, and both matter: chat templates print
// objects in their order, and a safetensors header with a key twice is hostile (Docs/decisions.md).

/// A JSON value. Objects keep the order of their members.
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number written without fraction or exponent that fits 64 bits.
  case integer(Int)
  /// Every other number.
  case number(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

/// The members of a JSON object in the order of the file.
public struct JSONObject: Sendable, Hashable {
  public private(set) var keys: [String] = []
  public private(set) var values: [JSON] = []
  /// Positions by key, kept only where a scan over the keys would be slow.
  private var positions: [ExactKey: Int]?

  /// A key compared scalar by scalar, as JSON has it: Swift's own == takes "e\u{301}" for "é", and vocabularies hold both.
  private struct ExactKey: Hashable, Sendable {
    let text: String
    static func == (a: Self, b: Self) -> Bool { same(a.text, b.text) }
    func hash(into hasher: inout Hasher) {
      let isHashed: Void? = text.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
      if isHashed == nil { for byte in text.utf8 { hasher.combine(byte) } }
    }
  }

  private static func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

  private static let scanLimit = 8

  public init() {}

  public init(_ members: [(String, JSON)]) {
    for (key, value) in members { self[key] = value }
  }

  public var count: Int { keys.count }
  public var isEmpty: Bool { keys.isEmpty }
  public var members: Zip2Sequence<[String], [JSON]> { zip(keys, values) }

  public subscript(key: String) -> JSON? {
    get { position(of: key).map { values[$0] } }
    set {
      switch (position(of: key), newValue) {
      case (let found?, let value?): values[found] = value
      case (let found?, nil):
        keys.remove(at: found)
        values.remove(at: found)
        if positions != nil { index() }
      case (nil, let value?): append(key, value)
      case (nil, nil): break
      }
    }
  }

  private func position(of key: String) -> Int? {
    if let positions { return positions[ExactKey(text: key)] }
    return keys.firstIndex { Self.same($0, key) }
  }

  private mutating func index() {
    var map = [ExactKey: Int](minimumCapacity: keys.count)
    for (i, key) in keys.enumerated() { map[ExactKey(text: key)] = i }
    positions = map
  }

  private mutating func append(_ key: String, _ value: JSON) {
    keys.append(key)
    values.append(value)
    if positions != nil {
      positions?[ExactKey(text: key)] = keys.count - 1
    } else if keys.count > Self.scanLimit {
      index()
    }
  }

  /// Appends a member; false, and nothing appended, when the key is there already.
  public mutating func appendNew(_ key: String, _ value: JSON) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }

  public static func == (a: Self, b: Self) -> Bool { a.keys == b.keys && a.values == b.values }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(keys)
    hasher.combine(values)
  }
}

/// Why a text is not the JSON that was asked for.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  /// What is wrong, in words.
  public let reason: String
  /// Byte offset into the text, from 0.
  public let offset: Int
  /// Line of that byte, from 1.
  public let line: Int

  public var description: String { "not valid JSON at line \(line), byte \(offset): \(reason)" }
}

extension JSON {
  /// What a reader accepts at most; the defaults suit configuration files and rows.
  public struct Limits: Sendable {
    /// Arrays and objects inside one another.
    public var depth: Int
    /// Members of all objects and elements of all arrays together.
    public var elements: Int

    public init(depth: Int = 128, elements: Int = .max) {
      self.depth = depth
      self.elements = elements
    }
  }

  /// Reads one JSON value that fills the bytes (white space around it allowed).
  public init(_ bytes: UnsafeBufferPointer<UInt8>, limits: Limits = Limits()) throws(JSONError) {
    var reader = JSONReader(bytes: bytes, limits: limits)
    self = try reader.document()
  }

  public init(_ bytes: [UInt8], limits: Limits = Limits()) throws(JSONError) {
    let result: Result<JSON, JSONError> = bytes.withUnsafeBufferPointer { buffer in
      do throws(JSONError) { return .success(try JSON(buffer, limits: limits)) } catch { return .failure(error) }
    }
    self = try result.get()
  }

  public init(text: String, limits: Limits = Limits()) throws(JSONError) {
    try self.init(Array(text.utf8), limits: limits)
  }
}

// MARK: - Looking inside

extension JSON {
  /// A member of an object; nil for every other value.
  public subscript(key: String) -> JSON? { object?[key] }
  /// An element of an array; nil out of range and for every other value.
  public subscript(index: Int) -> JSON? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }
  public var isNull: Bool { self == .null }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// An integer, or a number without fraction.
  public var int: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral members: (String, JSON)...) { self = .object(JSONObject(members)) }
  public init(nilLiteral: ()) { self = .null }
}

// MARK: - Reading

private struct JSONReader {
  let bytes: UnsafeBufferPointer<UInt8>
  let limits: JSON.Limits
  var at = 0
  var elements = 0

  mutating func document() throws(JSONError) -> JSON {
    skipSpace()
    let value = try value(depth: 0)
    skipSpace()
    if at < bytes.count { throw fail("something follows the value") }
    return value
  }

  func fail(_ reason: String, at offset: Int? = nil) -> JSONError {
    let offset = min(offset ?? at, bytes.count)
    var line = 1
    for i in 0..<offset where bytes[i] == 0x0A { line += 1 }
    return JSONError(reason: reason, offset: offset, line: line)
  }

  mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
  }

  mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard at < bytes.count else { throw fail("the text ends where a value should stand") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"):
      try word("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try word("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try word("null")
      return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw fail("no value begins with this character")
    }
  }

  mutating func word(_ text: StaticString) throws(JSONError) {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { throw fail("the text ends inside a word") }
    for i in 0..<count where bytes[at + i] != text.utf8Start[i] { throw fail("expected \(text)") }
    at += count
  }

  mutating func count() throws(JSONError) {
    elements += 1
    if elements > limits.elements { throw fail("more than \(limits.elements) elements") }
  }

  mutating func array(depth: Int) throws(JSONError) -> JSON {
    guard depth < limits.depth else { throw fail("nested deeper than \(limits.depth)") }
    at += 1
    var result: [JSON] = []
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
      at += 1
      return .array(result)
    }
    while true {
      skipSpace()
      try count()
      result.append(try value(depth: depth + 1))
      skipSpace()
      guard at < bytes.count else { throw fail("the text ends inside an array") }
      if bytes[at] == UInt8(ascii: ",") {
        at += 1
      } else if bytes[at] == UInt8(ascii: "]") {
        at += 1
        return .array(result)
      } else {
        throw fail("expected ',' or ']'")
      }
    }
  }

  mutating func object(depth: Int) throws(JSONError) -> JSON {
    guard depth < limits.depth else { throw fail("nested deeper than \(limits.depth)") }
    at += 1
    var result = JSONObject()
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      return .object(result)
    }
    while true {
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("expected a key in quotation marks") }
      let start = at
      let key = try string()
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fail("expected ':'") }
      at += 1
      skipSpace()
      try count()
      let member = try value(depth: depth + 1)
      if !result.appendNew(key, member) { throw fail("the key \"\(key.prefix(80))\" stands twice", at: start) }
      skipSpace()
      guard at < bytes.count else { throw fail("the text ends inside an object") }
      if bytes[at] == UInt8(ascii: ",") {
        at += 1
      } else if bytes[at] == UInt8(ascii: "}") {
        at += 1
        return .object(result)
      } else {
        throw fail("expected ',' or '}'")
      }
    }
  }

  mutating func string() throws(JSONError) -> String {
    let start = at
    at += 1
    let begin = at
    while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 { at += 1 }
    guard at < bytes.count else { throw fail("the text ends inside a string", at: start) }
    if bytes[at] == UInt8(ascii: "\"") {  // nothing escaped: the common case, copied in one piece
      let piece = UnsafeBufferPointer(rebasing: bytes[begin..<at])
      at += 1
      guard let text = String(validating: piece, as: UTF8.self) else { throw fail("a string is not UTF-8", at: start) }
      return text
    }
    var text = Array(bytes[begin..<at])
    while true {
      guard at < bytes.count else { throw fail("the text ends inside a string", at: start) }
      let byte = bytes[at]
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        guard let result = String(validating: text, as: UTF8.self) else { throw fail("a string is not UTF-8", at: start) }
        return result
      case UInt8(ascii: "\\"):
        at += 1
        try escape(into: &text)
      case 0..<0x20: throw fail("a control character stands in a string unescaped")
      default:
        text.append(byte)
        at += 1
      }
    }
  }

  mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard at < bytes.count else { throw fail("the text ends inside an escape") }
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var unit = UInt32(try hexadecimal())
      if (0xD800..<0xDC00).contains(unit), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
        bytes[at + 1] == UInt8(ascii: "u")
      {
        let back = at
        at += 2
        let low = UInt32(try hexadecimal())
        if (0xDC00..<0xE000).contains(low) {
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        } else {
          at = back
        }
      }
      // Half a surrogate pair is no character; U+FFFD stands in for it.
      text.append(contentsOf: String(Unicode.Scalar(unit) ?? "\u{FFFD}").utf8)
    default: throw fail("\\\(Character(Unicode.Scalar(byte))) is no escape", at: at - 1)
    }
  }

  mutating func hexadecimal() throws(JSONError) -> UInt16 {
    guard at + 4 <= bytes.count else { throw fail("the text ends inside an escape") }
    var result: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue, bytes[at] < 0x80 else {
        throw fail("expected four hexadecimal digits")
      }
      result = result << 4 | UInt16(digit)
      at += 1
    }
    return result
  }

  mutating func digits() -> Int {
    let start = at
    while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") { at += 1 }
    return at - start
  }

  mutating func number() throws(JSONError) -> JSON {
    let start = at
    var isInteger = true
    if bytes[at] == UInt8(ascii: "-") { at += 1 }
    let first = at
    guard digits() > 0 else { throw fail("expected a digit") }
    if bytes[first] == UInt8(ascii: "0"), at - first > 1 { throw fail("a number begins with 0", at: first) }
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      guard digits() > 0 else { throw fail("expected a digit after the point") }
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
      isInteger = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      guard digits() > 0 else { throw fail("expected a digit in the exponent") }
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw fail("no number", at: start) }
    return .number(value)
  }
}

// MARK: - Writing

extension JSON {
  /// How a value is written.
  public struct Style: Sendable {
    /// Between members and between elements.
    public var comma: String
    public var colon: String
    /// Spaces a level; nil writes one line.
    public var indent: Int?

    public init(comma: String = ",", colon: String = ":", indent: Int? = nil) {
      self.comma = comma
      self.colon = colon
      self.indent = indent
    }

    /// `{"a":1,"b":2}`
    public static let compact = Style()
    /// `{"a": 1, "b": 2}`, what Python's json.dumps writes (with ensure_ascii off).
    public static let spaced = Style(comma: ", ", colon: ": ")
    /// Two spaces a level.
    public static let pretty = Style(colon: ": ", indent: 2)
  }

  /// The value as JSON text. Infinities and NaN, which JSON lacks, become null.
  public func text(_ style: Style = .compact) -> String {
    var out: [UInt8] = []
    write(to: &out, style: style, level: 0)
    return String(decoding: out, as: UTF8.self)
  }

  /// The value as UTF-8, appended.
  public func write(to out: inout [UInt8], style: Style = .compact, level: Int = 0) {
    func breakLine(_ level: Int) {
      guard let indent = style.indent else { return }
      out.append(0x0A)
      out.append(contentsOf: repeatElement(0x20, count: indent * level))
    }
    switch self {
    case .null: out.append(contentsOf: "null".utf8)
    case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): out.append(contentsOf: String(value).utf8)
    case .number(let value): out.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
    case .string(let value): JSON.quote(value, into: &out)
    case .array(let elements):
      out.append(UInt8(ascii: "["))
      for (i, element) in elements.enumerated() {
        if i > 0 { out.append(contentsOf: style.comma.utf8) }
        breakLine(level + 1)
        element.write(to: &out, style: style, level: level + 1)
      }
      if !elements.isEmpty { breakLine(level) }
      out.append(UInt8(ascii: "]"))
    case .object(let object):
      out.append(UInt8(ascii: "{"))
      var first = true
      for (key, value) in object.members {
        if !first { out.append(contentsOf: style.comma.utf8) }
        first = false
        breakLine(level + 1)
        JSON.quote(key, into: &out)
        out.append(contentsOf: style.colon.utf8)
        value.write(to: &out, style: style, level: level + 1)
      }
      if !object.isEmpty { breakLine(level) }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func quote(_ text: String, into out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): out.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\\"): out.append(contentsOf: #"\\"#.utf8)
      case 0x0A: out.append(contentsOf: #"\n"#.utf8)
      case 0x0D: out.append(contentsOf: #"\r"#.utf8)
      case 0x09: out.append(contentsOf: #"\t"#.utf8)
      case 0x08: out.append(contentsOf: #"\b"#.utf8)
      case 0x0C: out.append(contentsOf: #"\f"#.utf8)
      case 0..<0x20:
        out.append(contentsOf: #"\u00"#.utf8)
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}
