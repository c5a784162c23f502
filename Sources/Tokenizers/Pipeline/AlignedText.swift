/// The bytes of the original text, start ..< end, that a byte of changed text stands for.
struct Alignment: Sendable, Hashable {
  var start: Int
  var end: Int
}

/// A piece of text that normalizers change, knowing for every byte where it came from.
///
/// All bytes of a scalar stand for the same bytes of the original. Where text is added or taken away the
/// alignment follows the `tokenizers` library's rules, so that offsets agree with it.
struct AlignedText {
  /// Valid UTF-8.
  private(set) var bytes: [UInt8]
  /// One for each byte; empty when nobody asks for offsets.
  private(set) var alignments: [Alignment]
  private let tracks: Bool

  /// Text nothing was done to yet; it begins at byte `start` of the original.
  init(_ bytes: ArraySlice<UInt8>, originalStart start: Int, tracks: Bool) {
    self.bytes = Array(bytes)
    self.tracks = tracks
    alignments = []
    if tracks {
      alignments.reserveCapacity(bytes.count)
      appendIdentity(of: self.bytes, start: start)
    }
  }

  /// Text with the alignments it has.
  init(_ bytes: [UInt8], alignments: [Alignment], tracks: Bool) {
    (self.bytes, self.alignments, self.tracks) = (bytes, alignments, tracks)
  }

  private mutating func appendIdentity(of bytes: [UInt8], start: Int) {
    var at = 0
    while at < bytes.count {
      let length = scalarLength(bytes[at])
      for _ in 0..<length { alignments.append(Alignment(start: start + at, end: start + at + length)) }
      at += length
    }
  }

  var isEmpty: Bool { bytes.isEmpty }
  /// Whether every byte is below 0x80.
  var isASCII: Bool { !bytes.contains { $0 >= 0x80 } }

  /// Replaces the text by `scalars`. A positive change is a scalar added after what came before; any other takes
  /// the place of the next scalar and swallows as many after it as the change is below zero.
  mutating func transform(_ scalars: some Sequence<NormalizationForm.Scalar>) {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    newBytes.reserveCapacity(bytes.count + bytes.count / 4)
    var at = 0
    for scalar in scalars {
      if tracks, !alignments.isEmpty {
        let start = alignments[0].start
        let alignment =
          scalar.change > 0
          ? (at < 1 ? Alignment(start: start, end: start) : alignments[at - 1])
          : alignments[min(at, alignments.count - 1)]
        let length = scalar.value < 0x80 ? 1 : scalar.value < 0x800 ? 2 : scalar.value < 0x10000 ? 3 : 4
        for _ in 0..<length { newAlignments.append(alignment) }
        if scalar.change <= 0 {
          for _ in 0...(-scalar.change) where at < bytes.count { at += scalarLength(bytes[at]) }
        }
      }
      appendUTF8(scalar.value, to: &newBytes)
    }
    bytes = newBytes
    alignments = newAlignments
  }

  /// Puts text before the first scalar; empty text stays empty.
  mutating func prepend(_ text: [UInt8]) {
    guard !bytes.isEmpty else { return }
    bytes.insert(contentsOf: text, at: 0)
    if tracks { alignments.insert(contentsOf: repeatElement(alignments[0], count: text.count), at: 0) }
  }

  /// Replaces every match.
  mutating func replace(_ pattern: SplitPattern, with text: [UInt8]) {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    newBytes.reserveCapacity(bytes.count + bytes.count / 2)
    if tracks { newAlignments.reserveCapacity(bytes.count + bytes.count / 2) }
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      pattern.forEachStretch(base, from: 0, to: buffer.count) { start, end, isMatch in
        if isMatch {
          newBytes.append(contentsOf: text)
          guard tracks else { return }
          let first = alignments[0].start
          let alignment = end > 0 ? alignments[end - 1] : Alignment(start: first, end: first)
          newAlignments.append(contentsOf: repeatElement(alignment, count: text.count))
        } else {
          newBytes.append(contentsOf: buffer[start..<end])
          if tracks { newAlignments.append(contentsOf: alignments[start..<end]) }
        }
      }
    }
    bytes = newBytes
    alignments = newAlignments
  }

  /// Keeps only the scalars that pass.
  mutating func keep(where passes: (UInt32) -> Bool) {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    var at = 0
    while at < bytes.count {
      let next = at + scalarLength(bytes[at])
      if passes(bytes.withUnsafeBufferPointer { scalar($0.baseAddress.unsafelyUnwrapped, at) }) {
        newBytes.append(contentsOf: bytes[at..<next])
        if tracks { newAlignments.append(contentsOf: alignments[at..<next]) }
      }
      at = next
    }
    bytes = newBytes
    alignments = newAlignments
  }

  /// Cuts white space off the ends.
  mutating func strip(left: Bool, right: Bool) {
    let values = scalars(of: bytes)
    var from = 0
    var to = bytes.count
    func width(_ value: UInt32) -> Int { value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4 }
    if left { for value in values.prefix(while: { ScalarClasses.of($0).isWhitespace }) { from += width(value) } }
    if right {
      for value in values.reversed().prefix(while: { ScalarClasses.of($0).isWhitespace }) { to -= width(value) }
    }
    guard from > 0 || to < bytes.count else { return }
    to = max(from, to)
    bytes = Array(bytes[from..<to])
    if tracks { alignments = Array(alignments[from..<to]) }
  }

  /// Writes every byte as the scalar of GPT-2's alphabet.
  mutating func spellBytes() {
    var newBytes: [UInt8] = []
    var newAlignments: [Alignment] = []
    newBytes.reserveCapacity(bytes.count * 2)
    for (i, byte) in bytes.enumerated() {
      let before = newBytes.count
      appendUTF8(ByteAlphabet.scalars[Int(byte)], to: &newBytes)
      if tracks { for _ in before..<newBytes.count { newAlignments.append(alignments[i]) } }
    }
    bytes = newBytes
    alignments = newAlignments
  }
}
