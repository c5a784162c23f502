public import HoldfastEngine

/// Keys and values of the tokens read so far, per layer [rows, KV heads, capacity, width]. Rows may have different lengths.
public final class KVCache {
  /// Tokens each row holds.
  public private(set) var lengths: [Int]
  public let capacity: Int
  private(set) var keys: [Tensor] = []
  private(set) var values: [Tensor] = []

  public init(_ c: ModelConfiguration, rows: Int, capacity: Int, dtype: DType, device: Device) throws(EngineError) {
    precondition(rows > 0 && capacity > 0)
    lengths = Array(repeating: 0, count: rows)
    self.capacity = capacity
    let shape = [rows, c.keyValueHeadCount, capacity, c.headWidth]
    for _ in 0..<c.layerCount {
      keys.append(try Tensor.zeros(shape, dtype: dtype, device: device))
      values.append(try Tensor.zeros(shape, dtype: dtype, device: device))
    }
  }

  /// Writes a block behind every row's tokens; `advance` then counts them.
  func extend(layer: Int, keys k: Tensor, values v: Tensor) throws(EngineError) -> (keys: Tensor, values: Tensor) {
    try keys[layer].write(k, at: lengths)
    try values[layer].write(v, at: lengths)
    return (keys[layer], values[layer])
  }

  /// Counts the tokens of each row that the last block brought; the rest of a row's block was padding and is overwritten.
  func advance(by counts: [Int]) {
    for (row, count) in counts.enumerated() { lengths[row] += count }
  }

  /// Forgets what lies behind `length` tokens of a row.
  public func crop(row: Int, to length: Int) {
    precondition((0...lengths[row]).contains(length))
    lengths[row] = length
  }

  /// Row `row` holds from now on what the first `count` tokens of row `source` left there.
  public func copyPrefix(of source: Int, count: Int, to row: Int) throws(EngineError) {
    precondition(count <= lengths[source])
    if source != row, count > 0 {
      for part in keys + values {
        try part.sliced(axis: 0, row..<row + 1).sliced(axis: 2, 0..<count).assign(part.sliced(axis: 0, source..<source + 1).sliced(axis: 2, 0..<count))
      }
    }
    lengths[row] = count
  }

  /// The rows of a range in the same memory; lengths are copied.
  func view(rows: Range<Int>) throws(EngineError) -> KVCache {
    var newKeys: [Tensor] = [], newValues: [Tensor] = []
    for (key, value) in zip(keys, values) {
      newKeys.append(try key.sliced(axis: 0, rows))
      newValues.append(try value.sliced(axis: 0, rows))
    }
    return KVCache(lengths: Array(lengths[rows]), capacity: capacity, keys: newKeys, values: newValues)
  }

  /// A cache with memory of its own, whose row i holds what row `rows[i]` of this one holds.
  public func selecting(rows: [Int]) throws(EngineError) -> KVCache {
    guard let first = keys.first else { return self }
    let index = try Tensor(rows, device: first.device)
    var newKeys: [Tensor] = [], newValues: [Tensor] = []
    for (key, value) in zip(keys, values) {
      newKeys.append(try key.selecting(index, axis: 0))
      newValues.append(try value.selecting(index, axis: 0))
    }
    return KVCache(lengths: rows.map { lengths[$0] }, capacity: capacity, keys: newKeys, values: newValues)
  }

  private init(lengths: [Int], capacity: Int, keys: [Tensor], values: [Tensor]) {
    self.lengths = lengths
    self.capacity = capacity
    self.keys = keys
    self.values = values
  }
}
