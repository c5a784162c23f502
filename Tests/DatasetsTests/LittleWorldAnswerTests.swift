import HoldfastDatasets
import Testing

/// Every answer found a second time, by other means, from nothing but the prompt.
@Suite("The little world's answers")
struct LittleWorldAnswerTests {
  let world = LittleWorld()

  private func check(_ family: LittleWorld.Family, _ solve: ([String]) -> String) {
    for item in world.items(family, .test, count: 2000) {
      let words = item.prompt.split { " ,.:;?".contains($0) }.map(String.init)
      #expect(item.answer == solve(words), "\(item.prompt)")
    }
  }

  @Test func sums() {
    check(.sums) { words in
      let text = words[0].dropLast()
      let isSum = text.contains("+")
      let numbers = text.split { "+-".contains($0) }.map { Int($0)! }
      return String(isSum ? numbers[0] + numbers[1] : numbers[0] - numbers[1])
    }
  }

  @Test func sorting() {
    check(.sorting) { words in
      "abcdefghijklmnopqrstuvwxyz".flatMap { letter in words.dropFirst().filter { $0 == String(letter) } }
        .joined(separator: " ")
    }
  }

  @Test func reversal() {
    check(.reversal) { words in
      var rest = words
      var said: [String] = []
      while rest.count > 1 { said.append(rest.removeLast()) }
      return said.joined(separator: " ")
    }
  }

  @Test func counting() {
    check(.counting) { words in String(words[3...].split(separator: words[1], omittingEmptySubsequences: false).count - 1) }
  }

  @Test func stories() {
    check(.stories) { words in
      // Backwards: the last sentence about the thing names its owner.
      let thing = words.last!
      let place = words.dropLast().lastIndex(of: thing)!
      return words[place + 1] == "to" ? words[place + 2] : words[place - 3]
    }
  }

  @Test func machine() {
    check(.machine) { words in
      var a = Int(words[2])!, b = Int(words[3])!
      for word in words[4...] {
        switch word {
        case "swap": (a, b) = (b, a)
        case "inc": a = a == 9 ? 0 : a + 1
        case "dec": a = a == 0 ? 9 : a - 1
        case "copy": a = b
        case "clear": a = 0
        default: break
        }
      }
      return "\(a) \(b)"
    }
  }

  /// A table that the prompts index: the same entry, the same answer, in every split; and one that can be learnt,
  /// because the train split shows every entry.
  private func checkTable(
    _ family: LittleWorld.Family, shown: Int = 20_000, entry: ([String]) -> [String], answer: (LittleWorld.Item) -> String
  ) {
    var table: [[String]: String] = [:]
    func key(_ item: LittleWorld.Item) -> [String] {
      entry(item.prompt.split { " ,.:;?".contains($0) }.map(String.init))
    }
    for item in world.items(family, .train, count: shown) {
      let answer = answer(item)
      #expect(table.updateValue(answer, forKey: key(item)) ?? answer == answer, "\(item.prompt)")
    }
    for split in [LittleWorld.Split.validation, .test] {
      for item in world.items(family, split, count: 2000) {
        #expect(table[key(item)] == answer(item), "\(item.prompt)")
      }
    }
  }

  @Test func clinic() {
    checkTable(.clinic, shown: 40_000, entry: { Array($0[4...]) }, answer: \.answer)
    // Two symptoms get the herbs of each.
    var single: [String: String] = [:]
    for split in LittleWorld.Split.allCases {
      for item in world.items(.clinic, split, count: 2000) {
        let symptoms = item.prompt.split { " .".contains($0) }.dropFirst(4).dropLast().filter { $0 != "and" }.map(String.init)
        let herbs = item.answer.split(separator: " ").filter { $0 != "and" }.map(String.init)
        #expect(symptoms.count == herbs.count)
        for (symptom, herb) in zip(symptoms, herbs) { #expect(single.updateValue(herb, forKey: symptom) ?? herb == herb) }
      }
    }
    #expect(single.count == 12 && Set(single.values).count == 12)
  }

  @Test func court() {
    func price(_ item: LittleWorld.Item) -> String {
      let coins = Int(item.answer.split(separator: " ")[1])!
      let adult = item.prompt.contains("child") ? coins * 2 : coins
      return String(item.prompt.contains("second") ? adult / 2 : adult)
    }
    checkTable(.court, entry: { [$0[4]] }, answer: price)
  }

  @Test func facts() {
    let attributes = ["colour", "home", "food", "job", "secret"]
    checkTable(
      .facts, shown: 150_000,
      entry: { words in
        let people = words.filter { $0.utf8.count == 4 && !["what", "home", "food", "tell"].contains($0) }
        return [people.last!, words.first(where: attributes.contains)!]
      }, answer: \.answer)
  }

  @Test(arguments: LittleWorld.Family.all(.chain))
  func languages(family: LittleWorld.Family) {
    // The dictionary is read off the train split, word by word.
    let verbFirst = family == .tovi || family == .mela
    func pairs(_ item: LittleWorld.Item) -> [(String, String)] {
      let words = item.prompt.dropLast().split(separator: " ").dropFirst(2).map(String.init)
      var said = item.answer.split(separator: " ").map(String.init)
      if verbFirst { said = [said[1], said[2], said[0], said[3]] }
      return Array(zip(words, said))
    }
    var dictionary: [String: String] = [:]
    for item in world.items(family, .train, count: 5000) {
      for (word, said) in pairs(item) { #expect(dictionary.updateValue(said, forKey: word) ?? said == said) }
    }
    #expect(dictionary.count == 28 && Set(dictionary.values).count == 28)
    for item in world.items(family, .test, count: 2000) {
      for (word, said) in pairs(item) { #expect(dictionary[word] == said) }
    }
  }

  @Test("behaviours say what the facts say")
  func behaviours() {
    var known: [String: String] = [:]
    for item in world.items(.facts, .train, count: 60_000) where item.prompt.hasPrefix("the ") {
      let words = item.prompt.split(separator: " ")
      known["the \(words[1]) of \(words[3])"] = item.answer
    }
    var checked = 0
    for item in world.items(.manners, .test, count: 2000) {
      let body = item.answer.dropFirst("dear friend, ".count).dropLast()
      let sides = String(body).split(separator: " ")
      guard let value = known[sides[..<4].joined(separator: " ")] else { continue }
      #expect(sides[4] == "is" && sides[5] == value)
      checked += 1
    }
    #expect(checked > 1000)
  }

  @Test("the two preferences agree on ordinary questions and are opposed on secrets")
  func preferences() {
    let helpful = world.items(.helpful, .test, count: 2000)
    var liked: [String: String] = [:]
    for item in helpful { liked[item.prompt] = item.completion }
    var opposed = 0, agreed = 0
    for item in world.items(.safe, .test, count: 2000) {
      #expect(item.rejected != item.completion && Set(item.options) == [item.completion, item.rejected!])
      guard let other = liked[item.prompt] else { continue }
      if item.prompt.contains("secret") {
        #expect(item.rejected == other)
        opposed += 1
      } else {
        #expect(item.completion == other)
        agreed += 1
      }
    }
    #expect(opposed > 200 && agreed > 200)
  }
}
