/// One step of what `pre_tokenizer` in tokenizer.json does: cut pieces smaller, sometimes after changing them.
enum PreTokenizer: Sendable {
  enum Prepending: Sendable { case always, first, never }

  case split(Splitter)
  /// Words to bytes of GPT-2's alphabet. `spells` is false where nothing looks at the spelling afterwards: the
  /// model then gets the bytes themselves.
  case byteLevel(addsPrefixSpace: Bool, splits: Bool, spells: Bool)
  case metaspace(replacement: [UInt8], prepending: Prepending, splits: Bool)
  case fixedLength(Int)

  /// Whether it must know where a piece stands in the original.
  var needsOrigin: Bool {
    if case .metaspace(_, .first, _) = self { true } else { false }
  }

  func apply(_ text: inout WorkText) {
    switch self {
    case .split(let splitter): text.split(splitter)
    case .byteLevel(let addsPrefixSpace, let splits, let spells):
      if addsPrefixSpace {
        text.rewrite { piece, _ in if piece.bytes.first != 0x20 { piece.prepend([0x20]) } }
      }
      if splits { text.split(Splitter(pattern: .scanner(.gpt2), behavior: .isolated)) }
      if spells { text.spellBytes() }
    case .metaspace(let replacement, let prepending, let splits):
      let before = text
      text.rewrite { piece, source in
        piece.replace(.literal([0x20]), with: replacement)
        let wanted = prepending == .always || prepending == .first && before.beginsOriginal(source)
        if wanted, !piece.bytes.starts(with: replacement) { piece.prepend(replacement) }
      }
      if splits { text.split(Splitter(pattern: .literal(replacement), behavior: .mergedWithNext)) }
    case .fixedLength(let length):
      text.split { bytes, piece, emit in
        var start = piece.start
        var at = start
        var count = 0
        while at < piece.end {
          at += scalarLength(bytes[at])
          count += 1
          if count == length || at == piece.end {
            emit(start, at, -1)
            (start, count) = (at, 0)
          }
        }
      }
    }
  }
}
