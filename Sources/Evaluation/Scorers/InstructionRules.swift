internal import HoldfastBasics

extension InstructionCheck {
  private func number(_ name: String) -> Int { arguments[name]?.int ?? 0 }
  private func text(_ name: String) -> String { arguments[name]?.string ?? "" }
  private func texts(_ name: String) -> [String] { arguments[name]?.array?.compactMap(\.string) ?? [] }

  /// "less than" or "at least" so many.
  private func fits(_ count: Int, _ relation: String, _ limit: String) -> Bool {
    text(relation) == "less than" ? count < number(limit) : count >= number(limit)
  }

  /// Whether a text that is not empty does what the instruction says.
  package func holds(for answer: String) -> Bool {
    switch kind {
    case .keywords: return texts("keywords").allSatisfy { Pattern.literal($0).isIn(answer) }
    case .frequency: return fits(Pattern.literal(text("keyword").trimmed).count(in: answer), "relation", "frequency")
    case .forbidden: return !texts("forbidden_words").contains { Pattern(#"\b\#(Pattern.escaped($0))\b"#, ignoringCase: true).isIn(answer) }
    case .letters:
      let letter = text("letter").lowercased().unicodeScalars.first
      return fits(answer.lowercased().unicodeScalars.count { $0 == letter }, "let_relation", "let_frequency")
    case .language: return LanguageGuess(answer).fits(text("language"))
    case .sentences: return fits(Sentences.count(in: answer), "relation", "num_sentences")
    case .words: return fits(Pattern(#"\w+"#).count(in: answer), "relation", "num_words")
    case .paragraphs: return holdsParagraphs(answer)
    case .firstWord: return holdsFirstWord(answer)
    case .placeholders: return Pattern(#"\[.*?\]"#).count(in: answer) >= number("num_placeholders")
    case .postscript:
      let marker = text("postscript_marker")
      let pattern =
        switch marker {
        case "P.P.S": #"\s*p\.\s?p\.\s?s.*$"#
        case "P.S.": #"\s*p\.\s?s\..*$"#
        default: #"\s*"# + Pattern.escaped(marker.lowercased()) + #".*$"#
        }
      return Pattern(pattern, byLine: true).isIn(answer.lowercased())
    case .bullets:
      let stars = Pattern(#"^\s*\*[^\*].*$"#, byLine: true).count(in: answer), dashes = Pattern(#"^\s*-.*$"#, byLine: true).count(in: answer)
      return stars + dashes == number("num_bullets")
    case .fixedAnswer: return ["My answer is yes.", "My answer is no.", "My answer is maybe."].contains { answer.trimmed.contains($0) }
    case .highlights:
      let single = Pattern(#"\*[^\n\*]*\*"#).matches(in: answer).count { !$0.stripped(of: "*").trimmed.isEmpty }
      let double = Pattern(#"\*\*[^\n\*]*\*\*"#).matches(in: answer).count { !$0.dropFirst(2).dropLast(2).allSatisfy(\.isWhitespace) }
      return single + double >= number("num_highlights")
    case .sections: return Pattern(#"\s?\#(Pattern.escaped(text("section_spliter")))\s?\d+\s?"#).count(in: answer) >= number("num_sections")
    case .json: return holdsJSON(answer)
    case .title: return Pattern(#"<<[^\n]+>>"#).matches(in: answer).contains { !$0.stripped(of: "<", ">").trimmed.isEmpty }
    case .twoAnswers:
      let parts = answer.parts(between: "******").map(\.trimmed)
      if parts.dropFirst().dropLast().contains("") { return false }
      let whole = parts.filter { !$0.isEmpty }
      return whole.count == 2 && whole[0] != whole[1]
    case .repetition: return answer.trimmed.lowercased().hasPrefix(text("prompt_to_repeat").trimmed.lowercased())
    case .end: return answer.trimmed.stripped(of: "\"").lowercased().hasSuffix(text("end_phrase").trimmed.lowercased())
    case .quotation: return answer.trimmed.unicodeScalars.count > 1 && answer.trimmed.hasPrefix("\"") && answer.trimmed.hasSuffix("\"")
    case .capitalWords: return fits(Sentences.words(of: answer).count(where: \.isUpperCase), "capital_relation", "capital_frequency")
    case .upperCase: return answer.isUpperCase && LanguageGuess(answer).fits("en")
    case .lowerCase: return answer.isLowerCase && LanguageGuess(answer).fits("en")
    case .noComma: return !answer.unicodeScalars.contains(",")
    }
  }

  /// Paragraphs between `***`; an empty one is allowed at either end and does not count.
  private func holdsParagraphs(_ answer: String) -> Bool {
    let parts = Pattern(#"\s?\*\*\*\s?"#).split(answer).map(\.trimmed)
    if parts.dropFirst().dropLast().contains("") { return false }
    let ends = parts.count > 1 ? [parts.first!, parts.last!] : parts
    return parts.count - ends.count { $0.isEmpty } == number("num_paragraphs")
  }

  /// Paragraphs between empty lines: so many, and one begins with a word.
  private func holdsFirstWord(_ answer: String) -> Bool {
    let parts = answer.parts(between: "\n\n").map(\.trimmed)
    let count = parts.count { !$0.isEmpty }, place = number("nth_paragraph")
    guard place >= 1, place <= count, !parts[place - 1].isEmpty else { return false }
    let word = parts[place - 1].unicodeScalars.split { $0.properties.isWhitespace }[0]
    let bare = word.drop { $0 == "'" }.drop { $0 == "\"" }
    let first = String(String.UnicodeScalarView(bare.prefix { !".,?!'\"".unicodeScalars.contains($0) })).lowercased()
    return count == number("num_paragraphs") && first == text("first_word").lowercased()
  }

  private func holdsJSON(_ answer: String) -> Bool {
    var text = answer.trimmed
    for mark in ["```json", "```Json", "```JSON", "```"] where text.hasPrefix(mark) { text = String(text.dropFirst(mark.count)) }
    if text.hasSuffix("```") { text = String(text.dropLast(3)) }
    return (try? JSON(text: text.trimmed)) != nil
  }
}

/// A regular expression over scalars, made for one use.
struct Pattern {
  private let regex: Regex<AnyRegexOutput>

  init(_ source: String, byLine: Bool = false, ignoringCase: Bool = false) {
    // Only patterns of this file and escaped words come here.
    regex = try! Regex(source).matchingSemantics(.unicodeScalar).anchorsMatchLineEndings(byLine).ignoresCase(ignoringCase)
  }

  /// A word in any case.
  static func literal(_ word: String) -> Pattern { Pattern(escaped(word), ignoringCase: true) }

  static func escaped(_ word: String) -> String {
    word.unicodeScalars.reduce(into: "") { out, scalar in
      if scalar.isASCII, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar), scalar != " ", scalar != "\n" { out += "\\" }
      out.unicodeScalars.append(scalar)
    }
  }

  func isIn(_ text: String) -> Bool { text.firstMatch(of: regex) != nil }
  func count(in text: String) -> Int { text.matches(of: regex).count }
  func matches(in text: String) -> [Substring] { text.matches(of: regex).map { text[$0.range] } }

  func split(_ text: String) -> [String] {
    var parts: [String] = [], start = text.startIndex
    for match in text.matches(of: regex) {
      parts.append(String(text[start..<match.range.lowerBound]))
      start = match.range.upperBound
    }
    return parts + [String(text[start...])]
  }
}

extension StringProtocol {
  /// Without these scalars at both ends.
  func stripped(of scalars: Unicode.Scalar...) -> String {
    let rest = unicodeScalars.drop { scalars.contains($0) }
    guard let last = rest.lastIndex(where: { !scalars.contains($0) }) else { return "" }
    return String(String.UnicodeScalarView(rest[...last]))
  }

  /// At least one letter has a case, and all that have one have this.
  var isUpperCase: Bool { isInCase { $0.properties.isUppercase } other: { $0.properties.isLowercase } }
  var isLowerCase: Bool { isInCase { $0.properties.isLowercase } other: { $0.properties.isUppercase } }

  private func isInCase(_ own: (Unicode.Scalar) -> Bool, other: (Unicode.Scalar) -> Bool) -> Bool {
    unicodeScalars.contains(where: own) && !unicodeScalars.contains(where: other)
  }

  /// The pieces between a separator, scalar by scalar.
  func parts(between separator: String) -> [String] {
    let all = Array(unicodeScalars), mark = Array(separator.unicodeScalars)
    var parts: [String] = [], start = 0, at = 0
    while at + mark.count <= all.count {
      if all[at..<at + mark.count].elementsEqual(mark) {
        parts.append(String(String.UnicodeScalarView(all[start..<at])))
        at += mark.count
        start = at
      } else {
        at += 1
      }
    }
    return parts + [String(String.UnicodeScalarView(all[start...]))]
  }
}
