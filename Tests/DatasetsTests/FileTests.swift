import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("Files of rows")
struct FileTests {
  private func read(_ paths: [String], badRows: BadRows = .refuse, limits: RowLimits = RowLimits()) throws -> Dataset {
    try Dataset(
      reading: [DataSource(paths: paths)], with: ExampleRenderer(encoder: ToyEncoder(endID: nil, addsBeginning: false), messages: ToyMessages()),
      rowLength: nil, badRows: badRows, limits: limits)
  }

  /// The texts of all examples.
  private func texts(_ dataset: Dataset) -> [String] {
    dataset.examples.map { $0.rendering.ids.map { String(Unicode.Scalar(UInt32($0 - 10))!) }.joined() }
  }

  private static let rows = #"{"prompt":"a","completion":"b"}"# + "\n" + #"{"prompt":"c","completion":"d"}"# + "\n"

  /// `rows` as gzip and zstd pack them.
  private static let gzip: [UInt8] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 42, 40, 202, 207, 45, 40, 81, 178, 82, 74, 84, 210, 81, 74, 6, 178, 115, 82, 75, 50, 243, 243,
    128, 2, 73, 74, 181, 92, 213, 8, 249, 100, 116, 249, 20, 160, 60, 0, 114, 161, 48, 97, 64, 0, 0, 0,
  ]
  private static let zstd: [UInt8] = [
    40, 181, 47, 253, 32, 64, 125, 1, 0, 84, 2, 123, 34, 112, 114, 111, 109, 112, 116, 34, 58, 34, 97, 34, 44, 34, 99, 111, 109, 112, 108, 101,
    116, 105, 111, 110, 34, 58, 34, 98, 34, 125, 10, 99, 100, 34, 125, 10, 2, 0, 0, 9, 12, 67, 61, 1,
  ]

  @Test("packed files are unpacked, whatever they are called, and their own bytes are hashed")
  func packed() throws {
    try withScratch { folder in
      for (name, bytes) in [("a.jsonl.gz", Self.gzip), ("b.jsonl", Self.gzip), ("c.jsonl.zst", Self.zstd), ("d", Self.gzip + Self.gzip)] {
        let path = try folder.write(bytes, name)
        let dataset = try read([path])
        #expect(texts(dataset) == (name == "d" ? ["ab", "cd", "ab", "cd"] : ["ab", "cd"]), "\(name)")
        #expect(try dataset.sources[0].contentHash == ContentHash.of(file: path))
        #expect(dataset.sources[0].files.map(\.bytes) == [bytes.count])
      }
    }
  }

  @Test("a packed file that was cut off or damaged is refused", arguments: [0, 1])
  func damaged(which: Int) throws {
    let bytes = [Self.gzip, Self.zstd][which]
    try withScratch { folder in
      for length in [6, 20, bytes.count - 9, bytes.count - 1] {
        let path = try folder.write(Array(bytes[..<length]), "cut.jsonl.gz")
        #expect(throws: FileError.self, "\(length)") { try read([path]) }
      }
      var odd = bytes
      odd[12] ^= 0x55
      odd[30] ^= 0x55
      let path = try folder.write(odd, "odd.jsonl")
      #expect(throws: (any Error).self) { try read([path]) }
      #expect(throws: FileError.self) { try read([folder.write(Self.rows, "plain.jsonl.gz")]) }
    }
  }

  @Test("CSV: quotation marks, line breaks and commas inside a field, a byte order mark, both ends of line")
  func csv() throws {
    try withScratch { folder in
      let text = "\u{FEFF}prompt,completion,note\r\n\"a, \"\"b\"\"\",\"c\nd\",\r\n\r\ne\"f,g,\"h\"\nlast,one,"
      let dataset = try read([folder.write(text, "rows.csv")])
      #expect(texts(dataset) == ["a, \"b\"c\nd", "e\"fg", "lastone"])
      #expect(dataset.examples.map(\.line) == [2, 5, 6])
      let messages = "messages\n\"[{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"x\"\"}]\"\n"
      #expect(try read([folder.write(messages, "chat.csv")]).trainedTokens > 0)
    }
  }

  @Test("what is wrong with CSV is said", arguments: [
    ("prompt,completion\na,b\nc\n", "1 fields, but the header names 2"), ("prompt,completion\n\"a\"x,b\n", "follows the closing quotation mark"),
  ])
  func badCSV(text: String, reason: String) throws {
    try withScratch { folder in
      let path = try folder.write(text, "rows.csv")
      let error = try #require(throws: BadRowsError.self) { try read([path]) }
      #expect(error.first[0].reason.contains(reason))
    }
  }

  @Test("CSV that cannot be cut into rows at all is refused as a file")
  func brokenCSV() throws {
    try withScratch { folder in
      #expect(throws: FileError.self) { try read([folder.write("prompt,completion\na,\"b\nc,d\n", "open.csv")]) }
      #expect(throws: FileError.self) { try read([folder.write("prompt,prompt\na,b\n", "twice.csv")]) }
    }
  }

  @Test("a JSON array, in one line or many; its rows are numbered")
  func array() throws {
    try withScratch { folder in
      let rows = #"[{"prompt": "a]\"", "completion": "b"}, {"prompt": "[", "completion": "{", "x": [[1], {}]} ]"#
      for text in [rows, "\n " + rows.replacing(", {", with: ",\n  {") + "\n"] {
        let dataset = try read([folder.write(text, "rows.json")])
        #expect(texts(dataset) == ["a]\"b", "[{"])
        #expect(dataset.examples.map(\.line) == [1, 2])
      }
      #expect(try texts(read([folder.write(Self.rows, "lines.json")])) == ["ab", "cd"])
      #expect(throws: FileError.self) { try read([folder.write(String(rows.dropLast(2)), "cut.json")]) }
      #expect(throws: FileError.self) { try read([folder.write(rows + "1", "more.json")]) }
    }
  }

  @Test("several files, a folder and a pattern give their rows in order; each is hashed")
  func several() throws {
    try withScratch { folder in
      let lines = (0..<6).map { #"{"text": "\#($0)x"}"# }
      let one = try folder.write(lines[0] + "\n" + lines[1], "d/b.jsonl")
      let two = try folder.write("[\(lines[2]),\(lines[3])]", "d/a.json")
      try folder.write("not data", "d/README.md")
      try folder.write("text\n4x\n5x\n", "d/c.csv")
      #expect(try texts(read([one, two])) == ["0x", "1x", "2x", "3x"])
      let whole = try read([folder.path + "/d"])
      #expect(texts(whole) == ["2x", "3x", "0x", "1x", "4x", "5x"])
      #expect(whole.sources[0].files.map { Files.name(of: $0.path) } == ["a.json", "b.jsonl", "c.csv"])
      #expect(try whole.sources[0].files[1].contentHash == ContentHash.of(file: one))
      #expect(try texts(read([folder.path + "/d/[bc].*"])) == ["0x", "1x", "4x", "5x"])
      let problems = try #require(throws: Problems.self) { try read([folder.path + "/d/*.jsonl.gz", folder.path + "/e.jsonl"]) }
      #expect(problems.complaints.count == 2)
    }
  }

  @Test("Parquet and files that say nothing of themselves are refused with the cure")
  func unreadable() throws {
    try withScratch { folder in
      let parquet = try #require(throws: FileError.self) { try read([folder.write("PAR1xxxx", "a.parquet")]) }
      #expect(parquet.reason.contains("to_json("))
      let unknown = try #require(throws: FileError.self) { try read([folder.write("hello", "a.txt")]) }
      #expect(unknown.reason.contains(".jsonl"))
    }
  }

  @Test("a row is bounded, in a file of any kind; what stands behind it is read")
  func bounds() throws {
    let long = String(repeating: "x", count: 5000)
    let limits = RowLimits(lineBytes: 1000)
    try withScratch { folder in
      let files = [
        ("a.jsonl", #"{"text":"ab"}"# + "\n" + #"{"text":"\#(long)"}"# + "\n" + #"{"text":"cd"}"#),
        ("a.json", #"[{"text":"ab"},{"text":"\#(long)"},{"text":"cd"}]"#), ("a.csv", "text\nab\n\"\(long)\"\ncd\n"),
      ]
      for (name, text) in files {
        let dataset = try read([folder.write(text, name)], badRows: .skip(share: 0.5), limits: limits)
        #expect(texts(dataset) == ["ab", "cd"] && dataset.sources[0].skipped == 1)
      }
    }
  }

  @Test("bytes that are no UTF-8 make a bad row")
  func notUTF8() throws {
    try withScratch { folder in
      for (name, head, tail) in [("a.jsonl", #"{"text":"a"# + "", "\"}\n"), ("a.csv", "text\na", "\n")] {
        let path = try folder.write(Array(head.utf8) + [0xFF] + Array(tail.utf8), name)
        let error = try #require(throws: BadRowsError.self) { try read([path]) }
        #expect(error.first[0].reason.contains("UTF-8"), "\(error)")
      }
    }
  }

  @Test("many rows, whose chunks and blocks end inside rows, come whole and in order")
  func large() throws {
    try withScratch { folder in
      let texts = (0..<30_000).map { "\($0) " + String(repeating: "é", count: $0 % 97) }
      let objects = texts.map { #"{"text":"\#($0)"}"# }
      for (name, text) in [
        ("a.jsonl", objects.joined(separator: "\n")), ("a.json", "[" + objects.joined(separator: ",") + "]"),
        ("a.csv", "text\n" + texts.joined(separator: "\n")),
      ] {
        let dataset = try read([folder.write(text, name)])
        #expect(self.texts(dataset) == texts)
      }
    }
  }
}

@Suite("Models by name")
struct HubCacheTests {
  @Test("owner/name is found at the revision of main; a folder of that name comes first")
  func found() throws {
    try withScratch { folder in
      try folder.write("abc\n", "hub/models--o--m.x/refs/main")
      try folder.write("{}", "hub/models--o--m.x/snapshots/abc/config.json")
      try folder.write("gone", "hub/models--o--half/refs/main")
      let cache = HubCache(environment: { $0 == "HF_HOME" ? folder.path : nil })
      #expect(try cache.folder(of: "o/m.x") == folder.path + "/hub/models--o--m.x/snapshots/abc")
      #expect(try cache.folder(of: folder.path) == folder.path)
      #expect(try cache.folder(of: "a/b/c") == "a/b/c" && cache.folder(of: "../x") == "../x")
      for name in ["o/half", "o/none"] {
        let problems = try #require(throws: Problems.self) { try cache.folder(of: name) }
        #expect("\(problems)".contains("\(folder.path)/hub/models--o--") && "\(problems)".contains("Nothing is downloaded"))
      }
    }
  }

  @Test("the variables of Hugging Face's programs", arguments: [
    (["HF_HUB_CACHE": "/a", "HF_HOME": "/b"], "/a"), (["HF_HOME": "/b", "HOME": "/h"], "/b/hub"), (["HOME": "/h"], "/h/.cache/huggingface/hub"),
  ])
  func variables(environment: [String: String], folder: String) {
    #expect(HubCache(environment: { environment[$0] }).folders == [folder])
  }
}
