/// Byte strings in one block, numbered from 0, and a hash table that finds them again.
struct ByteStrings: Sendable {
  private let bytes: FixedArray<UInt8>
  /// String i stands at starts[i] ..< starts[i + 1].
  private let starts: FixedArray<Int>
  /// Slots of an open-addressing table: number + 1, 0 where empty.
  private let slots: FixedArray<UInt32>
  private let mask: Int
  let count: Int

  /// Of equal strings the last one is found. Empty strings are never found.
  init(_ strings: [[UInt8]]) {
    count = strings.count
    var all: [UInt8] = []
    all.reserveCapacity(strings.reduce(0) { $0 + $1.count })
    var starts = [0]
    starts.reserveCapacity(count + 1)
    for string in strings {
      all.append(contentsOf: string)
      starts.append(all.count)
    }
    let bytes = FixedArray(all)
    var size = 16
    while size < count * 2 { size *= 2 }
    let mask = size - 1
    slots = FixedArray(repeating: 0, count: size) { slots in
      for i in 0..<strings.count where starts[i] < starts[i + 1] {
        let start = bytes.base + starts[i]
        let length = starts[i + 1] - starts[i]
        var slot = Int(truncatingIfNeeded: hashBytes(start, length)) & mask
        while slots[slot] != 0 {
          let other = Int(slots[slot]) - 1
          if starts[other + 1] - starts[other] == length, equalBytes(bytes.base + starts[other], start, length) { break }
          slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(i + 1)
      }
    }
    self.bytes = bytes
    self.starts = FixedArray(starts)
    self.mask = mask
  }

  subscript(number: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: bytes.base + starts[number], count: starts[number + 1] - starts[number])
  }

  func text(_ number: Int) -> String { String(decoding: self[number], as: UTF8.self) }

  /// The number of a string, -1 when it is not there.
  func find(_ start: Bytes, _ length: Int) -> Int {
    var slot = Int(truncatingIfNeeded: hashBytes(start, length)) & mask
    while true {
      let number = Int(slots[slot]) - 1
      if number < 0 { return -1 }
      if starts[number + 1] - starts[number] == length, equalBytes(bytes.base + starts[number], start, length) {
        return number
      }
      slot = (slot + 1) & mask
    }
  }

  func find(_ text: String) -> Int {
    var text = text
    return text.withUTF8 { utf8 in utf8.baseAddress.map { find($0, utf8.count) } ?? -1 }
  }
}

/// Up to eight bytes as one number.
@inline(__always)
private func load(_ bytes: Bytes, _ count: Int) -> UInt64 {
  var word: UInt64 = 0
  for i in 0..<count { word |= UInt64(bytes[i]) << UInt64(i * 8) }
  return word
}

/// A hash with 64 well-mixed bits; not for keeping, and the same in every run.
@inline(__always)
func hashBytes(_ bytes: Bytes, _ count: Int) -> UInt64 {
  var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
  var at = 0
  let raw = UnsafeRawPointer(bytes)
  while count - at >= 8 {
    hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    at += 8
  }
  if at < count {
    // The last eight bytes overlap what was read where there are that many.
    let tail = count >= 8 ? raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self) : load(bytes, count)
    hash = mix(hash ^ tail)
  }
  return hash ^ (hash >> 32)
}

@inline(__always)
private func mix(_ value: UInt64) -> UInt64 {
  let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
  return product.high ^ product.low
}

@inline(__always)
func equalBytes(_ a: Bytes, _ b: Bytes, _ count: Int) -> Bool {
  var at = 0
  let left = UnsafeRawPointer(a), right = UnsafeRawPointer(b)
  while count - at >= 8 {
    if left.loadUnaligned(fromByteOffset: at, as: UInt64.self) != right.loadUnaligned(fromByteOffset: at, as: UInt64.self) {
      return false
    }
    at += 8
  }
  while at < count {
    if a[at] != b[at] { return false }
    at += 1
  }
  return true
}
