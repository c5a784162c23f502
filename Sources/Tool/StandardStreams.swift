import HoldfastBasics
#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Standard output in large pieces.
struct OutputBuffer {
  private var bytes: [UInt8] = []

  mutating func line(_ json: JSON) throws {
    json.write(to: &bytes, style: .spaced)
    bytes.append(0x0A)
    if bytes.count > 1 << 16 { try flush() }
  }

  mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  mutating func flush() throws {
    try bytes.withUnsafeBytes { try writeAll($0, to: 1) }
    bytes.removeAll(keepingCapacity: true)
  }
}

/// Complaints and progress, apart from results.
func printError(_ text: String) {
  var text = text + "\n"
  text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: 2) }
}

private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
  var rest = bytes
  while let start = rest.baseAddress, !rest.isEmpty {
    let count = write(descriptor, start, rest.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw FileError(path: "standard output", doing: "write to", code: errno)
    }
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }
}

enum StandardInput {
  /// Up to `most` bytes; none at the end.
  static func read(most: Int) throws -> [UInt8] {
    while true {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, filled in
        #if canImport(Glibc)
        count = Glibc.read(0, buffer.baseAddress, most)
        #else
        count = Darwin.read(0, buffer.baseAddress, most)
        #endif
        filled = max(0, count)
      }
      if count >= 0 { return bytes }
      if errno != EINTR { throw FileError(path: "standard input", doing: "read", code: errno) }
    }
  }

  static func readAll() throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      let piece = try read(most: 1 << 20)
      if piece.isEmpty { return all }
      all += piece
    }
  }
}

/// A text file, or standard input for `-`.
func readText(_ path: String) throws -> String {
  guard path == "-" else { return try MappedFile(path: path).text() }
  guard let text = String(validating: try StandardInput.readAll(), as: UTF8.self) else {
    throw FileError(path: "standard input", doing: "read", code: 0, reason: "not UTF-8 text")
  }
  return text
}
