/// GPT-2's alphabet: every byte as a printable scalar, so that a vocabulary of bytes can be written as text.
///
/// Printable Latin-1 stands for itself; the others follow from U+0100 on, in order.
enum ByteAlphabet {
  /// The scalar of each byte.
  static let scalars: [UInt32] = {
    var table: [UInt32] = []
    var next: UInt32 = 0x100
    for byte in UInt32(0)...255 {
      if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE {
        table.append(byte)
      } else {
        table.append(next)
        next += 1
      }
    }
    return table
  }()

  /// The byte of each scalar below U+0144, -1 where there is none.
  static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
    return table
  }()

  /// Appends the scalar of a byte as UTF-8.
  @inline(__always)
  static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
    if byte >= 0x21, byte <= 0x7E { bytes.append(byte) } else { appendUTF8(scalars[Int(byte)], to: &bytes) }
  }

  /// The bytes that a token's text stands for; nil when a scalar is not of the alphabet.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    let bytes = Self.bytes
    var i = text.startIndex
    while i != text.endIndex {
      let lead = text[i]
      i = text.index(after: i)
      var value = Int(lead)
      if lead >= 0x80 {
        // The alphabet ends at U+0143: two bytes at most.
        guard lead < 0xC6, i != text.endIndex else { return nil }
        value = Int(lead & 0x1F) << 6 | Int(text[i] & 0x3F)
        i = text.index(after: i)
      }
      guard value < bytes.count, bytes[value] >= 0 else { return nil }
      result.append(UInt8(bytes[value]))
    }
    return result
  }
}
