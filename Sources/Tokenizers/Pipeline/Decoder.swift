/// One step of what `decoder` in tokenizer.json does to make text of tokens.
enum Decoder: Sendable {
  /// Bytes spelt in GPT-2's alphabet become text, all tokens one.
  case byteLevel
  case replace(SplitPattern, [UInt8])
  /// Tokens like `<0x41>` become bytes; a row of them that is no UTF-8 becomes U+FFFD for each.
  case byteFallback
  case fuse
  /// Takes up to `start` and `stop` of one scalar off the ends of every token.
  case strip(content: UInt32, start: Int, stop: Int)
  case metaspace(replacement: UInt32, prepends: Bool)
  /// A suffix that marks the end of words becomes a space, or nothing at the end.
  case suffix([UInt8])
  case wordPiece(prefix: [UInt8], cleansUp: Bool)

  private static let unreadable = Array("\u{FFFD}".utf8)

  func apply(_ tokens: [[UInt8]]) -> [[UInt8]] {
    switch self {
    case .byteLevel:
      var bytes: [UInt8] = []
      for token in tokens { bytes += ByteAlphabet.decode(token) ?? token }
      return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
    case .fuse: return [Array(tokens.joined())]
    case .replace(let pattern, let text): return tokens.map { Self.replace($0, pattern, text) }
    case .byteFallback: return Self.joinBytes(tokens)
    case .strip(let content, let start, let stop): return tokens.map { Self.strip($0, content, start, stop) }
    case .metaspace(let replacement, let prepends):
      return tokens.enumerated().map { i, token in
        var result: [UInt8] = []
        for value in scalars(of: token) {
          if value != replacement {
            appendUTF8(value, to: &result)
          } else if i > 0 || !prepends {
            result.append(0x20)
          }
        }
        return result
      }
    case .suffix(let suffix):
      return tokens.enumerated().map { i, token in
        Self.replace(token, .literal(suffix), i == tokens.count - 1 ? [] : [0x20])
      }
    case .wordPiece(let prefix, let cleansUp):
      return tokens.enumerated().map { i, token in
        var result = token
        if i > 0 { result = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token }
        return cleansUp ? Self.cleanUp(result) : result
      }
    }
  }

  private static func replace(_ token: [UInt8], _ pattern: SplitPattern, _ text: [UInt8]) -> [UInt8] {
    token.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return [] }
      var result: [UInt8] = []
      result.reserveCapacity(token.count)
      pattern.forEachStretch(base, from: 0, to: buffer.count) { start, end, isMatch in
        if isMatch { result += text } else { result += buffer[start..<end] }
      }
      return result
    }
  }

  /// The byte that a token like `<0x4F>` names.
  static func namedByte(_ token: some Collection<UInt8>) -> UInt8? {
    guard token.count == 6 else { return nil }
    let token = Array(token)
    guard token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
    let digits = String(decoding: token[3..<5], as: UTF8.self)
    return UInt8(digits, radix: 16)
  }

  private static func joinBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var bytes: [UInt8] = []
    func flush() {
      if bytes.isEmpty { return }
      if String(validating: bytes, as: UTF8.self) != nil {
        result.append(bytes)
      } else {
        result += repeatElement(unreadable, count: bytes.count)
      }
      bytes.removeAll()
    }
    for token in tokens {
      if let byte = namedByte(token) {
        bytes.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }

  private static func strip(_ token: [UInt8], _ content: UInt32, _ start: Int, _ stop: Int) -> [UInt8] {
    var unit: [UInt8] = []
    appendUTF8(content, to: &unit)
    var rest = token[...]
    var left = start
    while left > 0, rest.starts(with: unit) { (rest, left) = (rest.dropFirst(unit.count), left - 1) }
    left = stop
    while left > 0, rest.suffix(unit.count).elementsEqual(unit) { (rest, left) = (rest.dropLast(unit.count), left - 1) }
    return Array(rest)
  }

  private static func cleanUp(_ token: [UInt8]) -> [UInt8] {
    let pairs = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
      (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return pairs.reduce(token) { replace($0, .literal(Array($1.0.utf8)), Array($1.1.utf8)) }
  }
}
