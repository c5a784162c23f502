/// Sentences and words of a text, found by rules.
enum Sentences {
  /// Runs that end in a full stop, question mark or exclamation mark, perhaps with quotation marks or brackets behind it,
  /// before white space. A single letter and common abbreviations end none.
  static func count(in text: String) -> Int {
    let words = text.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }
    var count = 0, isOpen = false
    for (i, word) in words.enumerated() {
      isOpen = true
      let core = word.unicodeScalars.reversed().drop { "\"'”’)]}*_".unicodeScalars.contains($0) }
      guard let last = core.first, ".?!".unicodeScalars.contains(last) else { continue }
      if last == ".", i + 1 < words.count {
        let stem = String(String.UnicodeScalarView(core.reversed().drop { "\"'“‘([{*_".unicodeScalars.contains($0) })).dropLast()
        if stem.count == 1, stem.first!.isLetter, stem != "I" { continue }
        if abbreviations.contains(stem.lowercased()) { continue }
      }
      count += 1
      isOpen = false
    }
    return count + (isOpen ? 1 : 0)
  }

  private static let abbreviations: Set = [
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "no", "inc", "ltd", "co", "u.s", "u.k", "a.m", "p.m",
  ]

  /// Words, with punctuation cut off at their ends and at dashes of two.
  static func words(of text: String) -> [String] {
    text.unicodeScalars.split { $0.properties.isWhitespace || ",;:?!()[]{}<>\"“”`*".unicodeScalars.contains($0) }.map { String($0) }
  }
}
