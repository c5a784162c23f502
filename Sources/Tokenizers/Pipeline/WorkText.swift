/// One text on its way through the pipeline: its bytes as changed so far, cut into pieces.
struct WorkText {
  /// A stretch of the bytes; one that is a token already has its id.
  struct Piece {
    var start: Int
    var end: Int
    var token: Int32 = -1
  }

  private(set) var bytes: [UInt8]
  /// What each byte stands for; nil while the bytes are the original's, or when nobody asks.
  private(set) var alignments: [Alignment]?
  private(set) var pieces: [Piece]
  private var isOriginal = true
  private let tracks: Bool

  /// - Parameter tracks: whether offsets into the original are kept.
  init(_ text: String, tracks: Bool) {
    bytes = Array(text.utf8)
    self.tracks = tracks
    pieces = bytes.isEmpty ? [] : [Piece(start: 0, end: bytes.count)]
  }

  /// The bytes of the original that `bytes[start ..< end]` stands for. Only where they are tracked.
  func original(_ start: Int, _ end: Int) -> Alignment {
    if let alignments { return Alignment(start: alignments[start].start, end: alignments[end - 1].end) }
    // Inside a scalar all its bytes stand for the whole of it.
    var from = start
    var to = end
    while from > 0, bytes[from] & 0xC0 == 0x80 { from -= 1 }
    while to < bytes.count, bytes[to] & 0xC0 == 0x80 { to += 1 }
    return Alignment(start: from, end: to)
  }

  /// Whether a piece begins where the original does.
  func beginsOriginal(_ piece: Piece) -> Bool {
    isOriginal ? piece.start == 0 : alignments?[piece.start].start == 0
  }

  /// Cuts every piece that is no token yet; `body` calls its last argument with start, end and token of each part.
  mutating func split(_ body: (Bytes, Piece, (Int, Int, Int32) -> Void) -> Void) {
    var parts: [Piece] = []
    parts.reserveCapacity(max(pieces.count, bytes.count / 4))
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for piece in pieces {
        if piece.token >= 0 {
          parts.append(piece)
        } else {
          body(base, piece) { start, end, token in
            if start < end { parts.append(Piece(start: start, end: end, token: token)) }
          }
        }
      }
    }
    pieces = parts
  }

  mutating func split(_ splitter: Splitter) {
    // Like the above, without a call for every part.
    var parts: [Piece] = []
    parts.reserveCapacity(max(pieces.count, bytes.count / 4))
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for piece in pieces {
        if piece.token >= 0 {
          parts.append(piece)
        } else {
          splitter.forEachPart(base, from: piece.start, to: piece.end) { start, end in
            parts.append(Piece(start: start, end: end))
          }
        }
      }
    }
    pieces = parts
  }

  /// Rewrites every piece that is no token yet.
  mutating func rewrite(_ body: (inout AlignedText, Piece) -> Void) {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    var parts: [Piece] = []
    newBytes.reserveCapacity(bytes.count + bytes.count / 4)
    for piece in pieces {
      let start = newBytes.count
      var text =
        if let alignments {
          AlignedText(
            Array(bytes[piece.start..<piece.end]), alignments: Array(alignments[piece.start..<piece.end]), tracks: tracks)
        } else {
          AlignedText(bytes[piece.start..<piece.end], originalStart: piece.start, tracks: tracks)
        }
      if piece.token < 0 { body(&text, piece) }
      newBytes.append(contentsOf: text.bytes)
      newAlignments.append(contentsOf: text.alignments)
      if start < newBytes.count { parts.append(Piece(start: start, end: newBytes.count, token: piece.token)) }
    }
    bytes = newBytes
    alignments = tracks ? newAlignments : nil
    pieces = parts
    isOriginal = false
  }

  /// Writes the bytes of every piece that is no token yet in GPT-2's alphabet.
  mutating func spellBytes() {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    newBytes.reserveCapacity(bytes.count * 2)
    for (i, piece) in pieces.enumerated() {
      let start = newBytes.count
      for at in piece.start..<piece.end {
        let before = newBytes.count
        if piece.token >= 0 { newBytes.append(bytes[at]) } else { ByteAlphabet.append(bytes[at], to: &newBytes) }
        if tracks { newAlignments.append(contentsOf: repeatElement(original(at, at + 1), count: newBytes.count - before)) }
      }
      pieces[i].start = start
      pieces[i].end = newBytes.count
    }
    bytes = newBytes
    alignments = tracks ? newAlignments : nil
    isOriginal = false
  }

  /// Turns scalars of GPT-2's alphabet back into the bytes they spell.
  mutating func unspellBytes() {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    newBytes.reserveCapacity(bytes.count)
    for (i, piece) in pieces.enumerated() {
      let start = newBytes.count
      if piece.token >= 0 {
        newBytes.append(contentsOf: bytes[piece.start..<piece.end])
        if let alignments { newAlignments.append(contentsOf: alignments[piece.start..<piece.end]) }
      } else {
        var at = piece.start
        while at < piece.end {
          let lead = bytes[at]
          let value = lead < 0x80 ? Int(lead) : Int(lead & 0x1F) << 6 | Int(bytes[at + 1] & 0x3F)
          newBytes.append(UInt8(truncatingIfNeeded: ByteAlphabet.bytes[value]))
          if let alignments { newAlignments.append(alignments[at]) }
          at += scalarLength(lead)
        }
      }
      pieces[i].start = start
      pieces[i].end = newBytes.count
    }
    bytes = newBytes
    alignments = tracks ? newAlignments : nil
    isOriginal = false
  }
}
