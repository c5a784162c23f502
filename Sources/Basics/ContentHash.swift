internal import Crypto

/// SHA-256 of bytes, as 64 lower-case hexadecimal digits.
public struct ContentHash: Sendable {
  private var hasher = SHA256()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bufferPointer: bytes) }
  public mutating func update(_ text: String) { hasher.update(data: Array(text.utf8)) }

  public consuming func finish() -> String {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    for byte in hasher.finalize() {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  public static func of(_ text: String) -> String {
    var hash = ContentHash()
    hash.update(text)
    return hash.finish()
  }

  public static func of(file path: String) throws(FileError) -> String {
    let file = try MappedFile(path: path)
    var hash = ContentHash()
    withExtendedLifetime(file) { hash.update(file.bytes) }
    return hash.finish()
  }
}
