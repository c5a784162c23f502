internal import HoldfastBasics
internal import HoldfastTokenizers

/// A row that was not used: where and why.
public struct BadRow: Sendable, Hashable, CustomStringConvertible {
  public let path: String
  /// From 1.
  public let line: Int
  public let reason: String

  public var description: String { "\(path), line \(line): \(reason)" }
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

/// Reads one source from beginning to end.
struct SourceReading {
  let source: DataSource
  let index: Int
  let renderer: ExampleRenderer
  let rowLength: Int?
  let tooLong: TooLong
  let limits: RowLimits

  var examples: [Example] = []
  var facts: SourceFacts
  private var bad: [BadRow] = []
  private var badCount = 0

  init(
    source: DataSource, index: Int, renderer: ExampleRenderer, rowLength: Int?, tooLong: TooLong, limits: RowLimits
  ) {
    self.source = source
    self.index = index
    self.renderer = renderer
    self.rowLength = rowLength
    self.tooLong = tooLong
    self.limits = limits
    facts = SourceFacts(path: source.label, format: source.format, contentHash: "", share: source.share)
  }

  mutating func run(badRows: BadRows) throws {
    var reader = RowReader(try SourceFiles.expand(source.paths), limits: limits)
    var format = source.format
    while let chunk = try reader.next() {
      facts.rows += chunk.rows.count
      chunk.forEachRow(limits: limits) { line, row in
        do throws(RowError) {
          let row = try row.get().renamed(source.fields)
          let rowFormat: DataFormat
          if let format { rowFormat = format } else { rowFormat = try DataFormat(of: row) }
          format = rowFormat
          let (plain, form) = try rowFormat.plain(row, template: source.template)
          try take(try renderer.render(plain, format: form, trainOn: source.trainOn), line: line)
        } catch {
          badCount += 1
          if bad.count < 10 { bad.append(BadRow(path: chunk.path, line: line, reason: error.reason)) }
        }
      }
    }
    if format == .preference { throw Problems(source.label, [PreferencePair.notHere]) }
    facts.take(reader.files)
    facts.format = format
    facts.skipped = badCount
    facts.examples = examples.count
    var allowed = 0.0
    if case .skip(let share) = badRows { allowed = share }
    if Double(badCount) > allowed * Double(facts.rows) {
      throw BadRowsError(first: bad, count: badCount, rows: facts.rows, allowed: allowed)
    }
  }

  private mutating func take(_ rendering: Rendering, line: Int) throws(RowError) {
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
        facts.dropped += 1
        return
      case .truncate:
        rendering = rendering.prefix(rowLength + 1)
        guard rendering.trainedCount > 0 else {  // all that was to be learnt lay behind the cut
          facts.dropped += 1
          return
        }
        facts.truncated += 1
      }
    }
    facts.tokens += rendering.ids.count
    facts.trainedTokens += rendering.trainedCount
    facts.longestExample = max(facts.longestExample, rendering.ids.count)
    examples.append(Example(rendering: rendering, source: index, line: line))
  }
}
