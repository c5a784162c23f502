public import HoldfastBasics

/// Text to token ids and back, as a Hugging Face `tokenizer.json` with a BPE model says.
///
/// Ids, offsets and decoded text equal those of the `tokenizers` library (0.23) reading the same file. What of
/// the format is not supported is named in the error when the file is read, never passed over. Safe to use from
/// several threads at once.
public final class Tokenizer: Sendable {
  /// tokenizer_config.json, for special tokens as template variables; nil when there is none.
  public let configuration: JSON?
  /// Paths that were read, for hashing and for copying along into an export.
  public let files: [String]
  /// The chat template: chat_template.jinja, or else the one in tokenizer_config.json.
  public let chatTemplate: String?
  /// The token that begins a text (`bos_token` of tokenizer_config.json or special_tokens_map.json).
  public let beginningID: Int?
  /// The token that ends a text (`eos_token`).
  public let endID: Int?
  /// The token for what the vocabulary cannot express (`unk_token`, or else the model's own).
  public let unknownID: Int?
  /// The token that fills rows (`pad_token`).
  public let padID: Int?
  /// The ids of special tokens: those that stand for no text, such as ends of turns.
  public let specialIDs: Set<Int>
  /// The highest id + 1, added tokens included.
  public let vocabularySize: Int

  private let parts: TokenizerParts
  private let mustUnspell: Bool
  private let needsOrigin: Bool
  private let rawFinder: AddedTokenFinder
  private let normalizedFinder: AddedTokenFinder
  private let addedByID: [Int: AddedToken]
  /// What each added token decodes to: its content, or that normalized where it is looked for so.
  private let addedTexts: [Int: [UInt8]]
  // By bytes, not by String, for which "e\u{301}" and "é" are the same.
  private let addedByContent: [[UInt8]: Int]
  private let specialContents: Set<[UInt8]>
  private let decoding: Decoding
  private let pool = ScratchPool()

  /// Ids of special tokens that the chat template prints itself: those whose text stands in it, and beginning and end of a text where it
  /// names them; in order, empty without a template.
  public var templateTokens: [Int] {
    guard let chatTemplate else { return [] }
    let written = parts.addedTokens.filter { $0.isSpecial && chatTemplate.contains($0.content) }.map(\.id)
    let named = [("bos_token", beginningID), ("eos_token", endID)].filter { chatTemplate.contains($0.0) }.compactMap(\.1)
    return Set(written + named).sorted()
  }

  /// Reads tokenizer.json and, when present, tokenizer_config.json, special_tokens_map.json and chat_template.jinja.
  ///
  /// Throws `FileError` for a file that cannot be read, `Problems` for what is wrong or not supported in it.
  public convenience init(folder: String) throws {
    let files = try TokenizerFolder(folder)
    try self.init(
      tokenizer: files.tokenizer, configuration: files.configuration, specialTokens: files.specialTokens,
      template: files.templateFile, files: files.files, path: folder + "/tokenizer.json")
  }

  /// A tokenizer from values already read.
  ///
  /// - Parameter path: what to call the file in errors.
  public convenience init(tokenizer: JSON, configuration: JSON?, path: String) throws {
    try self.init(
      tokenizer: tokenizer, configuration: configuration, specialTokens: nil, template: nil, files: [], path: path)
  }

  private init(
    tokenizer: JSON, configuration: JSON?, specialTokens: JSON?, template: String?, files: [String], path: String
  ) throws {
    let parts = try TokenizerParts(tokenizer, path: path)
    self.parts = parts
    self.configuration = configuration
    self.files = files
    chatTemplate = template ?? configuration?.chatTemplate
    mustUnspell = parts.mustUnspell
    needsOrigin = parts.preTokenizers.contains(where: \.needsOrigin)

    let texts = parts.addedTokens.map { token in
      var text = AlignedText(Array(token.content.utf8)[...], originalStart: 0, tracks: false)
      if token.isNormalized { parts.normalizer?.apply(&text) }
      return (token: token, bytes: text.bytes)
    }
    rawFinder = AddedTokenFinder(texts.filter { !$0.token.isNormalized })
    normalizedFinder = AddedTokenFinder(texts.filter(\.token.isNormalized))
    addedByID = Dictionary(texts.map { ($0.token.id, $0.token) }) { $1 }
    addedTexts = Dictionary(texts.map { ($0.token.id, $0.bytes) }) { $1 }
    let addedByContent = Dictionary(texts.map { (Array($0.token.content.utf8), $0.token.id) }) { $1 }
    self.addedByContent = addedByContent
    specialIDs = Set(parts.addedTokens.filter(\.isSpecial).map(\.id))
    specialContents = Set(parts.addedTokens.filter(\.isSpecial).map { Array($0.content.utf8) })
    decoding = Decoding(parts.decoders, parts.model, besides: Set(parts.addedTokens.map(\.id)))
    vocabularySize = max(parts.model.numbers.count, (parts.addedTokens.map(\.id).max() ?? -1) + 1)

    func special(_ key: String) -> Int? {
      guard let text = configuration?.specialToken(key) ?? specialTokens?.specialToken(key) else { return nil }
      let number = parts.model.vocabulary.find(text)
      return addedByContent[Array(text.utf8)] ?? (number < 0 ? nil : Int(parts.model.ids[number]))
    }
    beginningID = special("bos_token")
    endID = special("eos_token")
    padID = special("pad_token")
    unknownID = special("unk_token") ?? parts.model.unknownID.map(Int.init)
  }
}

// MARK: - Encoding

extension Tokenizer {
  /// The token ids of a text.
  ///
  /// - Parameter addSpecialTokens: whether the tokens are added that the file's template puts around a text.
  ///   Special tokens that stand in the text are recognised either way.
  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int] {
    var ids: [Int] = []
    let work = prepare(text, tracks: needsOrigin && parts.normalizer != nil)
    ids.reserveCapacity(work.pieces.count + work.pieces.count / 4 + 8)
    pool.with { scratch in
      work.bytes.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return }
        for piece in work.pieces {
          if piece.token >= 0 {
            ids.append(Int(piece.token))
          } else {
            parts.model.encode(base + piece.start, piece.end - piece.start, &scratch) { found, _ in
              for id in found { ids.append(Int(id)) }
            }
          }
        }
      }
    }
    for processor in parts.postProcessors { processor.apply(&ids, addSpecialTokens: addSpecialTokens) }
    return ids
  }

  /// The token ids of a text and which of its Unicode scalars each stands for.
  public func encodeWithOffsets(_ text: String, addSpecialTokens: Bool = true) -> Encoding {
    var encoding = Encoding()
    var spaces: [(leading: Int, trailing: Int)] = []
    let trims = parts.postProcessors.contains { if case .trimOffsets = $0 { true } else { false } }
    let positions = ScalarPositions(text)
    let work = prepare(text, tracks: true)
    pool.with { scratch in
      work.bytes.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return }
        for piece in work.pieces {
          if piece.token >= 0 {
            encoding.ids.append(Int(piece.token))
            encoding.offsets.append(positions.range(work.original(piece.start, piece.end)))
            if trims { spaces.append(Self.spaces(bytes[piece.start..<piece.end])) }
            continue
          }
          var at = 0
          parts.model.encode(base + piece.start, piece.end - piece.start, &scratch) { ids, lengths in
            for (i, id) in ids.enumerated() {
              let start = piece.start + at
              at += Int(lengths[i])
              encoding.ids.append(Int(id))
              encoding.offsets.append(positions.range(work.original(start, piece.start + at)))
              if trims { spaces.append(tokenSpaces(Int(id))) }
            }
            if parts.model.spellsBytes, at < piece.end - piece.start {
              let found = droppedOffsets(ids, bytes[piece.start..<piece.end])
              for (i, range) in found.enumerated() {
                encoding.offsets[encoding.offsets.count - ids.count + i] = positions.range(
                  work.original(piece.start + range.lowerBound, piece.start + range.upperBound))
              }
            }
          }
        }
      }
    }
    for processor in parts.postProcessors {
      processor.apply(&encoding, addSpecialTokens: addSpecialTokens, spaces: spaces)
    }
    return encoding
  }

  /// Where the tokens of a word lie whose vocabulary lacks some of its bytes.
  ///
  /// The library leaves such bytes out and counts on as if they had not been there, in the spelling of the byte
  /// alphabet, where a byte is one or two bytes long. Offsets then lag behind; they do so here too.
  private func droppedOffsets(
    _ ids: UnsafeBufferPointer<Int32>, _ word: Slice<UnsafeBufferPointer<UInt8>>
  ) -> [Range<Int>] {
    var byteAt: [Int] = []
    for (i, byte) in word.enumerated() {
      byteAt.append(i)
      if ByteAlphabet.scalars[Int(byte)] >= 0x80 { byteAt.append(i) }
    }
    var at = 0
    return ids.map { id in
      let length = parts.model.vocabulary[Int(parts.model.numbers[Int(id)])].count
      defer { at += length }
      return byteAt[min(at, byteAt.count - 1)]..<byteAt[min(at + length, byteAt.count) - 1] + 1
    }
  }

  /// Added tokens found, text normalized and cut into words.
  private func prepare(_ text: String, tracks: Bool) -> WorkText {
    var work = WorkText(text, tracks: tracks)
    if !rawFinder.isEmpty { work.split(rawFinder) }
    if let normalizer = parts.normalizer { work.rewrite { piece, _ in normalizer.apply(&piece) } }
    if !normalizedFinder.isEmpty { work.split(normalizedFinder) }
    for step in parts.preTokenizers { step.apply(&work) }
    if mustUnspell { work.unspellBytes() }
    return work
  }

  /// Scalars of white space that a token's text begins and ends with, a byte-level space included.
  private static func spaces(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> (leading: Int, trailing: Int) {
    let values = scalars(of: text)
    func isSpace(_ value: UInt32) -> Bool { value == 0x120 || ScalarClasses.of(value).isWhitespace }
    return (values.prefix(while: isSpace).count, values.reversed().prefix(while: isSpace).count)
  }

  private func tokenSpaces(_ id: Int) -> (leading: Int, trailing: Int) {
    let text = parts.model.vocabulary[Int(parts.model.numbers[id])]
    return Self.spaces(text[...])
  }
}

extension WorkText {
  fileprivate mutating func split(_ finder: AddedTokenFinder) {
    split { bytes, piece, emit in
      finder.forEachStretch(bytes, from: piece.start, to: piece.end) { start, end, token in
        emit(start, end, token.map { Int32($0.id) } ?? -1)
      }
    }
  }
}

// MARK: - Decoding

extension Tokenizer {
  /// The text of token ids. Ids without a token are passed over; bytes that are no UTF-8 become U+FFFD.
  ///
  /// - Parameter skipSpecialTokens: whether special tokens leave no trace.
  public func decode(_ ids: some Sequence<Int>, skipSpecialTokens: Bool = false) -> String {
    func text(_ id: Int) -> [UInt8]? {
      guard let text = addedTexts[id] ?? number(of: id).map({ Array(parts.model.vocabulary[$0]) }) else { return nil }
      return skipSpecialTokens && specialContents.contains(text) ? nil : text
    }
    return decoding.decode(ids, text)
  }

  private func number(of id: Int) -> Int? {
    guard id >= 0, id < parts.model.numbers.count, parts.model.numbers[id] >= 0 else { return nil }
    return Int(parts.model.numbers[id])
  }

  /// The id of a token, by its text as the file spells it (`Ġthe`, `▁the`, `<0x0A>`).
  public func id(of token: String) -> Int? {
    if let id = addedByContent[Array(token.utf8)] { return id }
    let number = parts.model.vocabulary.find(token)
    return number < 0 ? nil : Int(parts.model.ids[number])
  }

  /// The text of a token as the file spells it; nil for an id without one.
  public func token(_ id: Int) -> String? {
    addedByID[id]?.content ?? number(of: id).map { parts.model.vocabulary.text($0) }
  }
}
