// Reading valid UTF-8 scalar by scalar. Every caller guarantees that the bytes came from a Swift string and that
// positions lie on scalar boundaries, so nothing is checked here.

typealias Bytes = UnsafePointer<UInt8>

/// Bytes of the scalar that begins with `lead`.
@inline(__always)
func scalarLength(_ lead: UInt8) -> Int {
  lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
}

/// The scalar at `position`.
@inline(__always)
func scalar(_ bytes: Bytes, _ position: Int) -> UInt32 {
  let lead = UInt32(bytes[position])
  if lead < 0x80 { return lead }
  let second = UInt32(bytes[position + 1] & 0x3F)
  if lead < 0xE0 { return (lead & 0x1F) << 6 | second }
  let third = UInt32(bytes[position + 2] & 0x3F)
  if lead < 0xF0 { return (lead & 0x0F) << 12 | second << 6 | third }
  return (lead & 0x07) << 18 | second << 12 | third << 6 | UInt32(bytes[position + 3] & 0x3F)
}

/// Where the scalar that ends at `position` begins.
@inline(__always)
func scalarStart(_ bytes: Bytes, before position: Int) -> Int {
  var start = position - 1
  while bytes[start] & 0xC0 == 0x80 { start -= 1 }
  return start
}

/// Appends a scalar as UTF-8.
func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
  switch scalar {
  case 0..<0x80: bytes.append(UInt8(scalar))
  case 0x80..<0x800:
    bytes.append(UInt8(0xC0 | scalar >> 6))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  case 0x800..<0x10000:
    bytes.append(UInt8(0xE0 | scalar >> 12))
    bytes.append(UInt8(0x80 | (scalar >> 6) & 0x3F))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  default:
    bytes.append(UInt8(0xF0 | scalar >> 18))
    bytes.append(UInt8(0x80 | (scalar >> 12) & 0x3F))
    bytes.append(UInt8(0x80 | (scalar >> 6) & 0x3F))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  }
}

/// The scalars of valid UTF-8.
func scalars(of bytes: some Collection<UInt8>) -> [UInt32] {
  String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value)
}
