/// Words met before and their tokens. Text repeats its words, so this answers nearly always.
struct WordCache {
  /// Where a word's tokens stand.
  struct Entry: BitwiseCopyable {
    var hash: UInt64
    var key: Int32
    var keyLength: Int32
    var first: Int32
    var count: Int32
  }

  /// Words longer than this are not kept.
  static let longestWord = 256
  private static let limit = 1 << 15
  private static let slotCount = 1 << 16

  private var slots: [UInt16]
  private var entries: [Entry] = []
  private var keys: [UInt8] = []
  private(set) var ids: [Int32] = []
  /// Bytes of the word each token stands for.
  private(set) var lengths: [Int32] = []

  init() { slots = [UInt16](repeating: 0, count: Self.slotCount) }

  /// A placeholder without memory, which must not be asked anything.
  init(empty: Void) { slots = [] }

  /// The entry of a word, or nil.
  @inline(__always)
  func find(_ bytes: Bytes, _ count: Int, _ hash: UInt64) -> Entry? {
    slots.withUnsafeBufferPointer { slots in
      entries.withUnsafeBufferPointer { entries in
        keys.withUnsafeBufferPointer { keys in
          var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
          while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.hash == hash, Int(entry.keyLength) == count,
              equalBytes(keys.baseAddress.unsafelyUnwrapped + Int(entry.key), bytes, count)
            {
              return entry
            }
            slot = (slot + 1) & (Self.slotCount - 1)
          }
          return nil
        }
      }
    }
  }

  /// Keeps a word that is not there; a full cache forgets everything first.
  mutating func insert(_ bytes: Bytes, _ count: Int, _ hash: UInt64, _ symbols: Symbols) {
    if entries.count == Self.limit {
      entries.removeAll(keepingCapacity: true)
      keys.removeAll(keepingCapacity: true)
      ids.removeAll(keepingCapacity: true)
      lengths.removeAll(keepingCapacity: true)
      for i in slots.indices { slots[i] = 0 }
    }
    let entry = Entry(
      hash: hash, key: Int32(keys.count), keyLength: Int32(count), first: Int32(ids.count),
      count: Int32(symbols.ids.count))
    keys.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
    ids.append(contentsOf: symbols.ids)
    lengths.append(contentsOf: symbols.lengths)
    entries.append(entry)
    var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (Self.slotCount - 1) }
    slots[slot] = UInt16(entries.count)
  }
}
