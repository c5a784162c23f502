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
  static let symptoms = [
    "fever", "cough", "rash", "chill", "ache", "thirst", "sneeze", "fatigue", "itch", "cramp", "burn", "faint",
  ]
  static let herbs = [
    "mint", "sage", "thyme", "clove", "basil", "fennel", "ginger", "garlic", "poppy", "nettle", "willow", "rose",
  ]
  static let goods = ["horse", "goat", "hen", "cart", "saddle", "plough", "barrel", "blanket", "kettle", "candle"]
  static let adjectives = ["big", "small", "old", "young", "quick", "slow", "kind", "proud"]
  static let animals = ["dog", "cat", "cow", "bird", "fox", "wolf", "mouse", "frog", "bear", "duck", "sheep", "hare"]
  static let verbs = ["sees", "hears", "likes", "fears", "follows", "helps", "calls", "meets"]

  /// Every word that a domain or a language asks about or answers with, and some others.
  static let words =
    symptoms + herbs + goods + adjectives + animals + verbs + colours + foods + things
    + ["pay", "coins", "swap", "inc", "dec", "copy", "clear"]

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
