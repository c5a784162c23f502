import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("The little world")
struct LittleWorldTests {
  static let world = LittleWorld()

  @Test("every family has at least 2,000 distinct test items, and no prompt is in two splits", arguments: LittleWorld.Family.allCases)
  func splits(family: LittleWorld.Family) {
    let test = Self.world.items(family, .test, count: 2000).map(\.prompt)
    let validation = Self.world.items(family, .validation, count: 500).map(\.prompt)
    let train = Self.world.items(family, .train, count: 20_000).map(\.prompt)
    #expect(test.count == 2000 && Set(test).count == 2000)
    #expect(validation.count == 500 && Set(validation).count == 500)
    #expect(Set(test).isDisjoint(with: train) && Set(validation).isDisjoint(with: train))
    #expect(Set(test).isDisjoint(with: validation))
    #expect(Set(train).count > 1500)
  }

  @Test("no two families ask the same question")
  func families() {
    var owner: [String: LittleWorld.Family] = [:]
    // The two preferences ask the same questions on purpose.
    for family in LittleWorld.Family.allCases where family.kind != .preference {
      for item in Self.world.items(family, .test, count: 2000) {
        #expect(owner.updateValue(family, forKey: item.prompt) == nil, "\(item.prompt)")
      }
    }
  }

  @Test("an item is a function of seed, family, split and index")
  func pure() {
    let world = LittleWorld(seed: 3)
    for family in LittleWorld.Family.allCases {
      let all = LittleWorld(seed: 3).items(family, .train, count: 40)
      #expect(world.items(family, .train, count: 10, from: 30) == Array(all[30...]))
      let list = world.items(family, .test, count: 40)
      #expect(world.items(family, .test, count: 10, from: 30) == Array(list[30...]))
    }
    #expect(LittleWorld(seed: 3).items(.facts, .test, count: 5) != LittleWorld(seed: 4).items(.facts, .test, count: 5))
  }

  @Test("answers are balanced: the most frequent one is right in at most a third of the items", arguments: LittleWorld.Family.allCases)
  func balance(family: LittleWorld.Family) {
    var times: [String: Int] = [:]
    let items = Self.world.items(family, .test, count: 2000)
    for item in items { times[item.answer, default: 0] += 1 }
    let most = Double(times.values.max() ?? 0) / Double(items.count)
    // Keeping a secret is always said in the same words.
    #expect(most <= (family == .safe ? 0.5 : 0.34), "\(most)")
  }

  @Test("options: four or more, all different, the right one in every place equally often")
  func options() {
    for family in LittleWorld.Family.allCases where family.kind != .preference {
      let items = Self.world.items(family, .test, count: 2000)
      var places: [Int: Int] = [:]
      for item in items where !item.options.isEmpty {
        #expect(item.options.count >= 4 && Set(item.options).count == item.options.count)
        guard let place = item.options.firstIndex(of: item.completion) else {
          Issue.record("\(item.prompt): the answer is no option")
          continue
        }
        places[place, default: 0] += 1
      }
      if let count = items.first?.options.count, count == 4 {
        #expect(places.values.allSatisfy { (420...580).contains($0) }, "\(family): \(places)")
      }
    }
  }

  @Test("prompts and answers are plain: one line, no space at the ends but before the answer")
  func plain() {
    for family in LittleWorld.Family.allCases {
      for item in Self.world.items(family, .validation, count: 300) {
        #expect(!item.prompt.contains("\n") && !item.completion.contains("\n"))
        #expect(item.prompt.first != " " && item.prompt.last != " " && !item.answer.isEmpty)
        #expect(item.completion == item.answer || item.completion == " \(item.answer)")
        #expect(item.completion.utf8.last != UInt8(ascii: " "))
      }
    }
  }

  @Test("the pretraining text has all skills and nothing of what tuning teaches")
  func pretraining() {
    let items = Self.world.pretrainingItems(count: 5000)
    #expect(Set(items.map(\.family)) == Set(LittleWorld.Family.all(.versatility) + LittleWorld.Family.all(.mastered)))
    #expect(Self.world.pretrainingText(count: 100, from: 50) == items[50..<150].map { $0.prompt + $0.completion })
    for text in items.map({ $0.prompt + $0.completion }) {
      for word in ["remedy", "ruling", "load", "in oran", "dear friend", "record"] { #expect(!text.contains(word)) }
    }
    let held = Set(Self.world.pretrainingItems(.test, count: 1000).map(\.prompt))
    #expect(held.isDisjoint(with: items.map(\.prompt)))
  }

  @Test("JSONL rows read back as they were made")
  func jsonl() throws {
    for family in [LittleWorld.Family.facts, .clinic, .safe] {
      let items = Self.world.items(family, .train, count: 20)
      let lines = Self.world.jsonl(family, .train, count: 20).split(separator: "\n")
      #expect(lines.count == 20)
      for (line, item) in zip(lines, items) {
        let row = try JSON(text: String(line))
        #expect(row["prompt"]?.string == item.prompt)
        #expect((row["completion"] ?? row["chosen"])?.string == item.completion)
        #expect(row["rejected"]?.string == item.rejected)
      }
    }
    let row = try JSON(text: String(Self.world.jsonl(.clinic, .test, count: 1).dropLast()))
    #expect(row["answer"]?.string == Self.world.items(.clinic, .test, count: 1)[0].answer)
    #expect(row["options"]?.array?.count == 4)
  }
}

@Suite("The little world's tokenizer")
struct WorldTokenizerTests {
  @Test("512 tokens; a made-up word is two of them; every text of the world comes back as it was")
  func roundTrip() throws {
    let tokenizer = try LittleWorld.tokenizer()
    #expect(tokenizer.vocabularySize == 512)
    #expect(tokenizer.endID == 1 && tokenizer.beginningID == nil)
    for (text, count) in [("mako", 2), (" neno", 2), ("79-56=23", 8), (" colour", 1)] {
      #expect(tokenizer.encode(text).count == count, "\(text)")
    }
    let world = LittleWorld()
    for family in LittleWorld.Family.allCases {
      for item in world.items(family, .validation, count: 200) {
        let ids = tokenizer.encode(item.prompt + item.completion)
        #expect(tokenizer.decode(ids) == item.prompt + item.completion)
        #expect(!ids.contains(0) && ids.count < 64)
        // What is scored behind a prompt is what training saw behind it.
        #expect(ids == tokenizer.encode(item.prompt) + tokenizer.encode(item.completion), "\(item.prompt)")
      }
    }
  }

  @Test("a rendered item teaches its completion and the end")
  func rendering() throws {
    let tokenizer = try LittleWorld.tokenizer()
    let rendering = ExampleRenderer(encoder: tokenizer).render(prompt: "79-56=", completion: "23")
    #expect(rendering.ids == tokenizer.encode("79-56=23") + [1])
    #expect(rendering.isTrained == [false, false, false, false, false, false, true, true, true])
  }

  @Test("every size of model fits its file format's rules", arguments: LittleWorld.Size.allCases)
  func sizes(size: LittleWorld.Size) throws {
    let config = size.configuration
    func number(_ key: String) throws -> Int { try #require(config[key]?.int) }
    #expect(try number("hidden_size") == number("num_attention_heads") * number("head_dim"))
    #expect(try number("vocab_size") == 512)
    #expect(try number("num_attention_heads") % number("num_key_value_heads") == 0)
  }
}
