/// A word as a row of tokens that merge with their neighbours: the lowest rank first, the leftmost of equals first.
struct Symbols {
  private(set) var ids: [Int32] = []
  /// Bytes of the word that each token stands for.
  private(set) var lengths: [Int32] = []

  // For few symbols: the rank of every pair. For many: also a linked list and a heap.
  private var ranks: [UInt32] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var heap: [UInt64] = []

  /// Scanning all pairs for the lowest rank is faster up to about here.
  private static let scanLimit = 48

  mutating func removeAll() {
    ids.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
  }

  /// Lets go of memory that only a very long word needed.
  mutating func shrink() { if ids.capacity > 1 << 16 { self = Symbols() } }

  @inline(__always)
  mutating func append(_ id: Int32, length: Int) {
    ids.append(id)
    lengths.append(Int32(truncatingIfNeeded: length))
  }

  mutating func merge(_ table: MergeTable) {
    if ids.count < 2 { return }
    if ids.count <= Self.scanLimit { mergeFew(table) } else { mergeMany(table) }
  }

  private mutating func mergeFew(_ table: MergeTable) {
    var count = ids.count
    ranks.removeAll(keepingCapacity: true)
    ranks.append(contentsOf: repeatElement(MergeTable.none, count: count))
    ids.withUnsafeMutableBufferPointer { ids in
      lengths.withUnsafeMutableBufferPointer { lengths in
        ranks.withUnsafeMutableBufferPointer { ranks in
          for i in 0..<count - 1 { ranks[i] = table.rank(ids[i], ids[i + 1]) }
          while true {
            var best = MergeTable.none
            var at = 0
            for i in 0..<count - 1 where ranks[i] < best { (best, at) = (ranks[i], i) }
            if best == MergeTable.none { break }
            ids[at] = table.result(best)
            lengths[at] &+= lengths[at + 1]
            count -= 1
            var i = at + 1
            while i < count {
              ids[i] = ids[i + 1]
              lengths[i] = lengths[i + 1]
              ranks[i] = ranks[i + 1]
              i += 1
            }
            if at > 0 { ranks[at - 1] = table.rank(ids[at - 1], ids[at]) }
            ranks[at] = at + 1 < count ? table.rank(ids[at], ids[at + 1]) : MergeTable.none
            if count == 1 { break }
          }
        }
      }
    }
    ids.removeLast(ids.count - count)
    lengths.removeLast(lengths.count - count)
  }

  private mutating func mergeMany(_ table: MergeTable) {
    let count = ids.count
    ranks = [UInt32](repeating: MergeTable.none, count: count)
    next = (0..<count).map { Int32($0 + 1 < count ? $0 + 1 : -1) }
    previous = (0..<count).map { Int32($0 - 1) }
    heap.removeAll(keepingCapacity: true)
    for i in 0..<count - 1 {
      ranks[i] = table.rank(ids[i], ids[i + 1])
      if ranks[i] != MergeTable.none { heap.append(UInt64(ranks[i]) << 32 | UInt64(i)) }
    }
    for i in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(i) }

    while let top = popLowest() {
      let at = Int(top & 0xFFFF_FFFF)
      let rank = UInt32(top >> 32)
      // A pair that changed since it was put here has another rank now.
      guard ranks[at] == rank else { continue }
      let right = Int(next[at])
      ids[at] = table.result(rank)
      lengths[at] &+= lengths[right]
      ranks[right] = MergeTable.none
      lengths[right] = -1
      next[at] = next[right]
      if next[at] >= 0 { previous[Int(next[at])] = Int32(at) }
      renew(at, table)
      if previous[at] >= 0 { renew(Int(previous[at]), table) }
    }

    var kept = 0
    for i in 0..<count where lengths[i] >= 0 {
      ids[kept] = ids[i]
      lengths[kept] = lengths[i]
      kept += 1
    }
    ids.removeLast(count - kept)
    lengths.removeLast(count - kept)
  }

  private mutating func renew(_ at: Int, _ table: MergeTable) {
    let rank = next[at] >= 0 ? table.rank(ids[at], ids[Int(next[at])]) : MergeTable.none
    ranks[at] = rank
    if rank != MergeTable.none { push(UInt64(rank) << 32 | UInt64(at)) }
  }

  private mutating func push(_ value: UInt64) {
    heap.append(value)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent] <= value { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = value
  }

  private mutating func popLowest() -> UInt64? {
    guard let lowest = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      siftDown(0)
    }
    return lowest
  }

  private mutating func siftDown(_ start: Int) {
    let value = heap[start]
    var parent = start
    while true {
      var child = parent * 2 + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      if heap[child] >= value { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = value
  }
}
