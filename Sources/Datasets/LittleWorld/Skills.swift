internal import HoldfastBasics

// Procedures over what the prompt holds, each with easy questions and hard ones.

extension LittleWorld {
  /// Sums and differences of numbers below 100. A pair and its swap share a split.
  func sum(_ generator: inout CounterGenerator) -> Draft {
    var a = generator.below(100), b = generator.below(100)
    if generator.below(2) == 0 {
      return draft(Item(.sums, "\(a)+\(b)=", "\(a + b)"), key: "\(min(a, b))+\(max(a, b))")
    }
    if a < b { swap(&a, &b) }
    return draft(Item(.sums, "\(a)-\(b)=", "\(a - b)"))
  }

  /// Letters put in order; some stand more than once.
  func sorting(_ generator: inout CounterGenerator) -> Draft {
    let letters = (0..<(4 + generator.below(7))).map { _ in generator.pick(Self.letters) }
    return draft(Item(.sorting, "sort \(letters.joined(separator: " ")):", " " + letters.sorted().joined(separator: " ")))
  }

  /// Letters or words said backwards. Here a base model meets the words of the domains, and learns nothing about them.
  func reversal(_ generator: inout CounterGenerator) -> Draft {
    let said =
      generator.below(2) == 0
      ? someLetters(3 + generator.below(5), &generator)
      : (0..<(2 + generator.below(3))).map { _ in generator.pick(Self.words) }
    return draft(Item(.reversal, "turn \(said.joined(separator: " ")):", " " + said.reversed().joined(separator: " ")))
  }

  /// How often a letter stands among others.
  func counting(_ generator: inout CounterGenerator) -> Draft {
    let letters = (0..<(5 + generator.below(9))).map { _ in Self.letters[generator.below(4)] }
    let asked = Self.letters[generator.below(4)]
    let count = letters.count { $0 == asked }
    return draft(Item(.counting, "count \(asked) in \(letters.joined(separator: " ")) =", "\(count)"))
  }

  private func someLetters(_ count: Int, _ generator: inout CounterGenerator) -> [String] {
    generator.permutation(Self.letters.count).prefix(count).map { Self.letters[$0] }
  }
}
