import HoldfastBasics
import HoldfastTokenizers

/// Where tests find their files.
enum Places {
  /// The package's folder: three above this file.
  static let package = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
  static let fixtures = package + "/Tests/Fixtures/tokenizers"
  /// Reference data beside the project, which a clone need not have.
  static let shared = Files.folder(of: package) + "/shared"
  static var hasShared: Bool { Files.exists(shared + "/tokenizers/README.md") }

  /// The rows of a JSONL file.
  static func rows(_ path: String) throws -> [JSON] {
    let file = try MappedFile(path: path)
    return try file.bytes.split(separator: UInt8(ascii: "\n")).map { line in try JSON(Array(line)) }
  }
}

extension JSON {
  var ids: [Int]? { array?.map { $0.int ?? -1 } }
}

/// Text to compare scalar by scalar: Swift's own == takes "e\u{301}" for "é".
struct Exactly: Equatable, CustomStringConvertible {
  let bytes: [UInt8]
  init(_ text: String) { bytes = Array(text.utf8) }
  var description: String { String(decoding: bytes, as: UTF8.self).debugDescription }
}

/// The first rows that differ, for a message that says what went wrong without a thousand lines.
struct Differences {
  private(set) var count = 0
  private(set) var first: [String] = []

  mutating func add(_ what: String) {
    count += 1
    if first.count < 3 { first.append(what) }
  }
}
