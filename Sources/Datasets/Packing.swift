/// How examples are laid into rows.
public enum Packing: String, Sendable, Hashable, CaseIterable, Codable {
  /// Several whole examples a row, each into the fullest row that still takes it; they do not see each other.
  case bestFit = "best_fit"
  /// One example a row.
  case none
  /// Texts one behind another, cut where a row is full: every row but the last is full. The pieces of a text do not
  /// see each other; each label is still seen once.
  case wrapped
}

/// A piece of an example on its way into a row.
struct Piece: Sendable, Hashable {
  /// Index into the dataset's examples.
  var example: Int
  /// First token.
  var offset: Int
  /// Positions it fills: one label each.
  var length: Int
}

/// One epoch's rows, as pieces one behind another: four bytes an example where examples are whole, since epochs of millions are held.
struct Layout: Sendable {
  /// Where each row's pieces begin; one more at the end.
  fileprivate(set) var starts: [UInt32] = [0]
  fileprivate(set) var examples: [UInt32] = []
  /// First token and positions of each piece; nil where every piece is a whole example.
  fileprivate(set) var cuts: [(offset: UInt32, length: UInt32)]?

  /// Rows.
  var count: Int { starts.count - 1 }

  /// The pieces of a row.
  ///
  /// - Parameter positions: those of an example.
  func pieces(_ row: Int, positions: (Int) -> Int) -> [Piece] {
    (Int(starts[row])..<Int(starts[row + 1])).map { at in
      let example = Int(examples[at])
      if let cut = cuts?[at] { return Piece(example: example, offset: Int(cut.offset), length: Int(cut.length)) }
      return Piece(example: example, offset: 0, length: positions(example))
    }
  }
}

extension Packing {
  /// Lays examples, given by index, into rows in their order.
  ///
  /// - Parameter positions: those of an example.
  func layout(_ order: [UInt32], rowLength: Int, positions: (Int) -> Int) -> Layout {
    switch self {
    case .none:
      var layout = Layout()
      layout.examples = order
      layout.starts = (0...UInt32(order.count)).map { $0 }
      return layout
    case .wrapped: return wrap(order, rowLength, positions)
    case .bestFit: return bestFit(order, rowLength, positions)
    }
  }

  private func wrap(_ order: [UInt32], _ rowLength: Int, _ positions: (Int) -> Int) -> Layout {
    var layout = Layout()
    layout.starts = []
    var cuts: [(offset: UInt32, length: UInt32)] = []
    var free = 0
    for index in order {
      let positions = positions(Int(index))
      var offset = 0
      while offset < positions {
        if free == 0 {
          layout.starts.append(UInt32(cuts.count))
          free = rowLength
        }
        let length = min(free, positions - offset)
        layout.examples.append(index)
        cuts.append((UInt32(offset), UInt32(length)))
        offset += length
        free -= length
      }
    }
    layout.starts.append(UInt32(cuts.count))
    layout.cuts = cuts
    return layout
  }

  private func bestFit(_ order: [UInt32], _ rowLength: Int, _ positions: (Int) -> Int) -> Layout {
    var open = OpenRows(rowLength)
    // First the row of each example, then the examples by row; within a row they keep their order.
    var rowOf = [UInt32](repeating: 0, count: order.count)
    for (place, index) in order.enumerated() {
      let positions = positions(Int(index))
      let (row, free) = open.take(atLeast: positions) ?? open.new()
      rowOf[place] = UInt32(row)
      open.put(row, free: free - positions)
    }
    var layout = Layout()
    layout.starts = [UInt32](repeating: 0, count: open.count + 1)
    for row in rowOf { layout.starts[Int(row) + 1] += 1 }
    for row in 0..<open.count { layout.starts[row + 1] += layout.starts[row] }
    var next = layout.starts
    layout.examples = [UInt32](repeating: 0, count: order.count)
    for (place, index) in order.enumerated() {
      let row = Int(rowOf[place])
      layout.examples[Int(next[row])] = index
      next[row] += 1
    }
    return layout
  }
}

/// Rows with room left, found by the least room that suffices.
private struct OpenRows {
  /// By positions left the row put there last, which is taken first; −1 for none.
  private var heads: [Int32]
  /// For each row the one put there before it.
  private var before: [Int32] = []
  /// One bit per entry of `heads` that holds a row.
  private var occupied: [UInt64]
  private let rowLength: Int

  init(_ rowLength: Int) {
    self.rowLength = rowLength
    heads = [Int32](repeating: -1, count: rowLength + 1)
    occupied = [UInt64](repeating: 0, count: rowLength / 64 + 1)
  }

  /// Rows so far.
  var count: Int { before.count }

  mutating func new() -> (row: Int, free: Int) {
    before.append(-1)
    return (before.count - 1, rowLength)
  }

  mutating func put(_ row: Int, free: Int) {
    if free == 0 { return }
    before[row] = heads[free]
    heads[free] = Int32(row)
    occupied[free / 64] |= 1 << UInt64(free % 64)
  }

  mutating func take(atLeast need: Int) -> (row: Int, free: Int)? {
    guard need < heads.count else { return nil }
    var word = need / 64
    var bits = occupied[word] & (~0 << UInt64(need % 64))
    while bits == 0 {
      word += 1
      if word == occupied.count { return nil }
      bits = occupied[word]
    }
    let free = word * 64 + bits.trailingZeroBitCount
    let row = Int(heads[free])
    heads[free] = before[row]
    if heads[free] < 0 { occupied[word] &= ~(1 << UInt64(free % 64)) }
    return (row, free)
  }
}
