/// Tokens to text by a list of decoders, with what each token gives on its own worked out beforehand.
struct Decoding: Sendable {
  /// For lists that begin as those of published files do: byte-level text; or replacements, bytes that stand in
  /// for the unknown, and joining.
  private struct Table: Sendable {
    /// Id i gives bytes[starts[i] ..< starts[i + 1]].
    let starts: FixedArray<Int32>
    let bytes: FixedArray<UInt8>
    /// The byte a token names, -1 for text, -2 for ids that are not in the table.
    let kinds: FixedArray<Int16>
    let namesBytes: Bool
    /// What was worked out beforehand, for tokens that are not in the table.
    let first: [Decoder]
    /// What comes after the tokens were joined.
    let rest: [Decoder]
  }

  private let decoders: [Decoder]?
  private let table: Table?

  /// - Parameter others: ids that are not to be taken from the vocabulary.
  init(_ decoders: [Decoder]?, _ model: BytePairModel, besides others: Set<Int>) {
    self.decoders = decoders
    table = decoders.flatMap { Self.table($0, model, others) }
  }

  private static func table(_ decoders: [Decoder], _ model: BytePairModel, _ others: Set<Int>) -> Table? {
    var first: [Decoder] = []
    var rest = decoders[...]
    var namesBytes = false
    if case .byteLevel? = rest.first {
      first = [rest.removeFirst()]
    } else {
      while let next = rest.first, case .replace = next { first.append(rest.removeFirst()) }
      if case .byteFallback? = rest.first {
        rest.removeFirst()
        namesBytes = true
      }
      guard case .fuse? = rest.first else { return nil }
      rest.removeFirst()
    }
    var starts: [Int32] = [0]
    var bytes: [UInt8] = []
    var kinds: [Int16] = []
    for id in 0..<model.numbers.count {
      let number = Int(model.numbers[id])
      if number >= 0, !others.contains(id) {
        let text = alone(Array(model.vocabulary[number]), first)
        bytes += text
        kinds.append(namesBytes ? Decoder.namedByte(text).map(Int16.init) ?? -1 : -1)
      } else {
        kinds.append(-2)
      }
      starts.append(Int32(truncatingIfNeeded: bytes.count))
    }
    return Table(
      starts: FixedArray(starts), bytes: FixedArray(bytes), kinds: FixedArray(kinds), namesBytes: namesBytes,
      first: first, rest: Array(rest))
  }

  /// One token after decoders that look at one token at a time. Byte-level ones leave bytes, which become text
  /// only together.
  private static func alone(_ token: [UInt8], _ decoders: [Decoder]) -> [UInt8] {
    decoders.reduce(token) { token, decoder in
      if case .byteLevel = decoder { ByteAlphabet.decode(token) ?? token } else { decoder.apply([token]).first ?? [] }
    }
  }

  /// - Parameter text: what the file calls a token; nil to pass over it. Not asked for the vocabulary's own.
  func decode(_ ids: some Sequence<Int>, _ text: (Int) -> [UInt8]?) -> String {
    if let table { return Self.decode(ids, table, text) }
    var tokens = ids.compactMap(text)
    guard let decoders else { return String(decoding: Array(tokens.joined(separator: [0x20])), as: UTF8.self) }
    for decoder in decoders { tokens = decoder.apply(tokens) }
    return String(decoding: Array(tokens.joined()), as: UTF8.self)
  }

  private static func decode(_ ids: some Sequence<Int>, _ table: Table, _ text: (Int) -> [UInt8]?) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(ids.underestimatedCount * 5)
    // Where a row of named bytes began.
    var row: Int?
    func endRow() {
      guard let start = row else { return }
      row = nil
      if String(validating: out[start...], as: UTF8.self) != nil { return }
      let count = out.count - start
      out.removeLast(count)
      for _ in 0..<count { out += "\u{FFFD}".utf8 }
    }
    func add(named byte: UInt8) {
      if row == nil { row = out.count }
      out.append(byte)
    }
    for id in ids {
      let kind = id >= 0 && id < table.kinds.count ? table.kinds[id] : -2
      if kind >= 0 {
        add(named: UInt8(truncatingIfNeeded: kind))
      } else if kind == -1 {
        endRow()
        let start = Int(table.starts[id])
        out += UnsafeBufferPointer(start: table.bytes.base + start, count: Int(table.starts[id + 1]) - start)
      } else if let token = text(id) {
        let token = alone(token, table.first)
        if table.namesBytes, let byte = Decoder.namedByte(token) {
          add(named: byte)
        } else {
          endRow()
          out += token
        }
      }
    }
    endRow()
    if table.rest.isEmpty { return String(decoding: out, as: UTF8.self) }
    var tokens = [Array(String(decoding: out, as: UTF8.self).utf8)]
    for decoder in table.rest { tokens = decoder.apply(tokens) }
    return String(decoding: Array(tokens.joined()), as: UTF8.self)
  }
}
