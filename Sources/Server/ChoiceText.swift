internal import HoldfastDecoding
internal import HoldfastTokenizers

/// One answer as it grows: its text up to a stop string, and its tokens with where they stand in it.
struct ChoiceText {
  /// A token whose text has been given out, or begins in what has.
  struct Entry {
    let token: GeneratedToken
    /// Scalars of the answer before it.
    let start: Int
    let end: Int
  }

  /// What one step adds.
  struct Delta {
    var text = ""
    var entries: [Entry] = []
  }

  private var stream: TextStream
  private var stops: StopText
  private var pending: [Entry] = []
  private var produced = 0, given = 0
  private(set) var finish: String?
  private(set) var tokenCount = 0

  init(_ tokenizer: Tokenizer, after prompt: [Int], stops: [String]) {
    stream = TextStream(tokenizer, after: prompt)
    self.stops = StopText(stops)
  }

  /// Takes tokens up to the answer's end; what comes behind it is left out.
  mutating func append(_ tokens: [GeneratedToken], finish reason: FinishReason?) -> Delta {
    var delta = Delta()
    for (i, token) in tokens.enumerated() {
      if finish != nil { break }
      tokenCount += 1
      let isLast = i == tokens.count - 1
      let ends = isLast && reason == .end
      let piece = ends ? "" : stream.append(token.id), start = produced
      produced += piece.unicodeScalars.count
      pending.append(Entry(token: token, start: start, end: produced))
      give(stops.append(piece), &delta)
      if stops.hasStopped {
        finish = "stop"
      } else if isLast, let reason {
        let rest = stream.finish()
        give(stops.append(rest), &delta)
        give(stops.finish(), &delta)
        finish = reason == .end || stops.hasStopped ? "stop" : "length"
      }
    }
    while let first = pending.first, finish == nil ? first.end <= given : !stops.hasStopped || first.start < given {
      delta.entries.append(pending.removeFirst())
    }
    return delta
  }

  private mutating func give(_ text: String, _ delta: inout Delta) {
    delta.text += text
    given += text.unicodeScalars.count
  }
}

/// Single tokens as texts.
struct TokenTexts: Sendable {
  private let tokenizer: Tokenizer
  /// Stands in front while decoding, so that a leading space stays.
  private let anchor: [Int]
  private let anchorText: String

  init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    anchor = Array(tokenizer.encode("a", addSpecialTokens: false).suffix(1))
    anchorText = tokenizer.decode(anchor)
  }

  /// The text of a token; as the vocabulary spells it where it is part of a character, so that different tokens have different texts.
  func text(_ id: Int) -> String {
    let whole = tokenizer.decode(anchor + [id]).unicodeScalars
    guard whole.starts(with: anchorText.unicodeScalars) else { return tokenizer.token(id) ?? "" }
    let text = String(whole.dropFirst(anchorText.unicodeScalars.count))
    return text.unicodeScalars.contains("\u{FFFD}") || text.isEmpty ? tokenizer.token(id) ?? "" : text
  }

  /// UTF-8 of a token; nil for part of a character.
  func bytes(_ id: Int) -> [UInt8]? {
    let text = tokenizer.decode(anchor + [id]).unicodeScalars
    return text.contains("\u{FFFD}") ? nil : Array(String(text.dropFirst(anchorText.unicodeScalars.count)).utf8)
  }
}
