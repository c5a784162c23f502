internal import HoldfastBasics

// A chain of four tasks: one form of question, four dictionaries, two orders of words.

extension LittleWorld {
  /// Every word's word in a language.
  static func dictionary(_ language: Family, seed: UInt64) -> [String: String] {
    var generator = CounterGenerator(seed: seed, "dictionary", language.rawValue)
    let words = adjectives + animals + verbs
    return Dictionary(uniqueKeysWithValues: zip(words, madeUp(words.count, &generator)))
  }

  /// A sentence in a language. Two of the four put the verb first.
  func translate(_ sentence: [String], into language: Family) -> [String] {
    let words = sentence.map { dictionaries[language]![$0]! }
    return language == .tovi || language == .mela ? [words[2], words[0], words[1], words[3]] : words
  }

  func translation(_ language: Family, _ generator: inout CounterGenerator) -> Draft {
    let sentence = [
      generator.pick(Self.adjectives), generator.pick(Self.animals), generator.pick(Self.verbs),
      generator.pick(Self.animals),
    ]
    return draft(
      Item(
        language, "in \(language.rawValue), \(sentence.joined(separator: " ")):",
        " " + translate(sentence, into: language).joined(separator: " ")))
  }
}
