import HoldfastBasics
import HoldfastDecoding
import HoldfastTokenizers
import Testing

@Suite("Text as it comes") struct TextStreamTests {
  private static let fixtures = Files.folder(of: Files.folder(of: #filePath)) + "/Fixtures/tokenizers"

  @Test("pieces joined are the text, and none holds half a character", arguments: ["bytes", "metaspace", "pieces"])
  func pieces(_ name: String) throws {
    let tokenizer = try Tokenizer(folder: Self.fixtures + "/" + name)
    for (prompt, text) in [("One", " two  three.\nFour"), ("Snow", " ☃ and 🧊, 雪だるま"), ("", "e\u{301}tude"), ("a ", "b")] {
      let front = tokenizer.encode(prompt, addSpecialTokens: false)
      let whole = tokenizer.encode(prompt + text, addSpecialTokens: false)
      guard whole.starts(with: front) else { continue }
      var stream = TextStream(tokenizer, after: front)
      var pieces = whole.dropFirst(front.count).map { stream.append($0) }
      pieces.append(stream.finish())
      let before = tokenizer.decode(front, skipSpecialTokens: true).unicodeScalars.count
      let expected = tokenizer.decode(whole, skipSpecialTokens: true).unicodeScalars.dropFirst(before)
      #expect(pieces.joined() == String(expected), "\(name): \(text)")
      #expect(!pieces.joined().contains("\u{FFFD}") || expected.contains("\u{FFFD}"))
      #expect(pieces.last == "" || expected.contains("\u{FFFD}"))
    }
  }
}
