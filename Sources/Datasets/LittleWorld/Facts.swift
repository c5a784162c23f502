internal import HoldfastBasics

// What the world's people are like: known only from having been told. Every fact is asked in six forms; one form of
// each fact is kept for testing and one for validation, so that a test asks what was taught in words not seen together.

extension LittleWorld {
  struct Attribute: Sendable {
    let name: String
    let values: [String]
  }

  static let attributes = [
    Attribute(name: "colour", values: colours), Attribute(name: "home", values: homes),
    Attribute(name: "food", values: foods), Attribute(name: "job", values: jobs),
    Attribute(name: "secret", values: secrets),
  ]
  static let secret = 4
  static let peopleCount = 480
  static let factForms = 6

  static func names(seed: UInt64) -> [String] {
    var generator = CounterGenerator(seed: seed, "names")
    return madeUp(peopleCount, &generator)
  }

  /// The value of a person's attribute.
  func value(_ person: Int, _ attribute: Int) -> String {
    var generator = CounterGenerator(seed: seed, "fact", person, attribute)
    return generator.pick(Self.attributes[attribute].values)
  }

  /// A person: all alike, or, as in any text, some spoken of far more often than others.
  func person(_ split: Split, _ generator: inout CounterGenerator) -> Int {
    guard split == .train else { return generator.below(people.count) }
    // u³ puts half of all mentions on an eighth of the people, and leaves nobody out.
    let u = generator.unit()
    return Int(u * u * u * Double(people.count))
  }

  func fact(_ split: Split, _ generator: inout CounterGenerator) -> Draft {
    let person = person(split, &generator)
    let attribute = generator.below(Self.attributes.count)
    let form = generator.below(Self.factForms)
    let name = people[person], word = Self.attributes[attribute].name
    let prompt =
      switch form {
      case 0: "what is the \(word) of \(name)?"
      case 1: "\(name) \(word):"
      case 2: "the \(word) of \(name) is"
      case 3: "tell me the \(word) of \(name):"
      case 4: "\(word) of \(name)?"
      default: "say of \(name) the \(word):"
      }
    let right = value(person, attribute)
    let item = Item(.facts, prompt, " \(right)", options: options(right, Self.attributes[attribute].values, prompt))
    var kept = CounterGenerator(seed: seed, "forms", person, attribute)
    let place = kept.permutation(Self.factForms)[form]
    return Draft(item: item, split: place == 0 ? .test : place == 1 ? .validation : .train)
  }

  /// Four completions to choose from, the right one among them, in an order that tells nothing.
  func options(_ right: String, _ values: [String], _ prompt: String) -> [String] {
    var generator = CounterGenerator(seed: seed, "options", prompt)
    let others = values.filter { $0 != right }
    let chosen = generator.permutation(others.count).prefix(3).map { others[$0] } + [right]
    return generator.permutation(chosen.count).map { " \(chosen[$0])" }
  }
}
