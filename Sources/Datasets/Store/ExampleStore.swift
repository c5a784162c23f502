internal import HoldfastBasics
internal import HoldfastTokenizers

/// The rendered examples of one source, as numbers one behind another: in memory, or in a mapped cache file.
///
/// `@unchecked Sendable` because nothing changes it, and what its pointers point into lives as long as it does.
final class ExampleStore: @unchecked Sendable {
  let count: Int
  /// Labels of all examples.
  let trainedCount: Int
  /// Tokens of the longest example.
  let longest: Int
  /// For each file of the source its first example.
  let firsts: [Int]

  /// A token's id, with the highest bit set where it is learnt.
  private let tokens: UnsafePointer<UInt32>
  /// Where each example's tokens end.
  private let ends: UnsafePointer<UInt64>
  private let lines: UnsafePointer<UInt32>
  private let weights: WeightRuns
  /// Holds the memory.
  private let owners: [AnyObject]

  static let trainedBit: UInt32 = 1 << 31

  init(
    count: Int, trainedCount: Int, longest: Int, firsts: [Int], tokens: UnsafePointer<UInt32>, ends: UnsafePointer<UInt64>,
    lines: UnsafePointer<UInt32>, weights: WeightRuns, owners: [AnyObject]
  ) {
    self.count = count
    self.trainedCount = trainedCount
    self.longest = longest
    self.firsts = firsts
    self.tokens = tokens
    self.ends = ends
    self.lines = lines
    self.weights = weights
    self.owners = owners
  }

  /// Examples in memory.
  convenience init(_ block: ExampleBlock) {
    let arrays = StoreArrays()
    arrays.append(block)
    self.init(arrays, firsts: [0])
  }

  fileprivate convenience init(_ arrays: StoreArrays, firsts: [Int]) {
    self.init(
      count: arrays.count, trainedCount: arrays.trainedCount, longest: arrays.longest, firsts: firsts, tokens: arrays.tokens.start,
      ends: arrays.ends.start, lines: arrays.lines.start, weights: arrays.weights, owners: [arrays])
  }

  var tokenCount: Int { count == 0 ? 0 : Int(ends[count - 1]) }

  /// Where an example's tokens stand.
  func range(_ example: Int) -> Range<Int> { (example == 0 ? 0 : Int(ends[example - 1]))..<Int(ends[example]) }
  func length(_ example: Int) -> Int { range(example).count }
  func id(_ token: Int) -> Int { Int(tokens[token] & ~Self.trainedBit) }
  func isTrained(_ token: Int) -> Bool { tokens[token] & Self.trainedBit != 0 }
  /// Whether any label weighs other than 1.
  var hasWeights: Bool { weights.count > 0 }
  /// Factor on the loss of a trained token.
  func weight(_ token: Int) -> Float { weights[token] }

  func example(_ index: Int, source: Int) -> Example {
    precondition(index >= 0 && index < count, "example \(index) of \(count)")
    let range = range(index)
    let weights = hasWeights ? range.map(weight) : []
    return Example(
      rendering: Rendering(
        ids: range.map(id), isTrained: range.map(isTrained), weights: weights.allSatisfy { $0 == 1 } ? [] : weights),
      source: source, line: Int(lines[index]))
  }

  /// Which of the source's files an example comes from.
  func file(of example: Int) -> Int { max(0, (firsts.firstIndex { $0 > example } ?? firsts.count) - 1) }
}

/// Rendered examples on their way into a store.
struct ExampleBlock: Sendable {
  var tokens: [UInt32] = []
  var lengths: [Int32] = []
  var lines: [UInt32] = []
  /// Where, among this block's tokens, another weight begins.
  var weightStarts: [Int] = []
  var weightValues: [Float] = []
  var trainedCount = 0

  mutating func append(_ rendering: Rendering, line: Int) {
    for (i, isTrained) in rendering.isTrained.enumerated() where isTrained {
      let weight = rendering.weights.isEmpty ? 1 : rendering.weights[i]
      if weight == weightValues.last ?? 1 { continue }
      weightStarts.append(tokens.count + i)
      weightValues.append(weight)
    }
    for (id, isTrained) in zip(rendering.ids, rendering.isTrained) {
      tokens.append(UInt32(id) | (isTrained ? ExampleStore.trainedBit : 0))
      if isTrained { trainedCount += 1 }
    }
    lengths.append(Int32(rendering.ids.count))
    lines.append(UInt32(clamping: line))
  }
}

/// Weights of tokens: 1 up to the first start, then each value up to the next start. What stands at a token that is not
/// trained means nothing.
struct WeightRuns {
  let count: Int
  /// Ascending.
  let starts: UnsafePointer<UInt64>
  let values: UnsafePointer<Float>

  subscript(token: Int) -> Float {
    var low = 0, high = count  // starts before `low` are at most `token`
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] <= UInt64(token) { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? 1 : values[low - 1]
  }
}

/// Examples gathered in memory, their tokens too unless these go elsewhere.
private final class StoreArrays {
  let tokens = GrowingBuffer<UInt32>()
  let ends = GrowingBuffer<UInt64>()
  let lines = GrowingBuffer<UInt32>()
  let weightStarts = GrowingBuffer<UInt64>()
  let weightValues = GrowingBuffer<Float>()
  private(set) var tokenCount = 0
  private(set) var trainedCount = 0
  private(set) var longest = 0

  var count: Int { ends.count }
  var weights: WeightRuns { WeightRuns(count: weightStarts.count, starts: weightStarts.start, values: weightValues.start) }
  private var lastWeight: Float { weightValues.count == 0 ? 1 : weightValues.start[weightValues.count - 1] }

  func append(_ block: ExampleBlock, withTokens: Bool = true) {
    if withTokens { tokens.append(contentsOf: block.tokens) }
    var end = UInt64(tokenCount)
    ends.append(
      contentsOf: block.lengths.map { length in
        end += UInt64(length)
        return end
      })
    lines.append(contentsOf: block.lines)
    // A block begins at weight 1, wherever the one before it ended.
    if lastWeight != 1, block.trainedCount > 0, block.weightStarts.first != 0 {
      weightStarts.append(contentsOf: [UInt64(tokenCount)])
      weightValues.append(contentsOf: [1])
    }
    weightStarts.append(contentsOf: block.weightStarts.map { UInt64(tokenCount + $0) })
    weightValues.append(contentsOf: block.weightValues)
    tokenCount += block.tokens.count
    trainedCount += block.trainedCount
    longest = max(longest, Int(block.lengths.max() ?? 0))
  }
}

/// Gathers the examples of a source in memory, or their tokens straight into a cache file.
final class StoreBuilder {
  private let arrays = StoreArrays()
  private let cache: CacheWriter?
  private var firsts: [Int] = []

  init(cache: CacheWriter?) { self.cache = cache }

  var count: Int { arrays.count }
  var tokenCount: Int { arrays.tokenCount }
  var trainedCount: Int { arrays.trainedCount }
  var longest: Int { arrays.longest }

  /// Takes examples of a file; files come in order.
  func append(_ block: ExampleBlock, file: Int) throws(FileError) {
    while firsts.count <= file { firsts.append(count) }
    if let cache { try cache.write(block.tokens) }
    arrays.append(block, withTokens: cache == nil)
  }

  /// The store. With a cache the file is finished, and the store is what reading it gives; a cache of nothing is not kept.
  func finish(_ facts: SourceFacts) throws -> ExampleStore {
    guard let cache, count > 0 else { return ExampleStore(arrays, firsts: firsts) }
    return try cache.finish(
      facts, trainedCount: trainedCount, longest: longest, firsts: firsts, count: count,
      weightRuns: arrays.weights.count,
      index: [arrays.ends.bytes, arrays.weightStarts.bytes, arrays.lines.bytes, arrays.weightValues.bytes])
  }
}
