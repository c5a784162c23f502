import HoldfastBasics
import HoldfastTokenizers
import Testing

/// Tokenizers trained by Scripts/make_tokenizer_fixtures.py against what the `tokenizers` library made of them.
@Suite struct FixtureTests {
  @Test(arguments: ["bytes", "words", "digits", "pieces", "metaspace"])
  func trainedTokenizer(name: String) throws {
    let folder = Places.fixtures + "/" + name
    let tokenizer = try Tokenizer(folder: folder)
    var differences = Differences()
    let rows = try Places.rows(folder + "/rows.jsonl")
    #expect(rows.count == 265)
    for row in rows { Self.compare(tokenizer, row, &differences) }
    let decodes = try Places.rows(folder + "/decode.jsonl")
    #expect(decodes.count == 60)
    for row in decodes {
      let ids = row.ids("ids")
      if Exactly(tokenizer.decode(ids)) != Exactly(row["decoded"]?.string ?? "?")
        || Exactly(tokenizer.decode(ids, skipSpecialTokens: true)) != Exactly(row["skipped"]?.string ?? "?")
      {
        differences.add("decode \(ids): \(tokenizer.decode(ids).debugDescription)")
      }
    }
    #expect(differences.count == 0, "\(differences.first)")
  }

  @Test func singleSteps() throws {
    let steps = try Places.rows(Places.fixtures + "/steps.jsonl")
    #expect(steps.count == 71)
    for step in steps {
      var described = step["tokenizer"] ?? .null
      if case .object(var object) = described {
        object["model"] = nil
        described = .object(object)
      }
      let tokenizer = try Tokenizer(tokenizer: step["tokenizer"] ?? .null, configuration: nil, path: described.text())
      var differences = Differences()
      for row in step["rows"]?.array ?? [] { Self.compare(tokenizer, row, &differences) }
      #expect(differences.count == 0, "\(described.text()): \(differences.first)")
    }
  }

  static func compare(_ tokenizer: Tokenizer, _ row: JSON, _ differences: inout Differences) {
    let text = row["text"]?.string ?? ""
    let ids = row.ids("ids")
    let encoding = tokenizer.encodeWithOffsets(text)
    let offsets = encoding.offsets.flatMap { [$0.lowerBound, $0.upperBound] }
    let decoded = row["decoded"]?.string ?? text
    if tokenizer.encode(text) != ids || encoding.ids != ids {
      differences.add("\(text.debugDescription) gives \(tokenizer.encode(text)), not \(ids)")
    } else if offsets != row.ids("offsets") {
      differences.add("\(text.debugDescription) has offsets \(offsets), not \(row.ids("offsets"))")
    } else if Exactly(tokenizer.decode(ids)) != Exactly(decoded) {
      differences.add("\(ids) decodes to \(tokenizer.decode(ids).debugDescription), not \(decoded.debugDescription)")
    } else if Exactly(tokenizer.decode(ids, skipSpecialTokens: true)) != Exactly(row["skipped"]?.string ?? decoded) {
      differences.add("\(ids) without special tokens: \(tokenizer.decode(ids, skipSpecialTokens: true).debugDescription)")
    }
  }
}

extension JSON {
  func ids(_ key: String) -> [Int] { self[key]?.ids ?? [-1] }
}
