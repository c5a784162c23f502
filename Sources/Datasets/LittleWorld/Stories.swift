internal import HoldfastBasics

extension LittleWorld {
  /// Things change hands; who has one in the end?
  func story(_ generator: inout CounterGenerator) -> Draft {
    let people = generator.permutation(Self.friends.count).prefix(4).map { Self.friends[$0] }
    let things = generator.permutation(Self.things.count).prefix(2).map { Self.things[$0] }
    var owners = [generator.below(4), generator.below(4)]
    var lines = things.indices.map { "\(people[owners[$0]]) has the \(things[$0])." }
    for _ in 0..<generator.below(4) {
      let thing = generator.below(2)
      let next = (owners[thing] + 1 + generator.below(3)) % 4
      lines.append("\(people[owners[thing]]) gives the \(things[thing]) to \(people[next]).")
      owners[thing] = next
    }
    let asked = generator.below(2)
    let prompt = lines.joined(separator: " ") + " who has the \(things[asked])?"
    return draft(
      Item(.stories, prompt, " \(people[owners[asked]])", options: options(people[owners[asked]], people, prompt)))
  }
}
