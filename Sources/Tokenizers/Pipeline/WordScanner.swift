/// The split patterns of the well-known tokenizers, by hand: the same words as the expression, many times faster.
///
/// Each of them matches everywhere, so words follow one another without gaps.
enum WordScanner: Sendable, Equatable {
  /// GPT-2, and what `ByteLevel` splits by.
  case gpt2
  /// Llama 3 and cl100k (three digits a word) and Qwen 2 (one).
  case llama3(digits: Int)

  static let gpt2Pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private static let llama3Head = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"#
  private static let llama3Tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let llama3Pattern = llama3Head + #"\p{N}{1,3}"# + llama3Tail
  static let qwen2Pattern = llama3Head + #"\p{N}"# + llama3Tail

  /// The scanner for exactly this pattern, if there is one.
  init?(pattern: String) {
    switch pattern {
    case Self.gpt2Pattern: self = .gpt2
    case Self.llama3Pattern: self = .llama3(digits: 3)
    case Self.qwen2Pattern: self = .llama3(digits: 1)
    default: return nil
    }
  }

  /// Calls `body` with the end of every word in `bytes[start ..< end]`, in order.
  @inline(__always)
  func forEachEnd(_ bytes: Bytes, from start: Int, to end: Int, _ body: (Int) -> Void) {
    let text = Text(bytes: bytes, end: end)
    var at = start
    switch self {
    case .gpt2:
      while at < end {
        at = text.gpt2Word(at)
        body(at)
      }
    case .llama3(let digits):
      while at < end {
        at = text.llama3Word(at, digits: digits)
        body(at)
      }
    }
  }
}

/// What a scalar is to the split patterns.
private enum Kind: UInt8 {
  case other, letter, number, space

  @inline(__always)
  static func of(_ value: UInt32) -> Kind {
    let facts = ScalarClasses.of(value)
    return facts.isLetter ? .letter : facts.isNumber ? .number : facts.isWhitespace ? .space : .other
  }

  @inline(__always)
  static func ofASCII(_ byte: UInt8) -> Kind {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: .letter
    case 0x20, 0x09...0x0D: .space
    case 0x30...0x39: .number
    default: .other
    }
  }
}

private struct Text {
  let bytes: Bytes
  let end: Int

  @inline(__always)
  func kind(_ at: Int) -> Kind {
    let byte = bytes[at]
    return byte < 0x80 ? .ofASCII(byte) : .of(scalar(bytes, at))
  }

  @inline(__always)
  func next(_ at: Int) -> Int { at + scalarLength(bytes[at]) }

  /// The end of the run of one kind that begins at `at`.
  @inline(__always)
  func run(_ wanted: Kind, _ at: Int) -> Int {
    var at = at
    while at < end, kind(at) == wanted { at = next(at) }
    return at
  }

  @inline(__always)
  func isNewline(_ at: Int) -> Bool { bytes[at] == 0x0A || bytes[at] == 0x0D }

  func gpt2Word(_ start: Int) -> Int {
    let byte = bytes[start]
    if byte == UInt8(ascii: "'"), let stop = contraction(start, ignoringCase: false) { return stop }
    var at = start
    var first = kind(at)
    if byte == UInt8(ascii: " "), at + 1 < end {
      let after = kind(at + 1)
      if after != .space {
        at += 1
        first = after
      }
    }
    return first == .space ? spaces(start) : run(first, next(at))
  }

  func llama3Word(_ start: Int, digits: Int) -> Int {
    let byte = bytes[start]
    if byte == UInt8(ascii: "'"), let stop = contraction(start, ignoringCase: true) { return stop }
    let first = kind(start)
    if first == .letter { return run(.letter, next(start)) }
    if first == .number {
      var at = next(start)
      var left = digits - 1
      while left > 0, at < end, kind(at) == .number {
        at = next(at)
        left -= 1
      }
      return at
    }
    let second = next(start)
    if second < end, !isNewline(start), kind(second) == .letter { return run(.letter, next(second)) }
    var at = start
    if byte == UInt8(ascii: " "), second < end, kind(second) == .other { at = second }
    if at != start || first == .other {
      at = run(.other, at)
      while at < end, isNewline(at) { at += 1 }
      return at
    }
    // White space: up to its last line break if it has one.
    at = start
    var afterBreak = start
    while at < end, kind(at) == .space {
      let isBreak = isNewline(at)
      at = next(at)
      if isBreak { afterBreak = at }
    }
    return afterBreak > start ? afterBreak : allButOne(start, at)
  }

  /// `\s+(?!\S)|\s+`
  private func spaces(_ start: Int) -> Int { allButOne(start, run(.space, start)) }

  /// White space before a word leaves its last scalar to the word, unless it is the only one.
  private func allButOne(_ start: Int, _ stop: Int) -> Int {
    if stop == end { return stop }
    let last = scalarStart(bytes, before: stop)
    return last > start ? last : stop
  }

  /// The end of 's 't 're 've 'm 'll 'd.
  private func contraction(_ start: Int, ignoringCase: Bool) -> Int? {
    guard start + 1 < end else { return nil }
    let fold: UInt8 = ignoringCase ? 0x20 : 0
    let first = bytes[start + 1] | (bytes[start + 1] >= 0x40 ? fold : 0)
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      guard start + 2 < end else { return nil }
      let second = bytes[start + 2] | (bytes[start + 2] >= 0x40 ? fold : 0)
      return second == (first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")) ? start + 3 : nil
    // ſ, U+017F, is an s where case does not count.
    case 0xC5 | fold where ignoringCase && bytes[start + 1] == 0xC5 && start + 2 < end && bytes[start + 2] == 0xBF:
      return start + 3
    default: return nil
    }
  }
}
