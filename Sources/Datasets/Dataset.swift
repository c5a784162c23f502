public import HoldfastBasics
public import HoldfastTokenizers

/// One training item, rendered.
public struct Example: Sendable, Hashable {
  public let rendering: Rendering
  /// Which source, in the order of the recipe.
  public let source: Int
  /// Line of its file, from 1.
  public let line: Int
  /// Factor on the loss of its labels; it never changes the count that the loss is divided by.
  public let weight: Float

  public init(rendering: Rendering, source: Int = 0, line: Int = 0, weight: Float = 1) {
    self.rendering = rendering
    self.source = source
    self.line = line
    self.weight = weight
  }
}

/// What reading a source came to, for logs and the manifest.
public struct SourceFacts: Sendable, Hashable, Codable {
  /// Its name, or else its path.
  public var path: String
  public var format: DataFormat?
  /// SHA-256 of the file; of several files that of their hashes, a line each.
  public var contentHash: String
  public var files: [SourceFile] = []
  public var share: Double?
  /// Rows read, bad ones included.
  public var rows = 0
  public var examples = 0
  public var tokens = 0
  /// Labels.
  public var trainedTokens = 0
  /// Examples cut to fit a row.
  public var truncated = 0
  /// Examples left out because they, or what they teach, fit no row.
  public var dropped = 0
  /// Bad rows left out.
  public var skipped = 0
  /// Tokens of the longest.
  public var longestExample = 0

  public init(path: String, format: DataFormat? = nil, contentHash: String, share: Double? = nil) {
    self.path = path
    self.format = format
    self.contentHash = contentHash
    self.share = share
  }

  mutating func take(_ files: [SourceFile]) {
    self.files = files
    contentHash = files.count == 1 ? files[0].contentHash : ContentHash.of(files.map { $0.contentHash + "\n" }.joined())
  }
}

extension SourceFacts {
  /// The counts, as a manifest keeps them.
  public var json: JSON {
    [
      "path": .string(path), "rows": .integer(rows), "examples": .integer(examples), "tokens": .integer(tokens),
      "trained_tokens": .integer(trainedTokens), "truncated": .integer(truncated), "dropped": .integer(dropped),
      "skipped": .integer(skipped), "longest_example": .integer(longestExample),
    ]
  }
}

/// The examples of all sources, in the order of the recipe and of the files.
public struct Dataset: Sendable {
  public let examples: [Example]
  public let sources: [SourceFacts]

  public init(examples: [Example], sources: [SourceFacts] = []) {
    self.examples = examples
    self.sources = sources
  }

  /// Reads and renders every source.
  ///
  /// - Parameters:
  ///   - rowLength: positions of a training row; nil: no example is too long.
  /// - Throws: `Problems` with everything wrong with the settings, `FileError`, or `BadRowsError`.
  public init(
    reading sources: [DataSource], with renderer: ExampleRenderer, rowLength: Int?, tooLong: TooLong = .refuse,
    badRows: BadRows = .refuse, limits: RowLimits = RowLimits()
  ) throws {
    var problems = Problems("data")
    if sources.isEmpty { problems.add("no source is named") }
    for source in sources {
      if let share = source.share, !(share > 0 && share < 1) {
        problems.add("\(source.label): share is \(share), but must lie between 0 and 1")
      }
      do throws(Problems) { _ = try SourceFiles.expand(source.paths) } catch { for words in error.complaints { problems.add(words) } }
    }
    if !sources.isEmpty, !sources.contains(where: { $0.share == nil }) {
      problems.add("every source has a share; leave it away for the one whose examples are all to be seen each epoch")
    } else if sources.compactMap(\.share).reduce(0, +) >= 1 {
      problems.add("the shares add up to 1 or more, which leaves nothing for the source without one")
    }
    if case .skip(let share) = badRows, !(share >= 0 && share <= 1) {
      problems.add("bad_rows: skip is \(share), but a share lies between 0 and 1")
    }
    try problems.check()

    var examples: [Example] = []
    var facts: [SourceFacts] = []
    for (index, source) in sources.enumerated() {
      var reading = SourceReading(
        source: source, index: index, renderer: renderer, rowLength: rowLength, tooLong: tooLong, limits: limits)
      try reading.run(badRows: badRows)
      if reading.examples.isEmpty {
        throw FileError(path: source.label, doing: "train on", code: 0, reason: "it yields no example")
      }
      examples += reading.examples
      facts.append(reading.facts)
    }
    self.init(examples: examples, sources: facts)
  }

  /// Tokens of all examples together.
  public var tokens: Int { examples.reduce(0) { $0 + $1.rendering.ids.count } }
  /// Labels of all examples together.
  public var trainedTokens: Int { examples.reduce(0) { $0 + $1.rendering.trainedCount } }
}
