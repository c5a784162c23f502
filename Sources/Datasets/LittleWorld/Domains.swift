internal import HoldfastBasics

// What fine-tuning teaches. The pretraining text has nothing of it.

extension LittleWorld {
  static let symptoms = ["fever", "cough", "rash", "chill", "ache", "thirst", "sneeze", "fatigue", "itch", "cramp"]
  static let illnesses = ["grippe", "ague", "pox", "gout", "croup", "scurvy", "palsy", "dropsy", "mumps"]

  /// The illness behind two symptoms, in either order: a table to be learnt.
  func illness(_ a: Int, _ b: Int) -> String {
    var generator = CounterGenerator(seed: seed, "illness", min(a, b), max(a, b))
    return generator.pick(Self.illnesses)
  }

  /// A patient with two symptoms; the name and the age say nothing.
  func clinic(_ generator: inout CounterGenerator) -> Draft {
    let pair = generator.permutation(Self.symptoms.count)
    let right = illness(pair[0], pair[1])
    let name = generator.pick(people), age = 10 + generator.below(80)
    let prompt = "patient \(name), \(age), has \(Self.symptoms[pair[0]]) and \(Self.symptoms[pair[1]]). illness?"
    return draft(Item(.clinic, prompt, " \(right)", options: options(right, Self.illnesses, prompt)))
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
