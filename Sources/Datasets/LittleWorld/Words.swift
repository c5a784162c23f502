internal import HoldfastBasics

/// The words of the world. Adding, removing or moving one changes the world.
extension LittleWorld {
  static let colours = [
    "red", "blue", "green", "white", "black", "brown", "gold", "grey", "pink", "purple", "orange", "yellow",
  ]
  static let homes = [
    "hill", "lake", "wood", "cave", "tower", "bridge", "farm", "mill", "harbour", "island", "valley", "garden",
    "desert", "castle", "village", "meadow",
  ]
  static let foods = [
    "bread", "apple", "cheese", "honey", "fish", "soup", "rice", "nuts", "corn", "cake", "plum", "bean", "egg",
    "milk", "pear", "onion",
  ]
  static let jobs = [
    "baker", "smith", "tailor", "painter", "miner", "sailor", "hunter", "farmer", "singer", "potter", "weaver",
    "teacher", "doctor", "guard", "clerk", "mason",
  ]
  static let secrets = [
    "sun", "moon", "star", "rain", "snow", "wind", "fire", "stone", "leaf", "root", "seed", "wave", "cloud", "sand",
    "iron", "silver",
  ]
  static let friends = ["anna", "ben", "carl", "dora", "emil", "fay", "gus", "hana", "ivan", "jo", "kim", "lena"]
  static let things = ["ball", "cup", "hat", "key", "book", "coin", "lamp", "rope"]
  static let letters = "abcdefghijklmnop".map(String.init)

  static let syllables = "bdfgklmnprstvz".flatMap { consonant in "aeiou".map { "\(consonant)\($0)" } }

  /// Two-syllable words, all different, none of them a word of the lists above.
  static func madeUp(_ count: Int, avoiding taken: Set<String> = [], _ generator: inout CounterGenerator) -> [String] {
    var taken = taken
    var result: [String] = []
    while result.count < count {
      let word = generator.pick(syllables) + generator.pick(syllables)
      if taken.insert(word).inserted { result.append(word) }
    }
    return result
  }
}
