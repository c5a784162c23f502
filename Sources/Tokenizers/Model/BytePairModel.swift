/// Byte-pair encoding: words to tokens by merging neighbours in a learnt order (Sennrich et al. 2016).
struct BytePairModel: Sendable {
  /// Token texts as the file has them; the number is the place in `ids`.
  let vocabulary: ByteStrings
  /// The id of each vocabulary entry.
  let ids: FixedArray<Int32>
  /// The number in `vocabulary` of each id, -1 where there is none.
  let numbers: FixedArray<Int32>
  let merges: MergeTable
  /// Whether words come as bytes and the vocabulary spells bytes in GPT-2's alphabet.
  let spellsBytes: Bool
  /// For words that may be tokens as a whole, when merges are ignored for them: vocabulary in the words' bytes.
  let wholeWords: ByteStrings?
  /// Token of each byte: a symbol of its own in byte-level models, `<0x41>` where bytes stand in for the unknown.
  let byteIDs: FixedArray<Int32>
  /// Bytes stand in for unknown scalars.
  let fallsBackToBytes: Bool
  let unknownID: Int32?
  let fusesUnknown: Bool
  /// Put before every symbol but the first, and after the last.
  let continuingPrefix: [UInt8]
  let endOfWordSuffix: [UInt8]
  /// Places where a word can be cut without changing its tokens; nil where that is not known to be safe.
  let joints: Joints?

  /// The tokens of one word, found or made, appended by `body` from ids and lengths in bytes.
  ///
  /// Lengths count only what became a token: what no token expresses is dropped.
  @inline(__always)
  func encode(
    _ bytes: Bytes, _ count: Int, _ scratch: inout Scratch, _ body: (UnsafeBufferPointer<Int32>, UnsafeBufferPointer<Int32>) -> Void
  ) {
    guard let joints else {
      encodeWord(bytes, count, &scratch, body)
      return
    }
    var start = 0
    var at = 0
    var before: UInt32 = 0
    while at < count {
      let value = scalar(bytes, at)
      if at > start, !joints.mayJoin(before, value) {
        encodeWord(bytes + start, at - start, &scratch, body)
        start = at
      }
      before = value
      at += scalarLength(bytes[at])
    }
    if start < count { encodeWord(bytes + start, count - start, &scratch, body) }
  }

  @inline(__always)
  private func encodeWord(
    _ bytes: Bytes, _ count: Int, _ scratch: inout Scratch, _ body: (UnsafeBufferPointer<Int32>, UnsafeBufferPointer<Int32>) -> Void
  ) {
    let isKept = count <= WordCache.longestWord
    let hash = isKept ? hashBytes(bytes, count) : 0
    if isKept, let entry = scratch.cache.find(bytes, count, hash) {
      scratch.cache.ids.withUnsafeBufferPointer { ids in
        scratch.cache.lengths.withUnsafeBufferPointer { lengths in
          let range = Int(entry.first)..<Int(entry.first) + Int(entry.count)
          body(UnsafeBufferPointer(rebasing: ids[range]), UnsafeBufferPointer(rebasing: lengths[range]))
        }
      }
      return
    }
    makeSymbols(bytes, count, &scratch.symbols)
    if isKept { scratch.cache.insert(bytes, count, hash, scratch.symbols) }
    scratch.symbols.ids.withUnsafeBufferPointer { ids in
      scratch.symbols.lengths.withUnsafeBufferPointer { lengths in body(ids, lengths) }
    }
  }

  private func makeSymbols(_ bytes: Bytes, _ count: Int, _ symbols: inout Symbols) {
    symbols.removeAll()
    if let wholeWords {
      let number = wholeWords.find(bytes, count)
      if number >= 0 {
        symbols.append(ids[number], length: count)
        return
      }
    }
    // Unknown scalars wait here, so that neighbours can become one token.
    var unknownLength = 0
    func flushUnknown() {
      if unknownLength > 0, let unknownID { symbols.append(unknownID, length: unknownLength) }
      unknownLength = 0
    }
    var at = 0
    while at < count {
      let length = spellsBytes ? 1 : scalarLength(bytes[at])
      let id = symbol(bytes, at, length, isFirst: at == 0, isLast: at + length == count)
      if id >= 0 {
        flushUnknown()
        symbols.append(id, length: length)
      } else if fallsBackToBytes, (at..<at + length).allSatisfy({ byteIDs[Int(bytes[$0])] >= 0 }) {
        // The library leaves a waiting unknown token waiting here.
        for i in at..<at + length { symbols.append(byteIDs[Int(bytes[i])], length: 1) }
      } else if unknownID != nil {
        if !fusesUnknown { flushUnknown() }
        unknownLength += length
      }
      at += length
    }
    flushUnknown()
    symbols.merge(merges)
  }

  /// The token of one symbol, -1 when there is none.
  @inline(__always)
  private func symbol(_ bytes: Bytes, _ at: Int, _ length: Int, isFirst: Bool, isLast: Bool) -> Int32 {
    if continuingPrefix.isEmpty && endOfWordSuffix.isEmpty {
      if spellsBytes { return byteIDs[Int(bytes[at])] }
      let number = vocabulary.find(bytes + at, length)
      return number < 0 ? -1 : ids[number]
    }
    return affixedSymbol(bytes, at, length, isFirst: isFirst, isLast: isLast)
  }

  private func affixedSymbol(_ bytes: Bytes, _ at: Int, _ length: Int, isFirst: Bool, isLast: Bool) -> Int32 {
    var text = isFirst ? [] : continuingPrefix
    for i in at..<at + length {
      if spellsBytes { appendUTF8(ByteAlphabet.scalars[Int(bytes[i])], to: &text) } else { text.append(bytes[i]) }
    }
    if isLast { text += endOfWordSuffix }
    let number = text.withUnsafeBufferPointer { vocabulary.find($0.baseAddress.unsafelyUnwrapped, $0.count) }
    return number < 0 ? -1 : ids[number]
  }
}

/// Which two scalars can come to stand beside each other inside a token.
///
/// A merge across any other boundary does not exist, so a word can be cut there. Models without pre-tokenizer
/// see a whole text as one word; this turns it into words that the cache knows.
struct Joints: Sendable {
  private static let bits = 17
  private let table: FixedArray<UInt64>

  init(_ pairs: some Sequence<(UInt32, UInt32)>) {
    table = FixedArray(repeating: 0, count: 1 << (Self.bits - 6)) { table in
      for (a, b) in pairs {
        let place = Self.place(a, b)
        table[place >> 6] |= 1 << UInt64(place & 63)
      }
    }
  }

  @inline(__always)
  private static func place(_ a: UInt32, _ b: UInt32) -> Int {
    Int(((a &* 0x9E37_79B1) ^ (b &* 0x85EB_CA77)) >> UInt32(32 - bits))
  }

  /// False only when they surely cannot.
  @inline(__always)
  func mayJoin(_ a: UInt32, _ b: UInt32) -> Bool {
    let place = Self.place(a, b)
    return (table[place >> 6] >> UInt64(place & 63)) & 1 != 0
  }
}
