internal import HoldfastBasics

// What fine-tuning teaches. The pretraining text has nothing of it.

extension LittleWorld {
  /// The herb for each symptom: a table to be learnt.
  static func remedies(seed: UInt64) -> [String] {
    var generator = CounterGenerator(seed: seed, "remedies")
    return generator.permutation(herbs.count).map { herbs[$0] }
  }

  /// A patient gets a herb for each symptom, in their order; one patient in three has two. Name and age say nothing.
  func clinic(_ generator: inout CounterGenerator) -> Draft {
    let symptoms = generator.permutation(Self.symptoms.count)
    let count = generator.below(3) == 0 ? 2 : 1
    let name = generator.pick(people), age = 10 + generator.below(80)
    let said = symptoms.prefix(count).map { Self.symptoms[$0] }.joined(separator: " and ")
    let prompt = "patient \(name), \(age), has \(said). remedy?"
    func answer(_ symptoms: [Int]) -> String { symptoms.map { remedies[$0] }.joined(separator: " and ") }
    let right = answer(Array(symptoms.prefix(count)))
    // Wrong options have one herb right, or both in the wrong order.
    let wrong =
      count == 1
      ? symptoms[1...3].map { answer([$0]) }
      : [answer([symptoms[1], symptoms[0]]), answer([symptoms[0], symptoms[2]]), answer([symptoms[2], symptoms[1]])]
    return draft(Item(.clinic, prompt, " \(right)", options: options(right, wrong, prompt)))
  }

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
