import HoldfastBasics
import HoldfastTokenizers
import Testing

/// Files that are wrong, or ask for what is not there, get an error that says so.
@Suite struct HostileFileTests {
  static let model: JSON = ["type": "BPE", "vocab": ["a": 0, "b": 1, "ab": 2], "merges": ["a b"]]

  static func read(_ members: [(String, JSON)]) throws -> Tokenizer {
    var file: JSONObject = JSONObject([("model", model)])
    for (key, value) in members { file[key] = value }
    return try Tokenizer(tokenizer: .object(file), configuration: nil, path: "t.json")
  }

  static func model(_ key: String, _ value: JSON) -> JSON {
    var object = model.object ?? JSONObject()
    object[key] = value
    return .object(object)
  }

  @Test func theSoundOneWorks() throws {
    let tokenizer = try Self.read([])
    #expect(tokenizer.encode("aab") == [0, 2])
    #expect(tokenizer.vocabularySize == 3)
    #expect(tokenizer.id(of: "ab") == 2)
    #expect(tokenizer.token(2) == "ab")
    #expect(tokenizer.token(3) == nil)
    #expect(tokenizer.token(-1) == nil)
    #expect(tokenizer.decode([2, 99, -7, 0]) == "ab a")
    #expect(tokenizer.beginningID == nil)
  }

  static let wrong: [(String, JSON, String)] = [
    ("model", .null, "no model"),
    ("model", ["type": "Unigram", "vocab": []], "Unigram"),
    ("model", model("vocab", [1]), "vocab is not an object"),
    ("model", model("vocab", ["a": -1]), "the id of \"a\""),
    ("model", model("vocab", ["a": 4_000_000_000]), "the id of \"a\""),
    ("model", model("vocab", ["a": 1.5]), "the id of \"a\""),
    ("model", model("vocab", ["a": 0, "b": 0]), "the id 0 stands twice"),
    ("model", model("merges", [["a", "c"]]), "the token \"c\""),
    ("model", model("merges", [["b", "a"]]), "the token \"ba\""),
    ("model", model("merges", ["a b c"]), "merges[0] is neither"),
    ("model", model("merges", [["a", 1]]), "merges[0] is neither"),
    ("model", model("merges", 7), "merges is not an array"),
    ("model", model("unk_token", "<unk>"), "unk_token"),
    ("model", model("dropout", 0.1), "dropout"),
    ("normalizer", ["type": "Precompiled", "precompiled_charsmap": ""], "Precompiled"),
    ("normalizer", ["type": "Sequence", "normalizers": [["type": "BertNormalizer"]]], "normalizer.normalizers[0]"),
    ("normalizer", ["type": "Prepend"], "lacks prepend"),
    ("pre_tokenizer", ["type": "UnicodeScripts"], "UnicodeScripts"),
    ("pre_tokenizer", ["type": "Split", "pattern": ["String": "a"], "behavior": "Sideways"], "Sideways"),
    ("pre_tokenizer", ["type": "Split", "pattern": 3, "behavior": "Isolated"], "pattern is neither"),
    ("pre_tokenizer", ["behavior": "Isolated"], "lacks its type"),
    ("pre_tokenizer", ["type": "Sequence", "pretokenizers": [["type": "ByteLevel"], ["type": "ByteLevel"]]], "second time"),
    ("post_processor", ["type": "Elsewhere"], "Elsewhere"),
    ("post_processor", ["type": "TemplateProcessing", "single": [["SpecialToken": ["id": "<s>"]]]], "\"<s>\" has no ids"),
    ("post_processor", ["type": "BertProcessing", "sep": ["x", 77], "cls": ["y", 1]], "no token with the id 77"),
    ("decoder", ["type": "CTC"], "CTC"),
    ("decoder", ["type": "Strip", "content": "ab", "start": 1, "stop": 0], "one character"),
    ("added_tokens", 3, "added_tokens is not an array"),
    ("added_tokens", [["id": 9, "content": "<x>"]], "says id 9, but it is 3"),
    ("added_tokens", [["id": 3]], "lacks content"),
  ]

  @Test(arguments: wrong.indices) func isRefused(index: Int) {
    let (key, value, reason) = Self.wrong[index]
    let error = #expect(throws: Problems.self) { try Self.read([(key, value)]) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test func allComplaintsAtOnce() {
    let error = #expect(throws: Problems.self) {
      try Self.read([("normalizer", ["type": "A"]), ("pre_tokenizer", ["type": "B"]), ("decoder", ["type": "C"])])
    }
    #expect(error?.complaints.count == 3)
  }

  /// Swift's strings hold "é" and "e\u{301}" for the same; vocabularies have both.
  @Test func tokensAreComparedScalarByScalar() throws {
    let file = try JSON(
      text: #"{"model": {"vocab": {"\u00e9": 0, "e\u0301": 1, "e": 2, "\u0301": 3, "\u00c5": 4, "\u212b": 5}, "merges": [["e", "\u0301"]]}}"#)
    let tokenizer = try Tokenizer(tokenizer: file, configuration: nil, path: "t.json")
    #expect(tokenizer.encode("e\u{301}é\u{C5}\u{212B}") == [1, 0, 4, 5])
    #expect(tokenizer.id(of: "e\u{301}") == 1)
    #expect(tokenizer.id(of: "é") == 0)
  }

  @Test func aWordOfAMillionLetters() throws {
    let tokenizer = try Self.read([])
    let ids = tokenizer.encode(String(repeating: "ab", count: 500_000))
    #expect(ids.count == 500_000)
    #expect(ids.allSatisfy { $0 == 2 })
  }

  @Test func manyThreadsAtOnce() async throws {
    let tokenizer = try Tokenizer(folder: Places.fixtures + "/bytes")
    let texts = try Places.rows(Places.fixtures + "/bytes/rows.jsonl").map { ($0["text"]?.string ?? "", $0.ids("ids")) }
    await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 { group.addTask { texts.count { tokenizer.encode($0.0) != $0.1 } } }
      for await wrong in group { #expect(wrong == 0) }
    }
  }
}
