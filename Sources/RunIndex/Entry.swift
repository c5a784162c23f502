extension RunIndex {
  /// One run or study.
  public struct Entry: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable { case run, study, search, stages }

    public enum State: String, Sendable, Hashable, CaseIterable {
      /// Its result stands; of a run also where it stopped early.
      case finished
      /// Ctrl-C; a resume goes on.
      case stopped
      /// An error ended it.
      case failed
      /// It has said no end: it is at work, or was killed.
      case open
    }

    /// Below the indexed folder; `.` is that folder itself.
    public var path: String
    /// Path of the study, search or sequence that it belongs to.
    public var part: String?
    public var kind: Kind
    public var state: State
    /// Why it ended as it did, in words.
    public var reason: String?
    public var model = ""
    /// Methods of a recipe's stack, an adapter's kind behind them; of a study all that it compares.
    public var method = ""
    public var seed: Int?
    public var learningRate: Double?
    /// Done: steps of a run, points of a study, runs of a search, stages of a sequence.
    public var steps: Int?
    /// Wanted, where that is known.
    public var planned: Int?
    /// Of the last step.
    public var loss: Double?
    /// Share of the parameters.
    public var trained: Double?
    /// At work, over all its parts.
    public var seconds: Double?
    public var device: String?
    public var libtorch: String?
    /// Seconds since 1970: when what it is read from last changed.
    public var modified: Double
    /// The last of each name, such as `held_out.loss`.
    public var scores: [String: Double] = [:]
  }

  /// What `find` is asked for; everything that is given must hold.
  public struct Query: Sendable {
    /// Part of a method's or adapter's name, in any case.
    public var method: String?
    /// Part of a model's path, in any case.
    public var model: String?
    public var kind: Entry.Kind?
    public var state: Entry.State?
    /// Seconds since 1970.
    public var since: Double?
    public var conditions: [Condition] = []
    /// Whether runs that belong to a study, a search or a sequence are found beside these.
    public var includesParts = false
    /// A name as in a condition; nil: the newest first.
    public var sort: String?
    public var isDescending = false
    public var limit: Int?

    public init() {}
  }

  /// `loss < 1.2`: a fact or a score, how it is compared, and with what.
  public struct Condition: Sendable, Hashable {
    public let name: String
    /// As SQL writes it.
    let comparison: String
    let value: String

    /// Comparisons as they are written, longer ones first.
    private static let comparisons = [("<=", "<="), (">=", ">="), ("!=", "<>"), ("==", "="), ("<", "<"), (">", ">"), ("=", "=")]

    /// Reads one condition, or several with `and` between them.
    /// - Throws: the words of what is no condition.
    public static func read(_ text: String) throws(NotACondition) -> [Condition] {
      var found: [Condition] = [], words: [String] = []
      for word in text.split(whereSeparator: \.isWhitespace).map(String.init) + ["and"] {
        guard word.lowercased() == "and" else {
          words.append(word)
          continue
        }
        found.append(try one(words.joined(separator: " ")))
        words = []
      }
      return found
    }

    private static func one(_ text: String) throws(NotACondition) -> Condition {
      guard let at = text.firstIndex(where: { "<>=!".contains($0) }),
        let (word, sql) = comparisons.first(where: { text[at...].hasPrefix($0.0) })
      else { throw NotACondition(text: text) }
      let name = trimmed(text[..<at]), value = trimmed(text[text.index(at, offsetBy: word.count)...])
      guard !name.isEmpty, !value.isEmpty else { throw NotACondition(text: text) }
      return Condition(name: name, comparison: sql, value: value)
    }

    private static func trimmed(_ text: Substring) -> String {
      var text = text
      while text.first == " " { text.removeFirst() }
      while text.last == " " { text.removeLast() }
      return String(text)
    }
  }

  /// A text that should have been a condition.
  public struct NotACondition: Error, Sendable, CustomStringConvertible {
    public let text: String
    public var description: String { "\"\(text)\" is no condition; write a name, one of < <= > >= = !=, and a value, as in \"loss < 1.2\"" }
  }
}
