/// A string as templates see it: UTF-8, indexed by Unicode scalars like Python's, with the origin of every byte.
struct TemplateText: Sendable {
  var bytes: [UInt8]
  /// Ascending ends, the last one `bytes.count`; empty where all of it is template text.
  var runs: [Run]
  /// Python's Markup (what `safe` and `escape` give): joining it to another text escapes the other.
  var isMarkup = false

  init(bytes: [UInt8] = [], runs: [Run] = []) {
    self.bytes = bytes
    self.runs = runs
  }

  init(_ string: String) {
    bytes = Array(string.utf8)
    runs = []
  }

  init(_ string: String, _ origin: Origin) {
    self.init(bytes: Array(string.utf8), origin: origin)
  }

  init(bytes: [UInt8], origin: Origin) {
    self.bytes = bytes
    runs = bytes.isEmpty || origin == .template ? [] : [Run(end: Int32(bytes.count), origin: origin)]
  }

  var string: String { String(decoding: bytes, as: UTF8.self) }
  var isEmpty: Bool { bytes.isEmpty }

  /// The origin of the first byte.
  var origin: Origin { runs.first?.origin ?? .template }

  // MARK: - Building

  /// Appends `other`, joined while message `turn` was handled: a template may gather all it has to say in one text and
  /// print that at its end.
  mutating func append(_ other: TemplateText, turn: Int32 = -1) {
    if other.runs.isEmpty, runs.isEmpty {
      bytes.append(contentsOf: other.bytes)
    } else {
      if runs.isEmpty, !bytes.isEmpty { runs.append(Run(end: Int32(bytes.count), origin: Origin(turn: turn))) }
      print(other, turn: turn)
    }
  }

  mutating func append(_ more: some Collection<UInt8>, _ origin: Origin = .template) {
    if more.isEmpty { return }
    if origin != .template || !runs.isEmpty {
      let start = Int32(bytes.count)
      if runs.isEmpty, start > 0 { runs.append(Run(end: start, origin: .template)) }
      appendRun(end: start + Int32(more.count), origin)
    }
    bytes.append(contentsOf: more)
  }

  private mutating func appendRun(end: Int32, _ origin: Origin) {
    if let last = runs.last, last.origin == origin {
      runs[runs.count - 1].end = end
    } else {
      runs.append(Run(end: end, origin: origin))
    }
  }

  /// Appends `other` as printed while message `turn` was handled: where `other` does not know better.
  mutating func print(_ other: TemplateText, turn: Int32) {
    let start = Int32(bytes.count)
    if other.bytes.isEmpty { return }
    if runs.isEmpty, start > 0 { runs.append(Run(end: start, origin: .template)) }
    if other.runs.isEmpty {
      appendRun(end: start + Int32(other.bytes.count), Origin(turn: turn))
    } else {
      for run in other.runs {
        var origin = run.origin
        if origin.turn < 0 { origin.turn = turn }
        appendRun(end: start + run.end, origin)
      }
    }
    bytes.append(contentsOf: other.bytes)
  }

  /// A text of the same origins whose pieces of one origin are changed one by one.
  func mapped(_ change: (ArraySlice<UInt8>) -> [UInt8]) -> TemplateText {
    var result = TemplateText()
    if runs.count <= 1 {
      result.append(change(bytes[...]), origin)
    } else {
      var start = 0
      for run in runs {
        result.append(change(bytes[start..<Int(run.end)]), run.origin)
        start = Int(run.end)
      }
    }
    result.isMarkup = isMarkup
    return result
  }

  func with(_ change: (inout Origin) -> Void) -> TemplateText {
    var result = self
    if result.runs.isEmpty, !bytes.isEmpty { result.runs = [Run(end: Int32(bytes.count), origin: .template)] }
    for i in result.runs.indices { change(&result.runs[i].origin) }
    return result
  }

  // MARK: - Pieces

  /// The bytes of a range with their origins.
  func piece(_ range: Range<Int>) -> TemplateText {
    if range.count == bytes.count { return self }
    var result = TemplateText(bytes: Array(bytes[range]))
    result.isMarkup = isMarkup
    if runs.isEmpty || range.isEmpty { return result }
    for run in runs where Int(run.end) > range.lowerBound {
      let end = min(Int(run.end), range.upperBound) - range.lowerBound
      result.runs.append(Run(end: Int32(end), origin: run.origin))
      if Int(run.end) >= range.upperBound { break }
    }
    return result
  }

  /// Unicode scalars.
  var scalarCount: Int {
    bytes.withUnsafeBufferPointer { $0.reduce(into: 0) { if $1 & 0xC0 != 0x80 { $0 += 1 } } }
  }

  /// Byte offsets at which the scalars begin, and the end.
  var scalarOffsets: [Int] {
    var offsets: [Int] = []
    offsets.reserveCapacity(bytes.count + 1)
    for (i, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 { offsets.append(i) }
    offsets.append(bytes.count)
    return offsets
  }

  var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }

  /// Scalars `range` (inside the text).
  func scalars(_ range: Range<Int>) -> TemplateText {
    if isASCII { return piece(range) }
    let offsets = scalarOffsets
    return piece(offsets[range.lowerBound]..<offsets[range.upperBound])
  }

  /// Each scalar a text of its own.
  var characters: [TemplateText] {
    let offsets = scalarOffsets
    return (0..<offsets.count - 1).map { piece(offsets[$0]..<offsets[$0 + 1]) }
  }

  // MARK: - Searching

  func starts(with other: [UInt8], at offset: Int = 0) -> Bool {
    guard offset + other.count <= bytes.count else { return false }
    for i in other.indices where bytes[offset + i] != other[i] { return false }
    return true
  }

  func hasSuffix(_ other: [UInt8]) -> Bool {
    other.count <= bytes.count && starts(with: other, at: bytes.count - other.count)
  }

  /// The first place of `other` at or after byte `start`.
  func find(_ other: [UInt8], from start: Int = 0) -> Int? {
    guard let first = other.first else { return start <= bytes.count ? start : nil }
    guard other.count <= bytes.count else { return nil }
    var at = start
    let last = bytes.count - other.count
    while at <= last {
      if bytes[at] == first, starts(with: other, at: at) { return at }
      at += 1
    }
    return nil
  }

  /// The last place of `other` that ends at or before byte `end`.
  func findLast(_ other: [UInt8], to end: Int? = nil) -> Int? {
    var at = (end ?? bytes.count) - other.count
    while at >= 0 {
      if starts(with: other, at: at) { return at }
      at -= 1
    }
    return nil
  }

  static func == (a: Self, b: Self) -> Bool { a.bytes == b.bytes }

  /// Order of code points, which is the order of UTF-8.
  static func < (a: Self, b: Self) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}
