/// A token beside the vocabulary that is found in text as it stands, before anything is split.
struct AddedToken: Sendable, Hashable {
  var id: Int
  var content: String
  /// Only where no word character stands next to it.
  var isSingleWord: Bool
  /// Takes the white space before it along.
  var stripsLeft: Bool
  /// Takes the white space after it along.
  var stripsRight: Bool
  /// Looked for in normalized text rather than in the original.
  var isNormalized: Bool
  /// Left out of decoded text on demand.
  var isSpecial: Bool
}

/// Finds added tokens: the leftmost first, the longest of those.
struct AddedTokenFinder: Sendable {
  /// A trie over bytes: child (node, byte) → node.
  private var children: [UInt64: Int32] = [:]
  /// The token that ends at each node, -1 for none.
  private var ends: [Int32] = [-1]
  private var beginsToken = [Bool](repeating: false, count: 256)
  private let tokens: [AddedToken]

  /// Of tokens that are found by the same bytes the first one counts.
  init(_ tokens: [(token: AddedToken, bytes: [UInt8])]) {
    self.tokens = tokens.map(\.token)
    for (i, (_, bytes)) in tokens.enumerated() where !bytes.isEmpty {
      beginsToken[Int(bytes[0])] = true
      var node: Int32 = 0
      for byte in bytes {
        let key = UInt64(node) << 8 | UInt64(byte)
        if let child = children[key] {
          node = child
        } else {
          node = Int32(ends.count)
          ends.append(-1)
          children[key] = node
        }
      }
      if ends[Int(node)] < 0 { ends[Int(node)] = Int32(i) }
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// Calls `body` with start, end and token (nil between tokens) of stretches of `bytes[start ..< end]`, in order.
  func forEachStretch(_ bytes: Bytes, from start: Int, to end: Int, _ body: (Int, Int, AddedToken?) -> Void) {
    var done = start
    var at = start
    let text = UnsafeBufferPointer(start: bytes, count: end)
    beginsToken.withUnsafeBufferPointer { begins in
      while true {
        while at < end, !begins[Int(text[at])] { at += 1 }
        guard at < end else { break }
        guard let (found, length) = longest(text, at) else {
          at += 1
          continue
        }
        let token = tokens[found]
        var from = at
        var to = at + length
        // The search goes on behind the token as it was found, even where it does not count.
        at = to
        if token.isSingleWord, touchesWord(bytes, start, from, to, end) { continue }
        if token.stripsLeft {
          while from > done, isSpace(bytes, scalarStart(bytes, before: from)) { from = scalarStart(bytes, before: from) }
          from = max(from, done)
        }
        if token.stripsRight { while to < end, isSpace(bytes, to) { to += scalarLength(bytes[to]) } }
        if done < from { body(done, from, nil) }
        body(from, to, token)
        done = to
      }
    }
    if done < end { body(done, end, nil) }
  }

  @inline(__always)
  private func longest(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> (token: Int, length: Int)? {
    var node: Int32 = 0
    var best: (Int, Int)?
    var at = start
    while at < text.count, let child = children[UInt64(node) << 8 | UInt64(text[at])] {
      node = child
      at += 1
      if ends[Int(node)] >= 0 { best = (Int(ends[Int(node)]), at - start) }
    }
    return best
  }

  private func isSpace(_ bytes: Bytes, _ at: Int) -> Bool { ScalarClasses.of(scalar(bytes, at)).isWhitespace }

  private func touchesWord(_ bytes: Bytes, _ start: Int, _ from: Int, _ to: Int, _ end: Int) -> Bool {
    // A word character here is \w of Rust's regex: Oniguruma's and the two joiners.
    func isWord(_ at: Int) -> Bool {
      let value = scalar(bytes, at)
      return ScalarClasses.of(value).isWord || value == 0x200C || value == 0x200D
    }
    return from > start && isWord(scalarStart(bytes, before: from)) || to < end && isWord(to)
  }
}
