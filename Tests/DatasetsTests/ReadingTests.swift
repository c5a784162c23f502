import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite("Reading JSONL")
struct ReadingTests {
  private func file(_ lines: [String]) throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/holdfast-\(UUID().uuidString).jsonl"
    try Files.writeAtomically(lines.joined(separator: "\n") + "\n", to: path)
    return path
  }

  private func read(
    _ lines: [String], format: DataFormat? = nil, trainOn: TrainOn? = nil, rowLength: Int? = nil,
    tooLong: TooLong = .refuse, badRows: BadRows = .refuse, limits: RowLimits = RowLimits()
  ) throws -> Dataset {
    let path = try file(lines)
    defer { try? Files.remove(path) }
    return try Dataset(
      reading: [DataSource(path: path, format: format, trainOn: trainOn)],
      with: ExampleRenderer(encoder: ToyEncoder(), messages: ToyMessages()), rowLength: rowLength, tooLong: tooLong,
      badRows: badRows, limits: limits)
  }

  @Test("a template is told the source's variables, and a row's own before them")
  func variables() throws {
    let template = "{{ day }}{% for m in messages %}{{ m.content }}{% endfor %}"
    let row = #""messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]"#
    let path = try file(["{\(row)}", "{\(row), \"variables\": {\"day\": \"2\"}}"])
    defer { try? Files.remove(path) }
    let dataset = try Dataset(
      reading: [DataSource(path: path, variables: ["day": "1"])],
      with: ExampleRenderer(encoder: ToyEncoder(beginningID: nil, endID: nil), messages: TemplateMessages(template)), rowLength: nil)
    #expect(dataset.examples.map(\.rendering.ids) == [toy("1ab"), toy("2ab")])
    let date = "{{ strftime_now('%Y') }}" + template
    #expect(throws: BadRowsError.self) {
      try Dataset(
        reading: [DataSource(path: path)], with: ExampleRenderer(encoder: ToyEncoder(), messages: TemplateMessages(date)), rowLength: nil)
    }
  }

  @Test(
    "the format is found from the first row",
    arguments: [
      (#"{"text": "ab", "id": 3}"#, DataFormat.text, 3), (#"{"prompt": "a", "completion": "bc"}"#, .promptCompletion, 3),
      (#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#, .messages, 2),
    ])
  func formats(row: String, format: DataFormat, trained: Int) throws {
    let dataset = try read([row, "", row + "\r"])
    #expect(dataset.examples.map(\.line) == [1, 3])
    #expect(dataset.sources[0].format == format)
    #expect(dataset.sources[0].rows == 2)
    #expect(dataset.trainedTokens == 2 * trained)
    #expect(dataset.sources[0].trainedTokens == 2 * trained)
    #expect(dataset.sources[0].tokens == dataset.tokens)
    #expect(dataset.sources[0].contentHash == ContentHash.of("\(row)\n\n\(row)\r\n"))
  }

  @Test("a row of two formats needs the format named")
  func ambiguous() throws {
    let row = #"{"text": "abcd", "prompt": "a", "completion": "b"}"#
    #expect(throws: BadRowsError.self) { try read([row]) }
    #expect(try read([row], format: .text).trainedTokens == 5)
    #expect(try read([row], format: .promptCompletion).trainedTokens == 2)
  }

  @Test(
    "a bad row is named by line and reason",
    arguments: [
      (#"{"text": "a""#, "not valid JSON"), ("[1]", "not an object"), (#"{"body": "a"}"#, "`text` is missing"),
      (#"{"text": 3}"#, "not a text"), (#"{"text": ""}"#, "empty"), (#"{"text": "a", "text": "b"}"#, "stands twice"),
      (#"{"text": [[[[[[[[1]]]]]]]]}"#, "nested deeper"), (#"{"text": ""# + String(repeating: "a", count: 200) + "\"}", "200"),
    ])
  func badRows(row: String, reason: String) throws {
    let good = #"{"text": "ab"}"#
    let limits = RowLimits(lineBytes: 100, depth: 8)
    let error = try #require(throws: BadRowsError.self) { try read([good, good, row], limits: limits) }
    #expect(error.count == 1 && error.rows == 3 && error.first[0].line == 3)
    let said = error.first[0].reason.contains(reason) || reason == "200" && error.first[0].reason.contains("row may have 100")
    #expect(said, "\(error)")
    #expect(try read([good, good, row], badRows: .skip(share: 0.34), limits: limits).sources[0].skipped == 1)
    #expect(throws: BadRowsError.self) { try read([good, good, row], badRows: .skip(share: 0.33), limits: limits) }
  }

  @Test("rows that teach nothing are bad rows")
  func nothingToLearn() throws {
    let row = #"{"messages": [{"role": "user", "content": "a"}]}"#
    let error = try #require(throws: BadRowsError.self) { try read([row]) }
    #expect(error.first[0].reason.contains("no trained token"))
    #expect(throws: BadRowsError.self) { try read([#"{"prompt": "a", "completion": ""}"#]) }
    #expect(throws: BadRowsError.self) { try read([#"{"text": "a"}"#], trainOn: .completion) }
  }

  @Test("a refusal lists the first ten and counts the rest")
  func manyBadRows() throws {
    let error = try #require(throws: BadRowsError.self) { try read((0..<25).map { _ in "{" }) }
    #expect(error.first.map(\.line) == Array(1...10))
    #expect(error.count == 25)
    #expect("\(error)".contains("and 15 more"))
  }

  @Test("an example longer than a row is refused, cut or dropped, and counted")
  func tooLong() throws {
    // 1 + 6 + 1 tokens fill 7 positions, and 1 + 9 + 1 fill 10.
    let rows = [#"{"prompt": "abc", "completion": "def"}"#, #"{"prompt": "abcdefgh", "completion": "i"}"#]
    #expect(try read(rows, rowLength: 10).sources[0].truncated == 0)
    #expect(throws: BadRowsError.self) { try read(rows, rowLength: 9) }
    let dropped = try read(rows, rowLength: 8, tooLong: .drop).sources[0]
    #expect(dropped.dropped == 1 && dropped.examples == 1)
    let cut = try read(rows, rowLength: 6, tooLong: .truncate)
    #expect(cut.sources[0].truncated == 1 && cut.sources[0].dropped == 1)  // nothing of the second's answer is left
    #expect(cut.examples[0].rendering.ids == [1] + toy("abcdef"))
    #expect(cut.trainedTokens == 3)
  }

  @Test("everything wrong with the sources is said at once")
  func settings() throws {
    let problems = try #require(throws: Problems.self) {
      try Dataset(
        reading: [DataSource(path: "/nowhere/a.jsonl", share: 0.5), DataSource(path: "/nowhere/b.jsonl", share: 1.5)],
        with: ExampleRenderer(encoder: ToyEncoder()), rowLength: nil, badRows: .skip(share: 2))
    }
    #expect(problems.complaints.count == 5)
  }
}
