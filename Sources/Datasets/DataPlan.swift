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
}

/// Which rows every step of a run sees: a pure function of dataset, settings and step number, so nothing about it
/// needs saving for a resume, and any step may be asked for in any order.
///
/// An epoch draws an order of its examples from (seed, epoch), lays them into rows in that order, and its steps take
/// the rows one behind another. The last step of an epoch has what is left.
public struct DataPlan: Sendable {
  public struct Settings: Sendable, Hashable, Codable {
    public var seed: UInt64
    /// Positions of a row at most.
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
  /// Indices of each source's examples.
  private let members: [[Int]]
  private let cache = LayoutCache()

  /// - Throws: `Problems` with everything that is wrong: settings below 1, no example, one that fits no row.
  public init(_ dataset: Dataset, _ settings: Settings) throws(Problems) {
    var problems = Problems("data")
    if settings.sequenceLength < 1 { problems.add("sequence_length is \(settings.sequenceLength), but must be 1 or more") }
    if settings.rows < 1 { problems.add("batch.rows is \(settings.rows), but must be 1 or more") }
    if settings.accumulate < 1 { problems.add("batch.accumulate is \(settings.accumulate), but must be 1 or more") }
    if !dataset.examples.contains(where: { $0.rendering.trainedCount > 0 }) { problems.add("there is nothing to learn") }
    let longest = dataset.examples.map { $0.rendering.ids.count - 1 }.max() ?? 0
    if settings.packing != .wrapped, longest > settings.sequenceLength {
      problems.add("an example fills \(longest) positions, but a row has \(settings.sequenceLength)")
    }
    try problems.check()
    self.dataset = dataset
    self.settings = settings
    var members = [[Int]](repeating: [], count: (dataset.examples.map(\.source).max() ?? 0) + 1)
    for (index, example) in dataset.examples.enumerated() { members[example.source].append(index) }
    self.members = members
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
    let rows = layout[from..<min(from + perStep, layout.count)]
    let microbatches = stride(from: rows.startIndex, to: rows.endIndex, by: settings.rows).map {
      batch(rows[$0..<min($0 + settings.rows, rows.endIndex)])
    }
    return StepData(
      step: n, epoch: epoch, firstRow: from, rows: rows.count, microbatches: microbatches,
      units: microbatches.reduce(0) { $0 + $1.units })
  }

  // MARK: - An epoch

  private func rowsPerEpoch(_ epoch: Int) -> Int { cache.rows(epoch) ?? layout(epoch).count }

  private func layout(_ epoch: Int) -> Layout {
    if let known = cache.layout(epoch) { return known }
    let layout = settings.packing.layout(
      order(epoch).map { ($0, dataset.examples[$0].rendering.ids.count - 1) }, rowLength: settings.sequenceLength)
    cache.keep(layout, epoch)
    return layout
  }

  /// The epoch's examples in order: all of each source without a share, and as many of the others as their shares say.
  func order(_ epoch: Int) -> [Int] {
    func share(_ source: Int) -> Double? { dataset.sources.indices.contains(source) ? dataset.sources[source].share : nil }
    let rest = 1 - members.indices.reduce(0.0) { $0 + (share($1) ?? 0) }
    let whole = members.indices.filter { share($0) == nil }.flatMap { members[$0] }
    var chosen = whole
    for source in members.indices {
      guard let share = share(source), !members[source].isEmpty else { continue }
      let count = Int((Double(whole.count) * share / rest).rounded())
      chosen += draw(count, of: source, epoch: epoch)
    }
    guard settings.shuffle else { return chosen }
    var generator = CounterGenerator(seed: settings.seed, "order", epoch)
    return generator.permutation(chosen.count).map { chosen[$0] }
  }

  /// The epoch's part of a source with a share: the source is gone through again and again, each pass in an order of
  /// its own, `count` examples an epoch.
  private func draw(_ count: Int, of source: Int, epoch: Int) -> [Int] {
    let members = members[source]
    var result: [Int] = []
    var position = epoch * count
    while result.count < count {
      var generator = CounterGenerator(seed: settings.seed, "share", source, position / members.count)
      let pass = generator.permutation(members.count)
      let from = position % members.count
      let taken = min(count - result.count, members.count - from)
      result += pass[from..<(from + taken)].map { members[$0] }
      position += taken
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
    for (row, pieces) in rows.enumerated() {
      var start = 0
      for piece in pieces {
        let example = dataset.examples[piece.example]
        let base = row * length + start
        for i in 0..<piece.length {
          let token = piece.offset + i
          ids[base + i] = example.rendering.ids[token]
          positions[base + i] = i
          if example.rendering.isTrained[token + 1] { labels[base + i] = example.rendering.ids[token + 1] }
        }
        segments.append(
          Segment(
            row: row, start: start, length: piece.length, source: example.source, example: piece.example,
            offset: piece.offset))
        start += piece.length
      }
    }
    return HostBatch(rows: rows.count, length: length, ids: ids, labels: labels, positions: positions, segments: segments)
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
