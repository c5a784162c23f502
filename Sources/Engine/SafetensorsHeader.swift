internal import HoldfastBasics

/// The header of a safetensors file, believed only after every rule held:
///
/// - it is at most 100 MB and names at most 200,000 tensors (and as many metadata items), each with at most 64 dimensions;
/// - it is one JSON object; a tensor has exactly `dtype`, `shape` and `data_offsets`; `__metadata__` holds strings only;
/// - no key stands twice; every dtype is known; numbers are whole, not negative, and fit 63 bits, and so does every product;
/// - each tensor takes exactly the bytes that its shape and type need, and the tensors fill the rest of the file
///   from its first byte to its last, without overlap and without holes.
///
/// The reader works on the mapped bytes and builds nothing but the entries, so that a hostile header costs
/// no more memory than an honest one of that many tensors.
package struct SafetensorsHeader: Sendable {
  /// In the order of their bytes; empty tensors stand where they were put.
  package let entries: [TensorEntry]
  package let metadata: [String: String]

  package static let longest = 100_000_000
  package static let mostEntries = 200_000
  static let mostDimensions = 64

  package init(_ bytes: UnsafeRawBufferPointer, file: String) throws(SafetensorsError) {
    func fail(_ reason: String) -> SafetensorsError { SafetensorsError(file: file, reason: reason) }
    guard bytes.count >= 8 else { throw fail("\(bytes.count) bytes are too few for a safetensors file") }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Self.longest else { throw fail("its header would be \(length) bytes long; the format allows \(Self.longest)") }
    let start = 8 + Int(length)
    guard start <= bytes.count else {
      throw fail("it ends inside its header: \(length) bytes announced, \(bytes.count - 8) there")
    }
    let text = UnsafeRawBufferPointer(rebasing: bytes[8..<start]).bindMemory(to: UInt8.self)
    var scanner = HeaderScanner(text: text, file: file)
    try scanner.document()
    metadata = scanner.metadata

    let data = bytes.count - start
    var entries: [TensorEntry] = []
    entries.reserveCapacity(scanner.found.count)
    var end = 0
    var before = ""
    for tensor in scanner.found.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      let name = quoted(tensor.name)
      guard tensor.begin <= tensor.end else { throw fail("tensor \(name) ends before it begins") }
      guard tensor.end <= data else {
        throw fail("tensor \(name) ends at byte \(tensor.end) of the data, which has \(data): the file is cut short or the header lies")
      }
      guard let size = Self.size(tensor.shape, tensor.dtype) else { throw fail("the shape of tensor \(name) is too large to count") }
      guard size == tensor.end - tensor.begin else {
        throw fail("tensor \(name) has \(tensor.end - tensor.begin) bytes, but its shape \(tensor.shape) of \(tensor.dtype.rawValue) needs \(size)")
      }
      if tensor.begin < end { throw fail("tensors \(before) and \(name) overlap") }
      if tensor.begin > end { throw fail("bytes \(end) to \(tensor.begin) of the data, before tensor \(name), belong to no tensor") }
      end = tensor.end
      before = name
      entries.append(
        TensorEntry(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, range: start + tensor.begin..<start + tensor.end))
    }
    guard end == data else { throw fail("the last \(data - end) bytes belong to no tensor") }
    self.entries = entries
  }

  /// Bytes that a shape of a type takes; nil when that many cannot be counted. A zero hides no overflow.
  package static func size(_ shape: [Int], _ dtype: DType) -> Int? {
    var size = dtype.size
    for dimension in shape where dimension != 0 {
      let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      size = product
    }
    return shape.contains(0) ? 0 : size
  }
}

/// A name from a file as a message may show it: shortened, without control characters.
func quoted(_ name: String) -> String {
  let shown = String(name.unicodeScalars.prefix(80).map { Character($0) })
  return shown.debugDescription + (shown.utf8.count < name.utf8.count ? "…" : "")
}

/// The JSON of a header and no other JSON.
private struct HeaderScanner {
  struct Found {
    var name: String
    var dtype: DType
    var shape: [Int]
    var begin, end: Int
  }

  let text: UnsafeBufferPointer<UInt8>
  let file: String
  var at = 0
  var found: [Found] = []
  var metadata: [String: String] = [:]

  init(text: UnsafeBufferPointer<UInt8>, file: String) {
    self.text = text
    self.file = file
  }

  func fail(_ reason: String) -> SafetensorsError {
    SafetensorsError(file: file, reason: "byte \(8 + min(at, text.count)), in its header: \(reason)")
  }

  mutating func document() throws(SafetensorsError) {
    guard text.first == UInt8(ascii: "{") else { throw fail("a header begins with '{'") }
    var names = Set<String>()
    var hasMetadata = false
    try members { (scanner, name) throws(SafetensorsError) in
      if name == "__metadata__" {
        if hasMetadata { throw scanner.fail("__metadata__ stands twice") }
        hasMetadata = true
        try scanner.readMetadata()
      } else {
        guard names.insert(name).inserted else { throw scanner.fail("tensor \(quoted(name)) stands twice") }
        guard names.count <= SafetensorsHeader.mostEntries else {
          throw scanner.fail("more than \(SafetensorsHeader.mostEntries) tensors")
        }
        try scanner.readTensor(name)
      }
    }
    skipSpace()
    if at < text.count { throw fail("something follows the closing '}'") }
  }

  mutating func readMetadata() throws(SafetensorsError) {
    try members { (scanner, key) throws(SafetensorsError) in
      guard scanner.metadata.updateValue(try scanner.string(), forKey: key) == nil else {
        throw scanner.fail("metadata \(quoted(key)) stands twice")
      }
      guard scanner.metadata.count <= SafetensorsHeader.mostEntries else {
        throw scanner.fail("more than \(SafetensorsHeader.mostEntries) metadata items")
      }
    }
  }

  mutating func readTensor(_ name: String) throws(SafetensorsError) {
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    try members { (scanner, key) throws(SafetensorsError) in
      switch key {
      case "dtype" where dtype == nil:
        let word = try scanner.string()
        dtype = DType(rawValue: word)
        if dtype == nil {
          let known = DType.allCases.map(\.rawValue).joined(separator: ", ")
          throw scanner.fail("tensor \(quoted(name)) has the element type \(quoted(word)); known are \(known)")
        }
      case "shape" where shape == nil: shape = try scanner.numbers(atMost: SafetensorsHeader.mostDimensions)
      case "data_offsets" where offsets == nil: offsets = try scanner.numbers(atMost: 2)
      case "dtype", "shape", "data_offsets": throw scanner.fail("\(key) of tensor \(quoted(name)) stands twice")
      default: throw scanner.fail("tensor \(quoted(name)) has a key \(quoted(key)) that the format does not know")
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else {
      throw fail("tensor \(quoted(name)) lacks a dtype, a shape or two data_offsets")
    }
    found.append(Found(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1]))
  }

  // MARK: Words of the grammar

  mutating func skipSpace() {
    while at < text.count, text[at] == 0x20 || text[at] == 0x0A || text[at] == 0x0D || text[at] == 0x09 { at += 1 }
  }

  /// Steps over one character if it comes next, after white space.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard at < text.count, text[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  mutating func need(_ character: Unicode.Scalar) throws(SafetensorsError) {
    guard take(character) else { throw fail("expected '\(character)'") }
  }

  /// An object; `body` reads the value that follows each key.
  mutating func members(_ body: (inout Self, String) throws(SafetensorsError) -> Void) throws(SafetensorsError) {
    try need("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try need(":")
      try body(&self, key)
    } while take(",")
    try need("}")
  }

  mutating func numbers(atMost limit: Int) throws(SafetensorsError) -> [Int] {
    try need("[")
    var result: [Int] = []
    if take("]") { return result }
    repeat {
      guard result.count < limit else { throw fail("more than \(limit) numbers") }
      result.append(try number())
    } while take(",")
    try need("]")
    return result
  }

  mutating func number() throws(SafetensorsError) -> Int {
    skipSpace()
    let start = at
    var value = 0
    while at < text.count, case let digit = text[at] &- UInt8(ascii: "0"), digit < 10 {
      let (shifted, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, stillTooLarge) = shifted.addingReportingOverflow(Int(digit))
      if tooLarge || stillTooLarge { throw fail("a number that does not fit 63 bits") }
      value = sum
      at += 1
    }
    guard at > start else { throw fail("expected a whole number that is not negative") }
    guard at == start + 1 || text[start] != UInt8(ascii: "0") else { throw fail("a number begins with 0") }
    return value
  }

  /// A string; what stands between the quotation marks is checked and unescaped by the one JSON reader of the house.
  mutating func string() throws(SafetensorsError) -> String {
    skipSpace()
    let start = at
    guard at < text.count, text[at] == UInt8(ascii: "\"") else { throw fail("expected a text in quotation marks") }
    at += 1
    while at < text.count, text[at] != UInt8(ascii: "\"") { at += text[at] == UInt8(ascii: "\\") ? 2 : 1 }
    guard at < text.count else { throw fail("it ends inside a text") }
    at += 1
    do {
      return try JSON(UnsafeBufferPointer(rebasing: text[start..<at])).string ?? ""
    } catch {
      throw fail(error.reason)
    }
  }
}
