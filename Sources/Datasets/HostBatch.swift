/// The label of a position without a loss.
public let ignoreIndex = -100

/// A run of neighbouring positions of a row that see each other and nobody else: one example, or a piece of one.
public struct Segment: Sendable, Hashable {
  /// Row of the batch.
  public let row: Int
  /// First position in the row.
  public let start: Int
  /// Positions. The last token of an example is only ever a label, so an example of n tokens fills n − 1 of them.
  public let length: Int
  /// Which source, in the order of the recipe.
  public let source: Int
  /// Index into the dataset's examples.
  public let example: Int
  /// The example's token that stands at `start`; above 0 only where wrapping cut a text.
  public let offset: Int
  /// Of a pair 0 for the chosen and 1 for the rejected answer, one behind the other; else 0.
  public let side: Int

  public init(row: Int, start: Int, length: Int, source: Int, example: Int, offset: Int = 0, side: Int = 0) {
    self.row = row
    self.start = start
    self.length = length
    self.source = source
    self.example = example
    self.offset = offset
    self.side = side
  }
}

/// What one forward pass sees, in host memory: `rows` × `length`, row-major.
///
/// Padding is a length, not a token: positions behind a row's last segment hold id 0, position 0 and no label,
/// and belong to no segment.
public struct HostBatch: Sendable, Hashable {
  public let rows: Int
  /// Positions of a row: those of the fullest row.
  public let length: Int
  public let ids: [Int]
  /// The next token, already shifted, or `ignoreIndex`. No label crosses from one segment to the next.
  public let labels: [Int]
  /// Restart at 0 with each segment.
  public let positions: [Int]
  /// By row, then by start.
  public let segments: [Segment]
  /// Labels that count.
  public let units: Int
  /// Preference pairs.
  public let pairs: Int
  /// Factors on the labels' losses, where there is a label; nil where all are 1. They do not change `units`.
  public let weights: [Float]?

  public init(
    rows: Int, length: Int, ids: [Int], labels: [Int], positions: [Int], segments: [Segment], weights: [Float]? = nil
  ) {
    let size = rows * length
    precondition(weights == nil || weights!.count == size, "weights are not \(rows)×\(length)")
    precondition(ids.count == size && labels.count == size && positions.count == size, "arrays are not \(rows)×\(length)")
    self.rows = rows
    self.length = length
    self.ids = ids
    self.labels = labels
    self.positions = positions
    self.segments = segments
    self.weights = weights
    units = labels.count { $0 != ignoreIndex }
    pairs = segments.count { $0.side == 1 }
  }
}
