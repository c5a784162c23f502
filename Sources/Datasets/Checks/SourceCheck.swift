public import HoldfastBasics
internal import HoldfastTokenizers

/// What there is to say of a source before anyone trains on it.
public struct SourceCheck: Sendable {
  public var source: String
  public var format: DataFormat?
  /// Rows, bad ones included.
  public var rows = 0
  public var examples = 0
  public var tokens = 0
  /// Labels.
  public var trainedTokens = 0
  /// Tokens with characters on both sides of where the learnt text begins or ends.
  public var edgeTokens = 0
  public var longestExample = 0
  /// Examples by length: entry i counts those of at most 16 · 2^i tokens.
  public var lengths: [Int] = []
  /// Examples longer than a row takes: cut, left out, or, where that is refused, also bad rows.
  public var tooLong = 0
  /// Rows of which nothing would be learnt; they are bad rows.
  public var untrained = 0
  /// Examples whose learnt part does not end with the end token or another special one.
  public var withoutEnd = 0
  /// Examples that begin with the beginning token twice.
  public var doubledBeginnings = 0
  /// Tokens that stand for what the tokenizer cannot express, and the examples that have any.
  public var unknownTokens = 0
  public var examplesWithUnknown = 0
  /// Examples that stand in this or an earlier source already, to the token or nearly.
  public var duplicates = 0
  public var nearDuplicates = 0
  /// Examples that stand in the evaluation data, to the token or nearly.
  public var contaminated = 0
  public var nearlyContaminated = 0
  /// Where the first ten stand that are there to the token.
  public var firstContaminated: [String] = []
  /// Rows whose template prints history otherwise than at inference, and how the first of them differs. Unless `turns` is
  /// said they are bad rows.
  public var historyDifferences = 0
  public var firstHistoryDifference: HistoryDifference?
  /// Bad rows, and the first ten.
  public var badRows = 0
  public var firstBadRows: [BadRow] = []
  /// Why a run would refuse the source; empty: it would not.
  public var refusals: [String] = []
  /// The first examples, to look at.
  public var shown: [Example] = []

  init(source: String) { self.source = source }

  mutating func measure(_ rendering: Rendering, special: Set<Int>, beginning: Int?, unknown: Int?) {
    let ids = rendering.ids
    examples += 1
    tokens += ids.count
    trainedTokens += rendering.trainedCount
    edgeTokens += rendering.edgeTokens
    longestExample = max(longestExample, ids.count)
    var bucket = 0
    while 16 << bucket < ids.count { bucket += 1 }
    while lengths.count <= bucket { lengths.append(0) }
    lengths[bucket] += 1
    // A template may print a line feed behind its end of turn.
    if !special.isEmpty, let last = rendering.isTrained.lastIndex(of: true) {
      let end = ids[max(0, last - 2)...last]
      if !end.contains(where: special.contains) { withoutEnd += 1 }
    }
    if let beginning, ids.starts(with: [beginning, beginning]) { doubledBeginnings += 1 }
    if let unknown {
      let count = ids.count { $0 == unknown }
      unknownTokens += count
      if count > 0 { examplesWithUnknown += 1 }
    }
  }

  /// Everything but the examples to look at.
  public var json: JSON {
    [
      "source": .string(source), "format": format.map { .string($0.rawValue) } ?? .null, "rows": .integer(rows),
      "examples": .integer(examples), "tokens": .integer(tokens), "trained_tokens": .integer(trainedTokens),
      "edge_tokens": .integer(edgeTokens), "longest_example": .integer(longestExample),
      "lengths": .array(lengths.enumerated().map { ["at_most": .integer(16 << $0), "examples": .integer($1)] }),
      "too_long": .integer(tooLong), "untrained": .integer(untrained), "without_end": .integer(withoutEnd),
      "doubled_beginnings": .integer(doubledBeginnings), "unknown_tokens": .integer(unknownTokens),
      "examples_with_unknown": .integer(examplesWithUnknown), "duplicates": .integer(duplicates),
      "near_duplicates": .integer(nearDuplicates), "contaminated": .integer(contaminated),
      "nearly_contaminated": .integer(nearlyContaminated), "history_differences": .integer(historyDifferences),
      "first_history_difference": firstHistoryDifference.map { .string("\($0)") } ?? .null, "bad_rows": .integer(badRows),
      "first_bad_rows": .array(firstBadRows.map { .string("\($0)") }), "refusals": .array(refusals.map { .string($0) }),
    ]
  }
}
