/// One search through one piece of text. Keeps its stack between matches.
struct RegexMatcher {
  private let regex: SplitRegex
  private let bytes: Bytes
  private let start: Int
  private let end: Int
  private var stack: [Retry] = []
  private var steps = 0
  /// Places (operation, position) that led nowhere, kept once a match takes long, so that no pattern takes
  /// exponential time: nothing but the place decides what follows.
  private var failed: Set<Int> = []

  /// Where to go on when the current way fails. `least` < `position` while a run can hand back more.
  private struct Retry {
    var operation: Int
    var position: Int
    var least: Int
  }

  /// Matches in `bytes[start ..< end]`, whose ends count as the ends of the text.
  init(_ regex: SplitRegex, _ bytes: Bytes, from start: Int, to end: Int) {
    self.regex = regex
    self.bytes = bytes
    self.start = start
    self.end = end
  }

  /// The leftmost match that begins at `position` or later.
  mutating func firstMatch(from position: Int) -> Range<Int>? {
    var position = position
    while position <= end {
      if let first = regex.firstBytes {
        while position < end, !first[Int(bytes[position])] { position += 1 }
        if position == end { return nil }
      }
      if let stop = match(at: position) { return position..<stop }
      if position == end { return nil }
      position += scalarLength(bytes[position])
    }
    return nil
  }

  /// The end of the match that begins exactly at `position`.
  mutating func match(at position: Int) -> Int? {
    steps = 0
    if !failed.isEmpty { failed.removeAll(keepingCapacity: true) }
    return run(0, position)
  }

  private static let patience = 5000

  private mutating func run(_ first: Int, _ from: Int) -> Int? {
    let floor = stack.count
    defer { stack.removeLast(stack.count - floor) }
    var operation = first
    var position = from
    while true {
      steps += 1
      if steps > Self.patience, !failed.insert(operation << 40 | position).inserted {
        guard backtrack(&operation, &position, floor) else { return nil }
        continue
      }
      var isAlive = true
      switch regex.operations[operation] {
      case .accept: return position
      case .set(let set):
        if position < end, regex.sets[set].contains(scalar(bytes, position)) {
          position += scalarLength(bytes[position])
          operation += 1
        } else {
          isAlive = false
        }
      case .run(let set, let least, let most, let isPossessive):
        let set = regex.sets[set]
        var count = 0
        var leastPosition = position
        while count < most, position < end, set.contains(scalar(bytes, position)) {
          position += scalarLength(bytes[position])
          count += 1
          if count == least { leastPosition = position }
        }
        if count < least {
          isAlive = false
        } else {
          operation += 1
          if !isPossessive, leastPosition < position {
            stack.append(Retry(operation: operation, position: position, least: leastPosition))
          }
        }
      case .fork(let first, let second):
        stack.append(Retry(operation: second, position: position, least: position))
        operation = first
      case .jump(let next): operation = next
      case .look(let negated, let next):
        if (inner(operation + 1, position) != nil) != negated { operation = next } else { isAlive = false }
      case .atomic(let next):
        if let stop = inner(operation + 1, position) {
          position = stop
          operation = next
        } else {
          isAlive = false
        }
      case .assertion(let assertion):
        if holds(assertion, position) { operation += 1 } else { isAlive = false }
      }
      if !isAlive, !backtrack(&operation, &position, floor) { return nil }
    }
  }

  /// A body of its own: what failed outside says nothing inside.
  private mutating func inner(_ operation: Int, _ position: Int) -> Int? {
    var outside: Set<Int> = []
    swap(&outside, &failed)
    defer { swap(&outside, &failed) }
    return run(operation, position)
  }

  private mutating func backtrack(_ operation: inout Int, _ position: inout Int, _ floor: Int) -> Bool {
    guard stack.count > floor else { return false }
    let top = stack.count - 1
    let retry = stack[top]
    operation = retry.operation
    if retry.least < retry.position {
      // A run hands back one scalar.
      position = scalarStart(bytes, before: retry.position)
      if position > retry.least { stack[top].position = position } else { stack.removeLast() }
    } else {
      position = retry.position
      stack.removeLast()
    }
    return true
  }

  private func holds(_ assertion: RegexAssertion, _ position: Int) -> Bool {
    let newline = UInt8(ascii: "\n")
    switch assertion {
    case .textStart: return position == start
    case .textEnd: return position == end
    case .textEndOrNewline: return position == end || position == end - 1 && bytes[position] == newline
    case .lineStart: return position == start || position < end && bytes[position - 1] == newline
    case .lineEnd: return position == end || bytes[position] == newline
    case .wordBoundary, .notWordBoundary:
      let before = position > start && ScalarClasses.of(scalar(bytes, scalarStart(bytes, before: position))).isWord
      let after = position < end && ScalarClasses.of(scalar(bytes, position)).isWord
      return (before != after) == (assertion == .wordBoundary)
    }
  }
}
