import HoldfastTokenizers

/// Shows which part of an example is learnt.
struct MaskView: Sendable {
  private let tokenizer: Tokenizer
  private let isColoured: Bool

  init(_ tokenizer: Tokenizer, isColoured: Bool) {
    self.tokenizer = tokenizer
    self.isColoured = isColoured
  }

  /// The text that the ids stand for; what is learnt in green, or in brackets where there is no colour.
  func text(_ rendering: Rendering) -> String {
    pieces(rendering).map { text, isTrained in
      // What could move the cursor or change colours is shown, not obeyed.
      let shown = String(String.UnicodeScalarView(text.unicodeScalars.map {
        $0.value < 0x20 && $0 != "\n" && $0 != "\t" ? Unicode.Scalar(0x2400 + $0.value) ?? "?" : $0
      }))
      return isTrained ? isColoured ? "\u{1B}[32m\(shown)\u{1B}[0m" : "⟦\(shown)⟧" : shown
    }.joined()
  }

  /// Stretches of tokens that are learnt or not, decoded in their places.
  func pieces(_ rendering: Rendering) -> [(text: String, isTrained: Bool)] {
    var pieces: [(text: String, isTrained: Bool)] = []
    var shown = 0, start = 0
    for end in 1...max(1, rendering.ids.count) where end <= rendering.ids.count {
      if end < rendering.ids.count, rendering.isTrained[end] == rendering.isTrained[start] { continue }
      // Decoded from the beginning: a tokenizer may treat the first token in its own way.
      let scalars = Array(tokenizer.decode(Array(rendering.ids[..<end])).unicodeScalars)
      let text = String(String.UnicodeScalarView(scalars[min(shown, scalars.count)...]))
      pieces.append((text, rendering.isTrained[start]))
      (shown, start) = (scalars.count, end)
    }
    return pieces
  }
}
