public import HoldfastBasics
internal import HoldfastDatasets

/// Which items of a suite stand in what a model is, or was, trained on.
public struct TrainedOn: Sendable {
  /// An item that was seen.
  public struct Overlap: Sendable, Hashable {
    public let task: String
    /// Of its file, from 1; for texts the text's number.
    public let item: Int
    /// Whether the whole item stands in a training text; otherwise most of its long runs of words do.
    public let isWhole: Bool
    /// Of the item's runs, those that were seen.
    public let share: Double
  }

  /// Words of a run. Runs of so many words are alike by chance only where texts are made from a template.
  public static let runLength = 13
  /// Of an item's runs, how many must have been seen.
  public static let mostSeen = 0.7

  private var runs: Set<UInt64> = []
  private var whole: Set<UInt64> = []

  public init() {}

  /// Remembers a training text: a row's members joined, or a document.
  public mutating func remember(_ text: String) {
    let words = Self.words(of: text)
    guard !words.isEmpty else { return }
    whole.insert(Self.hash(words[...]))
    for start in stride(from: 0, through: words.count - Self.runLength, by: 1) { runs.insert(Self.hash(words[start..<start + Self.runLength])) }
  }

  /// Remembers the rows of a training file: each as one text, its strings in their order. A row whose completion stands apart from
  /// its prompt, or whose text is several messages, is one text all the same.
  ///
  /// - Returns: how many rows it holds.
  @discardableResult
  public mutating func remember(file path: String) throws -> Int {
    guard [".jsonl", ".ndjson", ".json", ".csv", ".gz", ".zst"].contains(where: path.hasSuffix) else {
      let file = try MappedFile(path: path)
      let text = try file.text()
      for part in text.split(separator: "\n", omittingEmptySubsequences: true) { remember(String(part)) }
      remember(text)
      return 1
    }
    var rows = Rows([path]), count = 0
    var problems = Problems(path)
    while let (_, line, row) = try rows.next() {
      switch row {
      case .success(let row):
        for text in Self.texts(of: row) { remember(text) }
        count += 1
      case .failure(let error): problems.add("line \(line): \(error.reason)")
      }
    }
    try problems.check()
    return count
  }

  /// Items that were seen, in the suite's order.
  public func overlaps(with suite: EvaluationSuite) -> [Overlap] {
    suite.tasks.flatMap { task in
      task.source.trainable.compactMap { item in
        item.texts.compactMap(overlap).max { $0.share < $1.share }.map { Overlap(task: task.name, item: item.number, isWhole: $0.isWhole, share: $0.share) }
      }
    }
  }

  /// Throws with every item that was seen, ten a task at most by number.
  public func check(_ suite: EvaluationSuite) throws(Problems) {
    var problems = Problems(suite.name)
    let found = Dictionary(grouping: overlaps(with: suite), by: \.task)
    for task in suite.tasks {
      guard let overlaps = found[task.name] else { continue }
      let numbers = overlaps.prefix(10).map { "\($0.item)" }.joined(separator: ", ") + (overlaps.count > 10 ? " and others" : "")
      let words = overlaps.count { $0.isWhole }
      problems.add("\(task.name): \(overlaps.count) of \(task.source.trainable.count) items stand in the training data (\(words) whole, the others in most of their runs of \(Self.runLength) words): \(numbers); take them out of one or the other")
    }
    try problems.check()
  }

  func overlap(_ text: String) -> (isWhole: Bool, share: Double)? {
    let words = Self.words(of: text)
    if words.isEmpty { return nil }
    if whole.contains(Self.hash(words[...])) { return (true, 1) }
    let count = words.count - Self.runLength + 1
    guard count > 0 else { return nil }
    let seen = (0..<count).count { runs.contains(Self.hash(words[$0..<$0 + Self.runLength])) }
    let share = Double(seen) / Double(count)
    return share >= Self.mostSeen ? (false, share) : nil
  }

  // MARK: - Words

  /// What a model would see of a row: prompt and completion as they stand, a conversation, or all of its texts.
  private static func texts(of row: JSONObject) -> [String] {
    var parts: [String] = []
    func collect(_ value: JSON) {
      switch value {
      case .string(let text): parts.append(text)
      case .array(let values): values.forEach(collect)
      case .object(let object): object.values.forEach(collect)
      default: break
      }
    }
    for (key, value) in row.members where !["id", "role", "task_id", "source"].contains(key) { collect(value) }
    return pair(of: row) + [parts.joined(separator: " ")]
  }

  /// Prompt and completion alone, joined with a space and without.
  static func pair(of row: JSONObject) -> [String] {
    guard let question = (row["prompt"] ?? row["question"] ?? row["instruction"])?.string,
      let answer = (row["completion"] ?? row["answer"] ?? row["output"] ?? row["chosen"])?.string
    else { return [] }
    return [question + " " + answer, question + answer]
  }

  /// Letters and digits in lower case; everything else is between words.
  private static func words(of text: String) -> [ArraySlice<UInt8>] {
    Array(text.lowercased().utf8).split { $0 < 0x80 && !(0x61...0x7A).contains($0) && !(0x30...0x39).contains($0) }
  }

  private static func hash(_ words: ArraySlice<ArraySlice<UInt8>>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for word in words {
      for byte in word { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
      hash = (hash ^ 0x20) &* 0x0000_0100_0000_01B3
    }
    return hash
  }
}

extension TaskItems {
  /// Every item as training data might hold it, with its number. A long text's items are its lines, the short ones apart.
  fileprivate var trainable: [(number: Int, texts: [String])] {
    switch self {
    case .texts(let texts) where texts.count == 1:
      texts[0].unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        .map { ($0 + 1, [String($1)]) }.filter { $0.1[0].utf8.count >= 40 }
    case .texts(let texts): texts.enumerated().map { ($0 + 1, [$1]) }
    case .questions(let questions): questions.map { ($0.line, $0.plain) }
    case .none: []
    }
  }
}
