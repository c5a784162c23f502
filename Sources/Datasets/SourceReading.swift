internal import HoldfastBasics
internal import HoldfastTokenizers

/// A row that was not used: where and why.
public struct BadRow: Sendable, Hashable, CustomStringConvertible {
  public let path: String
  /// From 1; of a JSON array the number of the row.
  public let line: Int
  public let reason: String
  /// Whether it stands in a JSON array.
  public var isInArray = false

  public var description: String { "\(path), \(isInArray ? "row" : "line") \(line): \(reason)" }
}

/// A source has bad rows, more of them than the recipe allows.
public struct BadRowsError: Error, Sendable, CustomStringConvertible {
  /// The first ten.
  public let first: [BadRow]
  public let count: Int
  /// Rows of the source, good and bad.
  public let rows: Int
  /// The share that the recipe allows; 0 where it allows none.
  public let allowed: Double

  public var description: String {
    var lines = ["\(count) of \(rows) rows cannot be trained on"]
    lines += first.map { "  - \($0)" }
    if count > first.count { lines.append("  - and \(count - first.count) more") }
    let share = (Double(count) / Double(max(rows, 1)) * 1e4).rounded(.up) / 1e4
    lines.append(
      allowed > 0
        ? "The recipe allows a share of \(allowed). Mend them, or allow more."
        : "Mend them, or leave them out with `bad_rows: {skip: \(share)}`.")
    return lines.joined(separator: "\n")
  }
}

/// Reads one source from beginning to end, or finds it in the cache.
struct SourceReading: Sendable {
  let source: DataSource
  let renderer: ExampleRenderer
  let rowLength: Int?
  let tooLong: TooLong
  let badRows: BadRows
  let limits: RowLimits
  /// Threads that render.
  let workers: Int
  /// Rows are preference pairs, of which each gives two examples.
  var pairs = false

  func run(cache: DataCache?) throws -> (ExampleStore, SourceFacts) {
    let paths = try SourceFiles.expand(source.paths)
    let stamps = try paths.map { try DataCache.Stamp($0) }
    var target: String?
    if let cache, stamps.reduce(0, { $0 + $1.size }) >= cache.smallest {
      let path = cache.path(stamps, settings: settings)
      if let (store, facts) = try cache.open(path) { return (store, named(facts)) }
      target = path
    }
    let builder = StoreBuilder(cache: try target.map { try CacheWriter($0) })
    let facts = try read(paths, into: builder)
    for (path, stamp) in zip(paths, stamps) where try DataCache.Stamp(path) != stamp {
      throw FileError(path: path, doing: "read", code: 0, reason: "it changed meanwhile; run again when nobody writes to it")
    }
    return (try builder.finish(facts), facts)
  }

  private func read(_ paths: [String], into builder: StoreBuilder) throws -> SourceFacts {
    var facts = named(SourceFacts(path: source.label, contentHash: ""))
    var reader = RowReader(paths, limits: limits)
    var format = source.format
    var bad: [BadRow] = []
    try inOrder(workers: workers) {
      guard let chunk = try reader.next() else { return nil }
      // What the first readable row is decides for all, so it is found before rows go different ways.
      if format == nil { format = formatFound(in: chunk) }
      if format == .preference, !pairs { throw Problems(source.label, [PreferencePair.notHere]) }
      if let format, format != .preference, pairs { throw Problems(source.label, [PreferencePair.missing(format)]) }
      return (chunk, format)
    } work: { (chunk: RowChunk, format: DataFormat?) in
      var result = RenderedChunk(chunk)
      render(chunk, format, &result)
      return result
    } take: { result in
      try builder.append(result.block, file: result.file)
      facts.rows += result.rows
      facts.truncated += result.truncated
      facts.dropped += result.dropped
      facts.edgeTokens += result.edgeTokens
      facts.skipped += result.badCount
      bad += result.bad.prefix(10 - bad.count)
    }
    facts.format = format
    facts.examples = builder.count / (pairs ? 2 : 1)
    facts.tokens = builder.tokenCount
    facts.trainedTokens = builder.trainedCount
    facts.longestExample = builder.longest
    facts.take(reader.files)
    var allowed = 0.0
    if case .skip(let share) = badRows { allowed = share }
    if Double(facts.skipped) > allowed * Double(facts.rows) {
      throw BadRowsError(first: bad, count: facts.skipped, rows: facts.rows, allowed: allowed)
    }
    return facts
  }

  private func named(_ facts: SourceFacts) -> SourceFacts {
    var facts = facts
    facts.path = source.label
    facts.share = source.share
    facts.examplesPerEpoch = source.examples
    facts.tokensPerEpoch = source.tokens
    return facts
  }

  /// Everything said about the source that changes what its rows become.
  private var settings: String {
    var source = source
    let fields = source.fields.sorted { $0.key < $1.key }
    let variables = JSON.object(source.variables).text()
    (source.name, source.paths, source.share, source.examples, source.tokens, source.fields) = (nil, [], nil, nil, nil, [:])
    source.variables = JSONObject()
    return "\(pairs ? "pairs " : "")\(source) \(fields) \(variables) \(String(describing: rowLength)) \(tooLong) \(badRows) \(limits)"
  }

  func formatFound(in chunk: RowChunk) -> DataFormat? {
    var found: DataFormat?
    chunk.forEachRow(limits: limits) { _, row in
      if found == nil, let row = try? row.get().renamed(source.fields) { found = try? DataFormat(of: row) }
    }
    return found
  }

  private func render(_ chunk: RowChunk, _ format: DataFormat?, _ result: inout RenderedChunk) {
    chunk.forEachRow(limits: limits) { line, row in
      do throws(RowError) {
        let row = try row.get().renamed(source.fields)
        let rowFormat: DataFormat
        if let format { rowFormat = format } else { rowFormat = try DataFormat(of: row) }
        if pairs {
          try take(renderer.renderPair(row.with(source.variables), template: source.template, trainOn: source.trainOn), line: line, &result)
        } else {
          let (plain, form) = try rowFormat.plain(row, template: source.template)
          for rendering in try renderer.render(plain.with(source.variables), format: form, trainOn: source.trainOn, turns: source.turns) {
            try take(rendering, line: line, &result)
          }
        }
      } catch {
        result.badCount += 1
        if result.bad.count < 10 {
          result.bad.append(BadRow(path: chunk.path, line: line, reason: error.reason, isInArray: chunk.layout == .array))
        }
      }
    }
  }

  private func take(_ pair: PreferencePair, line: Int, _ result: inout RenderedChunk) throws(RowError) {
    // Both fit, or none is taken.
    var sides = RenderedChunk(result)
    for side in [pair.chosen, pair.rejected] { try take(side, line: line, &sides) }
    result.truncated += sides.truncated > 0 ? 1 : 0
    guard sides.dropped == 0, sides.kept.count == 2, sides.kept[0].ids != sides.kept[1].ids else {
      result.dropped += 1
      return
    }
    result.edgeTokens += sides.edgeTokens
    for side in sides.kept { result.block.append(side, line: line) }
  }

  private func take(_ rendering: Rendering, line: Int, _ result: inout RenderedChunk) throws(RowError) {
    guard rendering.trainedCount > 0 else { throw RowError("no trained token: nothing here would be learnt") }
    var rendering = rendering
    // An example of n tokens fills n − 1 positions.
    if let rowLength, rendering.ids.count > rowLength + 1 {
      switch tooLong {
      case .refuse:
        throw RowError(
          "\(rendering.ids.count) tokens, but a row takes \(rowLength + 1); raise sequence_length, or say `too_long: truncate` or `drop`"
        )
      case .drop:
        result.dropped += 1
        return
      case .truncate:
        rendering = rendering.prefix(rowLength + 1)
        guard rendering.trainedCount > 0 else {  // all that was to be learnt lay behind the cut
          result.dropped += 1
          return
        }
        result.truncated += 1
      }
    }
    result.edgeTokens += rendering.edgeTokens
    if pairs { result.kept.append(rendering) } else { result.block.append(rendering, line: line) }
  }
}

/// What became of a chunk's rows.
private struct RenderedChunk: Sendable {
  var block = ExampleBlock()
  /// Sides of a pair, until both are there.
  var kept: [Rendering] = []
  let file: Int
  let rows: Int
  var truncated = 0
  var dropped = 0
  var edgeTokens = 0
  var bad: [BadRow] = []
  var badCount = 0

  init(_ chunk: RowChunk) {
    file = chunk.file
    rows = chunk.rows.count
  }

  /// Empty, of the same chunk.
  init(_ other: RenderedChunk) { (file, rows) = (other.file, other.rows) }
}
