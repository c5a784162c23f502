public import HoldfastBasics
public import HoldfastTokenizers

/// One training item, rendered.
public struct Example: Sendable, Hashable {
  public let rendering: Rendering
  /// Which source, in the order of the recipe.
  public let source: Int
  /// Line of its file, from 1.
  public let line: Int

  public init(rendering: Rendering, source: Int = 0, line: Int = 0) {
    self.rendering = rendering
    self.source = source
    self.line = line
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
  /// What logs call it: `path`, with a number where another source is called so too.
  public var name: String
  public var share: Double?
  public var examplesPerEpoch: Int?
  public var tokensPerEpoch: Int?
  /// Rows read, bad ones included.
  public var rows = 0
  public var examples = 0
  public var tokens = 0
  /// Labels.
  public var trainedTokens = 0
  /// Tokens with characters on both sides of where the learnt text begins or ends.
  public var edgeTokens = 0
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
    name = path
    self.format = format
    self.contentHash = contentHash
    self.share = share
  }

  /// Whether every example is seen once an epoch.
  public var isWhole: Bool { share == nil && examplesPerEpoch == nil && tokensPerEpoch == nil }

  mutating func take(_ files: [SourceFile]) {
    self.files = files
    contentHash = files.count == 1 ? files[0].contentHash : ContentHash.of(files.map { $0.contentHash + "\n" }.joined())
  }
}

extension SourceFacts {
  /// The counts, as a manifest keeps them.
  public var json: JSON {
    [
      "name": .string(name), "path": .string(path), "rows": .integer(rows), "examples": .integer(examples), "tokens": .integer(tokens),
      "trained_tokens": .integer(trainedTokens), "edge_tokens": .integer(edgeTokens), "truncated": .integer(truncated), "dropped": .integer(dropped),
      "skipped": .integer(skipped), "longest_example": .integer(longestExample),
    ]
  }
}

/// The examples of all sources, in the order of the recipe and of the files.
public struct Dataset: Sendable {
  public let sources: [SourceFacts]
  /// One a source.
  let stores: [ExampleStore]
  /// Whether examples 2i and 2i + 1 are a chosen and a rejected answer, which always stay together.
  public let isPairs: Bool
  /// Index of each source's first item; one more at the end.
  private let bases: [Int]

  init(stores: [ExampleStore], sources: [SourceFacts], isPairs: Bool = false) {
    self.stores = stores
    self.sources = sources
    self.isPairs = isPairs
    bases = stores.reduce(into: [0]) { $0.append($0.last! + $1.count / (isPairs ? 2 : 1)) }
  }

  /// Examples of an item, which is what is shuffled and laid into rows: 1, or 2 of a pair.
  var itemSize: Int { isPairs ? 2 : 1 }
  var itemCount: Int { bases.last! }

  /// Examples made elsewhere, source by source.
  public init(examples: [Example], sources: [SourceFacts] = []) {
    var blocks = [ExampleBlock](repeating: ExampleBlock(), count: (examples.map(\.source).max() ?? 0) + 1)
    var last = 0
    for example in examples {
      precondition(example.source >= last, "examples come source by source")
      last = example.source
      blocks[example.source].append(example.rendering, line: example.line)
    }
    self.init(stores: blocks.map(ExampleStore.init), sources: sources)
  }

  /// Pairs made elsewhere, all of one source: chosen, rejected, chosen, …
  package init(pairs examples: [Example]) {
    var block = ExampleBlock()
    for example in examples { block.append(example.rendering, line: example.line) }
    self.init(stores: [ExampleStore(block)], sources: [], isPairs: true)
  }

  /// Reads and renders every source.
  ///
  /// - Parameters:
  ///   - rowLength: positions of a training row; nil: no example is too long.
  ///   - workers: threads that render; the result does not depend on how many.
  ///   - cache: where large sources are kept tokenized; nil: in memory.
  ///   - pairs: every row is a preference pair, and gives two examples.
  /// - Throws: `Problems` with everything wrong with the settings, `FileError`, or `BadRowsError`.
  public init(
    reading sources: [DataSource], with renderer: ExampleRenderer, rowLength: Int?, tooLong: TooLong = .refuse,
    badRows: BadRows = .refuse, limits: RowLimits = RowLimits(), workers: Int = 1, cache: DataCache? = nil, pairs: Bool = false
  ) throws {
    var problems = Problems("data")
    if sources.isEmpty { problems.add("no source is named") }
    for source in sources {
      if let share = source.share, !(share > 0 && share < 1) {
        problems.add("\(source.label): share is \(share), but must lie between 0 and 1")
      }
      do throws(Problems) { _ = try SourceFiles.expand(source.paths) } catch { for words in error.complaints { problems.add(words) } }
    }
    for source in sources {
      if [source.share != nil, source.examples != nil, source.tokens != nil].count(where: { $0 }) > 1 {
        problems.add("\(source.label): share, examples and tokens each say how much of it an epoch has; keep one")
      }
      if let examples = source.examples, examples < 1 { problems.add("\(source.label): examples is \(examples), but must be 1 or more") }
      if let tokens = source.tokens, tokens < 1 { problems.add("\(source.label): tokens is \(tokens), but must be 1 or more") }
    }
    for source in sources where pairs && source.turns != nil { problems.add("\(source.label): `turns` is not for preference pairs") }
    if !sources.isEmpty, !sources.contains(where: { $0.share == nil }) {
      problems.add("every source has a share; leave it away for the one whose examples are all to be seen each epoch")
    } else if sources.compactMap(\.share).reduce(0, +) >= 1 {
      problems.add("the shares add up to 1 or more, which leaves nothing for the source without one")
    }
    if case .skip(let share) = badRows, !(share >= 0 && share <= 1) {
      problems.add("bad_rows: skip is \(share), but a share lies between 0 and 1")
    }
    try problems.check()

    var stores: [ExampleStore] = []
    var facts: [SourceFacts] = []
    for source in sources {
      let reading = SourceReading(
        source: source, renderer: renderer, rowLength: rowLength, tooLong: tooLong, badRows: badRows, limits: limits, workers: workers, pairs: pairs)
      var (store, fact) = try reading.run(cache: cache)
      if store.count == 0 {
        throw FileError(path: source.label, doing: "train on", code: 0, reason: "it yields no example")
      }
      fact.name = source.label
      let others = facts.count { $0.path == source.label }
      if others > 0 { fact.name += " (\(others + 1))" }
      stores.append(store)
      facts.append(fact)
    }
    self.init(stores: stores, sources: facts, isPairs: pairs)
  }

  /// All examples; each is made when it is asked for.
  public var examples: ExampleList { ExampleList(dataset: self, startIndex: 0, endIndex: itemCount * itemSize) }
  /// Tokens of all examples together.
  public var tokens: Int { stores.reduce(0) { $0 + $1.tokenCount } }
  /// Labels of all examples together.
  public var trainedTokens: Int { stores.reduce(0) { $0 + $1.trainedCount } }

  /// Indices of a source's items.
  func indices(of source: Int) -> Range<UInt32> { UInt32(bases[source])..<UInt32(bases[source + 1]) }

  /// An example's source, and its index there.
  func place(_ example: Int) -> (source: Int, index: Int) {
    let item = example / itemSize
    var source = 0
    while item >= bases[source + 1] { source += 1 }
    return (source, example - bases[source] * itemSize)
  }

  /// Positions of an example: one fewer than its tokens, since the last is only ever a label.
  func positions(_ example: Int) -> Int {
    let (source, index) = place(example)
    return stores[source].length(index) - 1
  }

  /// Tokens of an example, its last one included.
  public func tokenCount(ofExample example: Int) -> Int { positions(example) + 1 }

  /// Positions of an item.
  func positions(ofItem item: Int) -> Int {
    isPairs ? positions(2 * item) + positions(2 * item + 1) : positions(item)
  }

  /// Where an example's row stands, as `file:line`.
  public func location(of example: Int) -> String {
    let (source, index) = place(example)
    let files = sources.indices.contains(source) ? sources[source].files : []
    let file = stores[source].file(of: index)
    return "\(files.indices.contains(file) ? files[file].path : "source \(source + 1)"):\(examples[example].line)"
  }
}

/// The examples of a dataset, one after another.
public struct ExampleList: RandomAccessCollection, Sendable {
  let dataset: Dataset
  public let startIndex: Int
  public let endIndex: Int

  public subscript(index: Int) -> Example {
    let (source, place) = dataset.place(index)
    return dataset.stores[source].example(place, source: source)
  }
}
