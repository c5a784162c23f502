internal import HoldfastBasics

// Procedures over what the prompt holds. Each family has easy questions and hard ones, so that models of many sizes
// and trainings score between nothing and everything, and a small loss of skill shows.

extension LittleWorld {
  /// Sums and differences of numbers below 100 or 1,000 and numbers below 100. A pair and its swap share a split.
  func sum(_ generator: inout CounterGenerator) -> Draft {
    var a = generator.below(generator.below(2) == 0 ? 100 : 1000), b = generator.below(100)
    if generator.below(2) == 0 {
      return draft(Item(.sums, "\(a)+\(b)=", "\(a + b)"), key: "\(min(a, b))+\(max(a, b))")
    }
    if a < b { swap(&a, &b) }
    return draft(Item(.sums, "\(a)-\(b)=", "\(a - b)"))
  }

  /// Letters put in order; some stand more than once.
  func sorting(_ generator: inout CounterGenerator) -> Draft {
    let letters = (0..<(6 + generator.below(9))).map { _ in generator.pick(Self.letters) }
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
    let letters = (0..<(6 + generator.below(17))).map { _ in Self.letters[generator.below(4)] }
    let asked = Self.letters[generator.below(4)]
    let count = letters.count { $0 == asked }
    return draft(Item(.counting, "count \(asked) in \(letters.joined(separator: " ")) =", "\(count)"))
  }

  /// Which number was said with a letter.
  func lookup(_ generator: inout CounterGenerator) -> Draft {
    let letters = someLetters(2 + generator.below(5), &generator)
    let numbers = letters.map { _ in generator.below(10) }
    let asked = generator.below(letters.count)
    let pairs = zip(letters, numbers).map { "\($0)\($1)" }.joined(separator: " ")
    return draft(Item(.lookup, "look \(pairs), \(letters[asked])=", "\(numbers[asked])", options: (0..<10).map(String.init)))
  }

  private func someLetters(_ count: Int, _ generator: inout CounterGenerator) -> [String] {
    generator.permutation(Self.letters.count).prefix(count).map { Self.letters[$0] }
  }
}
