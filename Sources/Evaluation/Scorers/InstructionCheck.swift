package import HoldfastBasics
package import HoldfastDatasets

/// A verifiable instruction (Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models", arXiv
/// 2311.07911), written from its definitions.
package struct InstructionCheck {
  /// The names that IFEval gives its kinds, without a language in front.
  package enum Kind: String, CaseIterable {
    case keywords = "keywords:existence", frequency = "keywords:frequency", forbidden = "keywords:forbidden_words"
    case letters = "keywords:letter_frequency", language = "language:response_language"
    case sentences = "length_constraints:number_sentences", paragraphs = "length_constraints:number_paragraphs"
    case words = "length_constraints:number_words", firstWord = "length_constraints:nth_paragraph_first_word"
    case placeholders = "detectable_content:number_placeholders", postscript = "detectable_content:postscript"
    case bullets = "detectable_format:number_bullet_lists", fixedAnswer = "detectable_format:constrained_response"
    case highlights = "detectable_format:number_highlighted_sections", sections = "detectable_format:multiple_sections"
    case json = "detectable_format:json_format", title = "detectable_format:title"
    case twoAnswers = "combination:two_responses", repetition = "combination:repeat_prompt"
    case end = "startend:end_checker", quotation = "startend:quotation"
    case capitalWords = "change_case:capital_word_frequency", upperCase = "change_case:english_capital"
    case lowerCase = "change_case:english_lowercase", noComma = "punctuation:no_comma"

    /// Kinds that the authors' scorer leaves to a language detector, a sentence splitter or a word splitter. Ours are its own, so
    /// that their verdicts differ now and then.
    package var restsOnLibrary: Bool { [.language, .sentences, .capitalWords, .upperCase, .lowerCase].contains(self) }
  }

  package let kind: Kind
  let arguments: JSONObject

  /// An instruction of a row. Throws for one that is not known, or lacks an argument.
  package init(id: String, arguments: JSONObject) throws(RowError) {
    // Multilingual sets put a language in front.
    let bare = id.split(separator: ":").count > 2 ? String(id[id.index(after: id.firstIndex(of: ":")!)...]) : id
    guard let kind = Kind(rawValue: bare) else {
      let guess = nearestName(to: bare, among: Kind.allCases.map(\.rawValue)).map { "; did you mean \($0)?" } ?? ""
      throw RowError("the instruction \(id) is not known\(guess)")
    }
    self.kind = kind
    self.arguments = arguments
    for name in kind.needed where arguments[name] == nil || arguments[name] == .null { throw RowError("the instruction \(id) lacks \(name)") }
  }

  /// The instructions of one of IFEval's rows.
  package static func instructions(of row: JSONObject) throws(RowError) -> [(id: String, arguments: JSONObject)] {
    guard let ids = row["instruction_id_list"]?.array, !ids.isEmpty, let given = row["kwargs"]?.array, given.count == ids.count else {
      throw RowError("it needs `instruction_id_list` and, of the same length, `kwargs`")
    }
    var result: [(id: String, arguments: JSONObject)] = []
    for (id, arguments) in zip(ids, given) {
      guard let id = id.string else { throw RowError("an instruction's id is no text") }
      let arguments = arguments.object ?? JSONObject()
      _ = try InstructionCheck(id: id, arguments: arguments)
      result.append((id, arguments))
    }
    return result
  }

  /// Whether the answer follows the instruction to the letter. An empty one follows none.
  package func holdsStrictly(for answer: String) -> Bool { !answer.trimmed.isEmpty && holds(for: answer) }

  /// Whether it does so with its first or last line left out, or without asterisks: what models add around an answer.
  package func holdsLoosely(for answer: String) -> Bool {
    let lines = answer.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let cuts = [answer] + [lines.dropFirst(), lines.dropLast(), lines.dropFirst().dropLast()].map { $0.joined(separator: "\n").trimmed }
    let bare = cuts.map { String(String.UnicodeScalarView($0.unicodeScalars.filter { $0 != "*" })) }
    return (cuts + bare).contains(where: holdsStrictly)
  }
}

extension InstructionCheck.Kind {
  /// Arguments without which it says nothing.
  var needed: [String] {
    switch self {
    case .keywords: ["keywords"]
    case .frequency: ["keyword", "frequency", "relation"]
    case .forbidden: ["forbidden_words"]
    case .letters: ["letter", "let_frequency", "let_relation"]
    case .language: ["language"]
    case .sentences: ["num_sentences", "relation"]
    case .paragraphs: ["num_paragraphs"]
    case .words: ["num_words", "relation"]
    case .firstWord: ["num_paragraphs", "nth_paragraph", "first_word"]
    case .placeholders: ["num_placeholders"]
    case .postscript: ["postscript_marker"]
    case .bullets: ["num_bullets"]
    case .highlights: ["num_highlights"]
    case .sections: ["section_spliter", "num_sections"]
    case .repetition: ["prompt_to_repeat"]
    case .end: ["end_phrase"]
    case .capitalWords: ["capital_frequency", "capital_relation"]
    default: []
    }
  }
}
