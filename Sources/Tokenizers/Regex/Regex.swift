/// A compiled pattern: a program for a backtracking machine over UTF-8.
///
/// Why not Foundation's or Swift's own: the first is not in FoundationEssentials, the second works on grapheme
/// clusters; both are ten times slower. The semantics are Oniguruma's, which the `tokenizers` library runs.
struct SplitRegex: Sendable {
  enum Operation: Sendable {
    case set(Int)
    /// A set again and again, `most` times at most (.max for no limit); greedy ones hand back what they took.
    case run(set: Int, least: Int, most: Int, isPossessive: Bool)
    /// Tries the first place, and the second when that fails.
    case fork(Int, Int)
    case jump(Int)
    /// The body stands next and ends with `accept`; then `next` goes on.
    case look(negated: Bool, next: Int)
    case atomic(next: Int)
    case assertion(RegexAssertion)
    case accept
  }

  let pattern: String
  private(set) var operations: [Operation] = []
  private(set) var sets: [ScalarSet] = []

  /// Whether a match can begin with each byte; nil when it may be empty.
  private(set) var firstBytes: [Bool]?

  init(_ pattern: String) throws(RegexError) {
    self.pattern = pattern
    let node = try RegexParser.parse(pattern)
    try emit(node)
    operations.append(.accept)
    var first = [Bool](repeating: false, count: 128) + [Bool](repeating: true, count: 128)
    if !node.canBeEmpty {
      node.addFirst(to: &first)
      firstBytes = first
    }
  }

  private static let sizeLimit = 20_000

  private mutating func index(of set: ScalarSet) -> Int {
    if let found = sets.firstIndex(of: set) { return found }
    sets.append(set)
    return sets.count - 1
  }

  private mutating func emit(_ node: RegexNode) throws(RegexError) {
    if operations.count > Self.sizeLimit {
      throw RegexError(pattern: pattern, reason: "is larger than \(Self.sizeLimit) operations when its counts are written out")
    }
    switch node {
    case .empty: break
    case .set(let set): operations.append(.set(index(of: set)))
    case .sequence(let parts): for part in parts { try emit(part) }
    case .assertion(let assertion): operations.append(.assertion(assertion))
    case .alternatives(let parts):
      var jumps: [Int] = []
      for (i, part) in parts.enumerated() {
        if i == parts.count - 1 {
          try emit(part)
        } else {
          let fork = reserve()
          try emit(part)
          jumps.append(reserve())
          operations[fork] = .fork(fork + 1, operations.count)
        }
      }
      for jump in jumps { operations[jump] = .jump(operations.count) }
    case .look(let body, let negated):
      let start = reserve()
      try emit(body)
      operations.append(.accept)
      operations[start] = .look(negated: negated, next: operations.count)
    case .atomic(let body):
      let start = reserve()
      try emit(body)
      operations.append(.accept)
      operations[start] = .atomic(next: operations.count)
    case .repeated(let body, let least, let most, let kind):
      if case .set(let set) = body, kind != .lazy {
        let set = index(of: set)
        operations.append(.run(set: set, least: least, most: most ?? .max, isPossessive: kind == .possessive))
      } else if kind == .possessive {
        try emit(.atomic(.repeated(body, least: least, most: most, kind: .greedy)))
      } else {
        try emitRepeat(body, least: least, most: most, isLazy: kind == .lazy)
      }
    }
  }

  private mutating func reserve() -> Int {
    operations.append(.accept)
    return operations.count - 1
  }

  private mutating func emitRepeat(_ body: RegexNode, least: Int, most: Int?, isLazy: Bool) throws(RegexError) {
    for _ in 0..<least { try emit(body) }
    func fork(_ inside: Int, _ after: Int) -> Operation { isLazy ? .fork(after, inside) : .fork(inside, after) }
    guard let most else {
      let start = reserve()
      try emit(body)
      operations.append(.jump(start))
      operations[start] = fork(start + 1, operations.count)
      return
    }
    var forks: [Int] = []
    for _ in least..<most {
      forks.append(reserve())
      try emit(body)
    }
    for at in forks { operations[at] = fork(at + 1, operations.count) }
  }
}
