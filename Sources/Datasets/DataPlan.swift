public import HoldfastBasics
internal import HoldfastTokenizers
internal import Synchronization

/// What one optimizer step sees.
public struct StepData: Sendable {
  /// From 0.
  public let step: Int
  /// From 0.
  public let epoch: Int
  /// Number of the step's first row in its epoch, from 0.
  public let firstRow: Int
  /// Rows of all microbatches together.
  public let rows: Int
  public let microbatches: [HostBatch]
  /// Labels of all microbatches together: what the step's loss is divided by.
  public let units: Int
  /// What each source gave, in the order of the recipe.
  public let sources: [SourceCount]
}

/// What a source gave to a step.
public struct SourceCount: Sendable, Hashable {
  /// Examples that begin here; one that wrapping cut counts where its beginning stands.
  public var examples = 0
  /// Tokens, an example's last one included though it is only ever a label.
  public var tokens = 0
  /// Labels.
  public var trainedTokens = 0

  public init() {}
}

/// Which rows every step of a run sees: a pure function of dataset, settings and step number, so nothing about it
/// needs saving for a resume, and any step may be asked for in any order.
///
/// An epoch draws an order of its examples from (seed, epoch), lays them into rows in that order, and its steps take
/// the rows one behind another. The last step of an epoch has what is left.
public struct DataPlan: Sendable {
  public struct Settings: Sendable, Hashable, Codable {
    public var seed: UInt64
    /// Positions of a row at most; a row of preference pairs takes twice as many.
    public var sequenceLength: Int
    public var packing: Packing
    /// Rows of a microbatch.
    public var rows: Int
    /// Microbatches of a step.
    public var accumulate: Int
    /// false: examples keep the order of the files in every epoch.
    public var shuffle: Bool

    public init(
      seed: UInt64, sequenceLength: Int, packing: Packing = .bestFit, rows: Int = 1, accumulate: Int = 1,
      shuffle: Bool = true
    ) {
      self.seed = seed
      self.sequenceLength = sequenceLength
      self.packing = packing
      self.rows = rows
      self.accumulate = accumulate
      self.shuffle = shuffle
    }
  }

  public let dataset: Dataset
  public let settings: Settings
  private let cache = LayoutCache()

  /// - Throws: `Problems` with everything that is wrong: settings below 1, no example, one that fits no row.
  public init(_ dataset: Dataset, _ settings: Settings) throws(Problems) {
    var problems = Problems("data")
    if settings.sequenceLength < 1 { problems.add("sequence_length is \(settings.sequenceLength), but must be 1 or more") }
    if settings.rows < 1 { problems.add("batch.rows is \(settings.rows), but must be 1 or more") }
    if settings.accumulate < 1 { problems.add("batch.accumulate is \(settings.accumulate), but must be 1 or more") }
    if dataset.trainedTokens == 0 { problems.add("there is nothing to learn") }
    let longest = (dataset.stores.map(\.longest).max() ?? 0) - 1
    if settings.packing != .wrapped, longest > settings.sequenceLength {
      problems.add("an example fills \(longest) positions, but a row has \(settings.sequenceLength)")
    }
    if dataset.isPairs, settings.packing == .wrapped { problems.add("preference pairs are not wrapped like texts") }
    if dataset.examples.count > Int(Int32.max) { problems.add("\(dataset.examples.count) examples are more than a plan can count") }
    try problems.check()
    self.dataset = dataset
    self.settings = settings
  }

  /// Steps of an epoch, from 0. They differ a little between epochs where examples are packed.
  public func stepsPerEpoch(_ epoch: Int) -> Int {
    let perStep = settings.rows * settings.accumulate
    return (rowsPerEpoch(epoch) + perStep - 1) / perStep
  }

  /// Steps of the first epochs together; a part of an epoch is rounded up to whole steps.
  public func steps(forEpochs epochs: Double) -> Int {
    precondition(epochs >= 0 && epochs < 1e9, "no plan has \(epochs) epochs")
    let whole = Int(epochs)
    let part = epochs - Double(whole)
    let steps = (0..<whole).reduce(0) { $0 + stepsPerEpoch($1) }
    return part == 0 ? steps : steps + Int((part * Double(stepsPerEpoch(whole))).rounded(.up))
  }

  /// What step `n`, from 0, sees.
  public func step(_ n: Int) -> StepData {
    precondition(n >= 0, "steps count from 0")
    var epoch = 0
    var first = 0
    while n >= first + stepsPerEpoch(epoch) {
      first += stepsPerEpoch(epoch)
      epoch += 1
    }
    let layout = layout(epoch)
    let perStep = settings.rows * settings.accumulate
    let from = (n - first) * perStep
    let rows = (from..<min(from + perStep, layout.count)).map { layout.pieces($0, positions: dataset.positions(ofItem:)) }
    let microbatches = stride(from: 0, to: rows.count, by: settings.rows).map { batch(rows[$0..<min($0 + settings.rows, rows.count)]) }
    return StepData(
      step: n, epoch: epoch, firstRow: from, rows: rows.count, microbatches: microbatches,
      units: microbatches.reduce(0) { $0 + $1.units }, sources: count(microbatches))
  }

  private func count(_ microbatches: [HostBatch]) -> [SourceCount] {
    var counts = [SourceCount](repeating: SourceCount(), count: dataset.stores.count)
    for batch in microbatches {
      for segment in batch.segments {
        let start = segment.row * batch.length + segment.start
        let isLast = segment.offset + segment.length == dataset.positions(segment.example)
        if segment.offset == 0, segment.side == 0 { counts[segment.source].examples += 1 }
        counts[segment.source].tokens += segment.length + (isLast ? 1 : 0)
        counts[segment.source].trainedTokens += batch.labels[start..<(start + segment.length)].count { $0 != ignoreIndex }
      }
    }
    return counts
  }

  // MARK: - An epoch

  private func rowsPerEpoch(_ epoch: Int) -> Int { cache.rows(epoch) ?? layout(epoch).count }

  private func layout(_ epoch: Int) -> Layout {
    if let known = cache.layout(epoch) { return known }
    let layout = settings.packing.layout(
      order(epoch), rowLength: settings.sequenceLength * dataset.itemSize, positions: dataset.positions(ofItem:))
    cache.keep(layout, epoch)
    return layout
  }

  /// The epoch's examples in order: all of each source without a share or budget, and as many of the others as these say.
  func order(_ epoch: Int) -> [UInt32] {
    let sources = dataset.stores.indices
    func facts(_ source: Int) -> SourceFacts? { dataset.sources.indices.contains(source) ? dataset.sources[source] : nil }
    var chosen: [UInt32] = []
    chosen.reserveCapacity(dataset.itemCount)
    for source in sources where facts(source)?.isWhole ?? true { chosen += dataset.indices(of: source) }
    var budgeted: [Int: [UInt32]] = [:]
    for source in sources {
      if let count = facts(source)?.examplesPerEpoch { budgeted[source] = draw(epoch * count..<(epoch + 1) * count, of: source) }
      if let tokens = facts(source)?.tokensPerEpoch { budgeted[source] = drawTokens(tokens, of: source, epoch: epoch) }
    }
    // A share is one of everything, so it follows from what the others give.
    let others = chosen.count + budgeted.values.reduce(0) { $0 + $1.count }
    let rest = 1 - sources.reduce(0.0) { $0 + (facts($1)?.share ?? 0) }
    for source in sources {
      if let drawn = budgeted[source] { chosen += drawn }
      guard let share = facts(source)?.share, !dataset.indices(of: source).isEmpty else { continue }
      let count = Int((Double(others) * share / rest).rounded())
      chosen += draw(epoch * count..<(epoch + 1) * count, of: source)
    }
    guard settings.shuffle else { return chosen }
    var generator = CounterGenerator(seed: settings.seed, "order", epoch)
    generator.shuffle(&chosen)
    return chosen
  }

  /// A source that is not seen whole is gone through again and again, each pass in an order of its own.
  private func pass(_ number: Int, of source: Int) -> [UInt32] {
    var order = Array(dataset.indices(of: source))
    var generator = CounterGenerator(seed: settings.seed, "share", source, number)
    generator.shuffle(&order)
    return order
  }

  /// Those examples of the endless passes through a source that have these numbers.
  private func draw(_ numbers: Range<Int>, of source: Int) -> [UInt32] {
    let size = dataset.indices(of: source).count
    var result: [UInt32] = []
    var position = numbers.lowerBound
    while position < numbers.upperBound, size > 0 {
      let from = position % size
      let taken = min(numbers.upperBound - position, size - from)
      result += pass(position / size, of: source)[from..<(from + taken)]
      position += taken
    }
    return result
  }

  /// Those examples of the endless passes that begin within the epoch's stretch of tokens: on average exactly `budget` tokens an epoch.
  private func drawTokens(_ budget: Int, of source: Int, epoch: Int) -> [UInt32] {
    let store = dataset.stores[source], base = dataset.indices(of: source).lowerBound
    let stretch = (epoch * budget)..<((epoch + 1) * budget)
    var result: [UInt32] = []
    guard store.tokenCount > 0 else { return result }
    var number = stretch.lowerBound / store.tokenCount
    while number * store.tokenCount < stretch.upperBound {
      var begin = number * store.tokenCount
      for index in pass(number, of: source) {
        if stretch.contains(begin) { result.append(index) }
        let first = Int(index - base) * dataset.itemSize
        begin += (first..<first + dataset.itemSize).reduce(0) { $0 + store.length($1) }
      }
      number += 1
    }
    return result
  }

  private func batch(_ rows: ArraySlice<[Piece]>) -> HostBatch {
    let length = rows.map { $0.reduce(0) { $0 + $1.length } }.max() ?? 0
    let size = rows.count * length
    var ids = [Int](repeating: 0, count: size)
    var labels = [Int](repeating: ignoreIndex, count: size)
    var positions = [Int](repeating: 0, count: size)
    var segments: [Segment] = []
    var weights: [Float]?
    for (row, pieces) in rows.enumerated() {
      var start = 0
      let examples = dataset.isPairs
        ? pieces.flatMap { piece in
          [2 * piece.example, 2 * piece.example + 1].map { Piece(example: $0, offset: 0, length: dataset.positions($0)) }
        } : pieces
      for piece in examples {
        let (source, index) = dataset.place(piece.example)
        let store = dataset.stores[source]
        let first = store.range(index).lowerBound + piece.offset
        let base = row * length + start
        for i in 0..<piece.length {
          ids[base + i] = store.id(first + i)
          positions[base + i] = i
          if store.isTrained(first + i + 1) { labels[base + i] = store.id(first + i + 1) }
        }
        if store.hasWeights {
          for i in 0..<piece.length where store.isTrained(first + i + 1) {
            let weight = store.weight(first + i + 1)
            if weight == 1 { continue }
            if weights == nil { weights = [Float](repeating: 1, count: size) }
            weights![base + i] = weight
          }
        }
        segments.append(
          Segment(
            row: row, start: start, length: piece.length, source: source, example: piece.example,
            offset: piece.offset, side: dataset.isPairs ? piece.example % 2 : 0))
        start += piece.length
      }
    }
    return HostBatch(rows: rows.count, length: length, ids: ids, labels: labels, positions: positions, segments: segments, weights: weights)
  }
}

/// What is known of the epochs asked for so far: saves laying them out at every step, and changes no answer.
private final class LayoutCache: Sendable {
  private struct Known {
    /// The two epochs looked at last.
    var layouts: [(epoch: Int, layout: Layout)] = []
    /// Rows of every epoch looked at.
    var rows: [Int: Int] = [:]
  }

  private let known = Mutex(Known())

  func rows(_ epoch: Int) -> Int? { known.withLock { $0.rows[epoch] } }
  func layout(_ epoch: Int) -> Layout? { known.withLock { $0.layouts.first { $0.epoch == epoch }?.layout } }

  func keep(_ layout: Layout, _ epoch: Int) {
    known.withLock {
      $0.rows[epoch] = layout.count
      $0.layouts.insert((epoch, layout), at: 0)
      if $0.layouts.count > 2 { $0.layouts.removeLast() }
    }
  }
}

extension CounterGenerator {
  /// Puts numbers in the order that `permutation` draws.
  mutating func shuffle(_ numbers: inout [UInt32]) {
    guard numbers.count > 1 else { return }
    for i in stride(from: numbers.count - 1, to: 0, by: -1) { numbers.swapAt(i, below(i + 1)) }
  }
}
