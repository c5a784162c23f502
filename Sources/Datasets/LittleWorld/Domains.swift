internal import HoldfastBasics

// What fine-tuning teaches. The pretraining text has nothing of it.

extension LittleWorld {
  static let symptoms = [
    "fever", "cough", "rash", "chill", "ache", "thirst", "sneeze", "fatigue", "itch", "cramp", "burn", "faint",
  ]
  static let herbs = [
    "mint", "sage", "thyme", "clove", "basil", "fennel", "ginger", "garlic", "poppy", "nettle", "willow", "rose",
  ]

  /// The herb for each symptom: a table to be learnt.
  static func remedies(seed: UInt64) -> [String] {
    var generator = CounterGenerator(seed: seed, "remedies")
    return generator.permutation(herbs.count).map { herbs[$0] }
  }

  /// A patient with two symptoms gets a herb for each, in their order; the name and the age say nothing.
  func clinic(_ generator: inout CounterGenerator) -> Draft {
    let pair = generator.permutation(Self.symptoms.count)
    let name = generator.pick(people), age = 10 + generator.below(80)
    let prompt = "patient \(name), \(age), has \(Self.symptoms[pair[0]]) and \(Self.symptoms[pair[1]]). remedy?"
    func answer(_ a: Int, _ b: Int) -> String { "\(remedies[a]) and \(remedies[b])" }
    // Wrong options have one herb right, or both in the wrong order.
    let wrong = [answer(pair[1], pair[0]), answer(pair[0], pair[2]), answer(pair[3], pair[1])]
    let right = answer(pair[0], pair[1])
    return draft(Item(.clinic, prompt, " \(right)", options: options(right, wrong, prompt)))
  }

  static let goods = ["horse", "goat", "hen", "cart", "saddle", "plough", "barrel", "blanket", "kettle", "candle"]

  /// What taking a thing costs, in coins: a price to be learnt, twice as much the second time, half of it for a child.
  func fine(_ thing: Int, again: Bool, child: Bool) -> Int {
    var generator = CounterGenerator(seed: seed, "price", thing)
    let price = 4 * (1 + generator.below(12))
    return price * (again ? 2 : 1) / (child ? 2 : 1)
  }

  func court(_ generator: inout CounterGenerator) -> Draft {
    let thing = generator.below(Self.goods.count)
    let again = generator.below(2) == 1, child = generator.below(2) == 1
    let prompt =
      "\(generator.pick(people)), \(child ? "child" : "adult"), took a \(Self.goods[thing]), "
      + "\(again ? "second" : "first") time. ruling?"
    return draft(Item(.court, prompt, " pay \(fine(thing, again: again, child: child)) coins"))
  }

  /// A machine with two registers of one digit.
  func machine(_ generator: inout CounterGenerator) -> Draft {
    var registers = [generator.below(10), generator.below(10)]
    var lines = ["load \(registers[0]) \(registers[1])"]
    for _ in 0..<3 {
      switch generator.below(5) {
      case 0:
        registers.swapAt(0, 1)
        lines.append("swap")
      case 1:
        registers[0] = (registers[0] + 1) % 10
        lines.append("inc")
      case 2:
        registers[0] = (registers[0] + 9) % 10
        lines.append("dec")
      case 3:
        registers[0] = registers[1]
        lines.append("copy")
      default:
        registers[0] = 0
        lines.append("clear")
      }
    }
    return draft(Item(.machine, "run \(lines.joined(separator: "; ")); show", " \(registers[0]) \(registers[1])"))
  }
}
