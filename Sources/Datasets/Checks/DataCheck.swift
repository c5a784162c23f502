internal import HoldfastBasics
public import HoldfastTokenizers

/// Goes through sources as training would, and through the evaluation data, and says what was found.
public struct DataCheck: Sendable {
  private let renderer: ExampleRenderer
  private let special: Set<Int>
  private let beginning, unknown: Int?
  private let rowLength: Int?
  private let tooLong: TooLong
  private let badRows: BadRows
  private let limits: RowLimits
  private let workers: Int
  private let pairs: Bool
  private var known = NearDuplicates()
  private var evaluation = NearDuplicates()
  private var hasEvaluation = false

  /// - Parameters:
  ///   - tokenizer: whose special tokens end an answer, and whose unknown token is counted.
  ///   - rowLength: positions of a training row; nil: no example is too long.
  ///   - workers: threads that render; the result does not depend on how many.
  ///   - pairs: whether preference pairs are learnt from, as dpo does.
  public init(
    tokenizer: Tokenizer, renderer: ExampleRenderer, rowLength: Int?, tooLong: TooLong = .refuse, badRows: BadRows = .refuse,
    limits: RowLimits = RowLimits(), workers: Int = 1, pairs: Bool = false
  ) {
    self.renderer = renderer
    special = tokenizer.specialIDs.union([tokenizer.endID].compactMap(\.self))
    beginning = tokenizer.beginningID
    unknown = tokenizer.unknownID
    self.rowLength = rowLength
    self.tooLong = tooLong
    self.badRows = badRows
    self.limits = limits
    self.workers = workers
    self.pairs = pairs
  }

  /// Remembers evaluation data, so that training rows that stand there are found. Bad rows of it are passed over.
  public mutating func remember(evaluation source: DataSource) throws {
    hasEvaluation = true
    _ = try walk(source) { renderings, _, _ in
      for rendering in renderings { _ = evaluation.remember(rendering) }
    }
  }

  /// Goes through a source.
  /// - Parameter shown: how many examples to keep for looking at.
  /// - Throws: `FileError` or `Problems` where the source cannot be read at all.
  public mutating func check(_ source: DataSource, index: Int = 0, shown: Int = 0) throws -> SourceCheck {
    var result = SourceCheck(source: source.label)
    let walked = try walk(source) { renderings, path, line in
      for rendering in renderings {
        if rendering.trainedCount == 0 {
          result.untrained += 1
          result.refuse(BadRow(path: path, line: line, reason: "no trained token: nothing here would be learnt"))
          continue
        }
        guard let rendering = fit(rendering, &result, path, line) else { continue }
        result.measure(rendering, special: special, beginning: beginning, unknown: unknown)
        if result.shown.count < shown { result.shown.append(Example(rendering: rendering, source: index, line: line)) }
        switch known.remember(rendering) {
        case .new: break
        case .exact: result.duplicates += 1
        case .near: result.nearDuplicates += 1
        }
        guard hasEvaluation else { continue }
        switch evaluation.find(rendering) {
        case .new: break
        case .exact:
          result.contaminated += 1
          if result.firstContaminated.count < 10 { result.firstContaminated.append("\(path):\(line)") }
        case .near: result.nearlyContaminated += 1
        }
      }
    }
    (result.rows, result.format) = (walked.rows, walked.format)
    (result.historyDifferences, result.firstHistoryDifference) = (walked.historyDifferences, walked.firstHistoryDifference)
    for bad in walked.bad { result.refuse(bad) }
    result.badRows += walked.badCount - walked.bad.count
    var allowed = 0.0
    if case .skip(let share) = badRows { allowed = share }
    if Double(result.badRows) > allowed * Double(result.rows) {
      result.refusals.append("\(result.badRows) of \(result.rows) rows cannot be trained on")
    }
    if result.format == .preference, !pairs { result.refusals.append(PreferencePair.notHere) }
    if let format = result.format, format != .preference, pairs { result.refusals.append(PreferencePair.missing(format)) }
    if result.examples == 0 { result.refusals.append("it yields no example") }
    return result
  }

  /// The example as a row takes it; nil where it does not.
  private func fit(_ rendering: Rendering, _ result: inout SourceCheck, _ path: String, _ line: Int) -> Rendering? {
    guard let rowLength, rendering.ids.count > rowLength + 1 else { return rendering }
    result.tooLong += 1
    switch tooLong {
    case .refuse:
      result.refuse(BadRow(path: path, line: line, reason: "\(rendering.ids.count) tokens, but a row takes \(rowLength + 1)"))
      return nil
    case .drop: return nil
    case .truncate:
      let cut = rendering.prefix(rowLength + 1)
      return cut.trainedCount > 0 ? cut : nil
    }
  }

  /// What reading came to, beside the examples.
  private struct Walk {
    var rows = 0
    var format: DataFormat?
    var bad: [BadRow] = []
    var badCount = 0
    var historyDifferences = 0
    var firstHistoryDifference: HistoryDifference?
  }

  /// A chunk's rows, rendered or refused.
  private struct Rendered: Sendable {
    let path: String
    let rows: Int
    var examples: [(line: Int, renderings: [Rendering])] = []
    var bad: [BadRow] = []
    var differences: [HistoryDifference] = []
  }

  private func walk(_ source: DataSource, _ visit: ([Rendering], _ path: String, _ line: Int) -> Void) throws -> Walk {
    let reading = SourceReading(
      source: source, renderer: renderer, rowLength: rowLength, tooLong: tooLong, badRows: badRows, limits: limits, workers: workers)
    var reader = RowReader(try SourceFiles.expand(source.paths), limits: limits)
    var walk = Walk(format: source.format)
    try inOrder(workers: workers) {
      guard let chunk = try reader.next() else { return nil }
      if walk.format == nil { walk.format = reading.formatFound(in: chunk) }
      return (chunk, walk.format)
    } work: { (chunk: RowChunk, format: DataFormat?) in
      render(chunk, source, format)
    } take: { (rendered: Rendered) in
      walk.rows += rendered.rows
      walk.badCount += rendered.bad.count
      walk.bad += rendered.bad.prefix(10 - walk.bad.count)
      walk.historyDifferences += rendered.differences.count
      walk.firstHistoryDifference = walk.firstHistoryDifference ?? rendered.differences.first
      for (line, renderings) in rendered.examples { visit(renderings, rendered.path, line) }
    }
    return walk
  }

  private func render(_ chunk: RowChunk, _ source: DataSource, _ format: DataFormat?) -> Rendered {
    var result = Rendered(path: chunk.path, rows: chunk.rows.count)
    chunk.forEachRow(limits: limits) { line, row in
      do throws(RowError) {
        let row = try row.get().renamed(source.fields)
        let rowFormat: DataFormat
        if let format { rowFormat = format } else { rowFormat = try DataFormat(of: row) }
        if pairs, rowFormat == .preference {
          let pair = try renderer.renderPair(row.with(source.variables), template: source.template, trainOn: source.trainOn)
          result.examples.append((line, [pair.chosen, pair.rejected]))
        } else {
          let (bare, form) = try rowFormat.plain(row, template: source.template)
          let plain = bare.with(source.variables)
          if form == .messages, source.trainOn != .all,
            let difference = try renderer.historyDifference(plain, trainOn: source.trainOn ?? .assistant)
          {
            result.differences.append(difference)
          }
          result.examples.append((line, try renderer.render(plain, format: form, trainOn: source.trainOn, turns: source.turns)))
        }
      } catch {
        result.bad.append(BadRow(path: chunk.path, line: line, reason: error.reason, isInArray: chunk.layout == .array))
      }
    }
    return result
  }
}

extension SourceCheck {
  fileprivate mutating func refuse(_ row: BadRow) {
    badRows += 1
    if firstBadRows.count < 10 { firstBadRows.append(row) }
  }
}
