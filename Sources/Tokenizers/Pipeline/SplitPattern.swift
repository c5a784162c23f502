/// What text is split at, or what is replaced in it: a string, an expression, or single scalars of a kind.
enum SplitPattern: Sendable {
  case literal([UInt8])
  case regex(SplitRegex)
  case scanner(WordScanner)
  case scalars(ScalarKind)

  enum ScalarKind: Sendable, Equatable {
    case one(UInt32)
    case number, punctuation, whitespace

    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
      switch self {
      case .one(let wanted): return value == wanted
      case .number: return ScalarClasses.of(value).isNumber
      case .whitespace: return ScalarClasses.of(value).isWhitespace
      case .punctuation:
        // ASCII's punctuation holds symbols too: $ + < = > ^ ` | ~
        if value < 0x80 {
          return (0x21...0x2F).contains(value) || (0x3A...0x40).contains(value) || (0x5B...0x60).contains(value)
            || (0x7B...0x7E).contains(value)
        }
        return ScalarClasses.of(value).isPunctuation
      }
    }
  }

  init(regex pattern: String) throws(RegexError) {
    if let scanner = WordScanner(pattern: pattern) {
      self = .scanner(scanner)
    } else {
      self = .regex(try SplitRegex(pattern))
    }
  }

  /// Calls `body` with start, end and "is a match" of consecutive stretches that cover `bytes[start ..< end]`.
  func forEachStretch(_ bytes: Bytes, from start: Int, to end: Int, _ body: (Int, Int, Bool) -> Void) {
    var done = start
    func found(_ from: Int, _ to: Int) {
      if done < from { body(done, from, false) }
      body(from, to, true)
      done = to
    }
    switch self {
    case .scanner(let scanner):
      scanner.forEachEnd(bytes, from: start, to: end) { stop in found(done, stop) }
    case .scalars(let kind):
      var at = start
      while at < end {
        let next = at + scalarLength(bytes[at])
        if kind.contains(scalar(bytes, at)) { found(at, next) }
        at = next
      }
    case .literal(let wanted):
      guard let first = wanted.first else { break }
      var at = start
      search: while at + wanted.count <= end {
        if bytes[at] == first {
          var i = 1
          while i < wanted.count, bytes[at + i] == wanted[i] { i += 1 }
          if i == wanted.count {
            found(at, at + i)
            at += i
            continue search
          }
        }
        at += 1
      }
    case .regex(let regex):
      if start == end { break }
      var matcher = RegexMatcher(regex, bytes, from: start, to: end)
      var at = start
      var lastEnd: Int?
      while at <= end, let match = matcher.firstMatch(from: at) {
        if match.isEmpty, match.upperBound == lastEnd {
          // An empty match right after a match does not count.
          at = match.upperBound < end ? match.upperBound + scalarLength(bytes[match.upperBound]) : end + 1
          continue
        }
        at = match.upperBound
        lastEnd = at
        found(match.lowerBound, match.upperBound)
      }
    }
    if done < end { body(done, end, false) }
  }
}

/// What becomes of the stretches that match, with the names of the `tokenizers` library.
enum SplitBehavior: String, Sendable, CaseIterable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

/// Splits pieces by a pattern.
struct Splitter: Sendable {
  var pattern: SplitPattern
  var behavior: SplitBehavior
  /// Whether the pattern describes what to keep rather than what to split at.
  var isInverted = false

  /// Calls `body` with start and end of every part of `bytes[start ..< end]` that is not empty, in order.
  @inline(__always)
  func forEachPart(_ bytes: Bytes, from start: Int, to end: Int, _ body: (Int, Int) -> Void) {
    if case .scanner(let scanner) = pattern, behavior == .isolated || (behavior == .removed && isInverted) {
      var from = start
      scanner.forEachEnd(bytes, from: start, to: end) { stop in
        body(from, stop)
        from = stop
      }
    } else {
      slowly(bytes, from: start, to: end, body)
    }
  }

  private func slowly(_ bytes: Bytes, from start: Int, to end: Int, _ body: (Int, Int) -> Void) {
    // The part that may still grow.
    var from = start
    var to = start
    var hasPending = false
    var wasMatch = false
    func flush() {
      if hasPending, from < to { body(from, to) }
      hasPending = false
    }
    pattern.forEachStretch(bytes, from: start, to: end) { a, b, isMatch in
      let isMatch = isMatch != isInverted
      let joins =
        switch behavior {
        case .removed, .isolated: false
        case .contiguous: isMatch == wasMatch
        case .mergedWithPrevious: isMatch && !wasMatch
        case .mergedWithNext: !isMatch && wasMatch
        }
      wasMatch = isMatch
      if joins, hasPending {
        to = b
        return
      }
      flush()
      if behavior == .removed, isMatch { return }
      (from, to, hasPending) = (a, b, true)
    }
    flush()
  }
}
