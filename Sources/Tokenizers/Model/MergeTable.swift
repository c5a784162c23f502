/// Which neighbours merge, in what order, and into what.
struct MergeTable: Sendable {
  /// One merge: two token ids and the id of what they become. Its place in the list is its rank.
  struct Merge: Sendable {
    var left: Int32
    var right: Int32
    var result: Int32
  }

  /// The rank of a pair that does not merge.
  static let none = UInt32.max

  private struct Slot: BitwiseCopyable {
    var key: UInt64
    var rank: UInt32
  }

  private let slots: FixedArray<Slot>
  private let results: FixedArray<Int32>
  private let shift: UInt64
  private let mask: Int

  /// A pair that stands twice has its last rank, as in the `tokenizers` library.
  init(_ merges: [Merge]) {
    var bits: UInt64 = 4
    while 1 << bits < merges.count * 2 { bits += 1 }
    let shift = 64 - bits
    let mask = (1 << Int(bits)) - 1
    slots = FixedArray(repeating: Slot(key: .max, rank: Self.none), count: mask + 1) { slots in
      for (rank, merge) in merges.enumerated() {
        let key = Self.key(merge.left, merge.right)
        var slot = Self.slot(key, shift)
        while slots[slot].key != .max, slots[slot].key != key { slot = (slot + 1) & mask }
        slots[slot] = Slot(key: key, rank: UInt32(rank))
      }
    }
    results = FixedArray(merges.map(\.result))
    self.shift = shift
    self.mask = mask
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func slot(_ key: UInt64, _ shift: UInt64) -> Int {
    Int(truncatingIfNeeded: ((key ^ (key >> 29)) &* 0x9E37_79B9_7F4A_7C15) >> shift)
  }

  @inline(__always)
  func rank(_ left: Int32, _ right: Int32) -> UInt32 {
    let key = Self.key(left, right)
    var slot = Self.slot(key, shift)
    while true {
      let found = slots[slot]
      if found.key == key { return found.rank }
      if found.key == .max { return Self.none }
      slot = (slot + 1) & mask
    }
  }

  /// What the merge of this rank makes.
  @inline(__always)
  func result(_ rank: UInt32) -> Int32 { results[Int(rank)] }
}
