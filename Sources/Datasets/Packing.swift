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

/// One epoch's rows, as pieces.
typealias Layout = [[Piece]]

extension Packing {
  /// Lays examples, given by index and number of positions, into rows in their order.
  func layout(_ examples: [(index: Int, positions: Int)], rowLength: Int) -> Layout {
    switch self {
    case .none: examples.map { [Piece(example: $0.index, offset: 0, length: $0.positions)] }
    case .wrapped: wrap(examples, rowLength)
    case .bestFit: bestFit(examples, rowLength)
    }
  }

  private func wrap(_ examples: [(index: Int, positions: Int)], _ rowLength: Int) -> Layout {
    var rows: Layout = []
    var free = 0
    for (index, positions) in examples {
      var offset = 0
      while offset < positions {
        if free == 0 {
          rows.append([])
          free = rowLength
        }
        let length = min(free, positions - offset)
        rows[rows.count - 1].append(Piece(example: index, offset: offset, length: length))
        offset += length
        free -= length
      }
    }
    return rows
  }

  private func bestFit(_ examples: [(index: Int, positions: Int)], _ rowLength: Int) -> Layout {
    var rows: Layout = []
    var open = OpenRows(rowLength)
    for (index, positions) in examples {
      let row: Int
      let free: Int
      if let (found, room) = open.take(atLeast: positions) {
        (row, free) = (found, room)
      } else {
        (row, free) = (rows.count, rowLength)
        rows.append([])
      }
      rows[row].append(Piece(example: index, offset: 0, length: positions))
      open.put(row, free: free - positions)
    }
    return rows
  }
}

/// Rows with room left, found by the least room that suffices.
private struct OpenRows {
  /// Rows by positions left; the row put there last is taken first.
  private var rows: [[Int]]
  /// One bit per entry of `rows` that is not empty.
  private var occupied: [UInt64]

  init(_ rowLength: Int) {
    rows = [[Int]](repeating: [], count: rowLength + 1)
    occupied = [UInt64](repeating: 0, count: rowLength / 64 + 1)
  }

  mutating func put(_ row: Int, free: Int) {
    if free == 0 { return }
    rows[free].append(row)
    occupied[free / 64] |= 1 << UInt64(free % 64)
  }

  mutating func take(atLeast need: Int) -> (row: Int, free: Int)? {
    guard need < rows.count else { return nil }
    var word = need / 64
    var bits = occupied[word] & (~0 << UInt64(need % 64))
    while bits == 0 {
      word += 1
      if word == occupied.count { return nil }
      bits = occupied[word]
    }
    let free = word * 64 + bits.trailingZeroBitCount
    let row = rows[free].removeLast()
    if rows[free].isEmpty { occupied[word] &= ~(1 << UInt64(free % 64)) }
    return (row, free)
  }
}
