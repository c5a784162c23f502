public import HoldfastTokenizers

/// Turns tokens into text as they come. A piece is given out once the next token can no longer change it: half a
/// character waits for its rest, and a leading space that a tokenizer drops at a text's beginning stays where it is due.
public struct TextStream {
  private let tokenizer: Tokenizer
  private let skipSpecialTokens: Bool
  private var ids: [Int]
  /// Decoding begins here, with tokens enough in front of what is new.
  private var start = 0
  /// Ids before this one have been given out.
  private var given: Int

  /// - Parameter prompt: what the tokens continue; its text is not given out.
  public init(_ tokenizer: Tokenizer, after prompt: [Int] = [], skipSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    self.skipSpecialTokens = skipSpecialTokens
    ids = Array(prompt.suffix(8))
    given = ids.count
  }

  /// The text that the token completes, often all of its own; empty while a character is not whole.
  public mutating func append(_ id: Int) -> String {
    ids.append(id)
    return take(evenBroken: false)
  }

  /// What was held back.
  public mutating func finish() -> String { take(evenBroken: true) }

  private mutating func take(evenBroken: Bool) -> String {
    let before = tokenizer.decode(ids[start..<given], skipSpecialTokens: skipSpecialTokens).unicodeScalars
    let now = tokenizer.decode(ids[start...], skipSpecialTokens: skipSpecialTokens).unicodeScalars
    guard now.count > before.count, evenBroken || now.last != "\u{FFFD}" else { return "" }
    start = given
    given = ids.count
    return String(now.dropFirst(before.count))
  }
}
