import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Damaged files of every kind that a user brings: whatever comes out, nothing crashes, hangs or grows without bound.
///
/// `Scripts/fuzz.sh` runs these again and again with other seeds and says which one failed.
@Suite("Damaged input", .serialized)
struct FuzzTests {
  private static let seed = UInt64(ProcessInfo.processInfo.environment["HOLDFAST_FUZZ_SEED"] ?? "") ?? 1
  private static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Tests/Fixtures"

  private static func bytes(_ name: String) throws -> [UInt8] { Array(try MappedFile(path: root + "/" + name).text().utf8) }

  /// What damage puts in.
  private static let words: [[UInt8]] = [
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\n", "\r\n", "null", "true", "-", "0", "1e999", "-1", "4294967296", "9223372036854775808",
    "1e-400", "\\ud800", "\\u0000", "\u{FEFF}", "é", "e\u{301}", "\u{2028}", "[[[[[[[[", "\"\":", "{\"a\":", "\"messages\":", "\"role\":",
    "\"content\":", "\"train\":", "\"weight\":", "{{", "}}", "{%", "%}", "{#", "for", "endfor", "if", "messages", "loop", "(", ")", "|",
    "tojson", "range(99999999)", "*", "**", "~", "%", "namespace(", "macro", "set", "=", "\"id\":", "\"type\":", "\"vocab\":", "\"merges\":",
    "(?:", "(?!", "\\\\p{L}", "+", "{9999,}", "[^", "a|",
  ].map { Array($0.utf8) } + [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x00]]

  private static func damaged(
    _ bytes: [UInt8], _ generator: inout CounterGenerator, others: [[UInt8]] = []
  ) -> [UInt8] {
    var bytes = bytes
    for _ in 0...generator.below(5) {
      let at = generator.below(bytes.count + 1)
      let end = min(bytes.count, at + generator.below(generator.below(8) == 0 ? 400 : 6))
      switch generator.below(7) {
      case 0: bytes.removeSubrange(at..<end)
      case 1: bytes.insert(contentsOf: bytes[at..<end], at: at)
      case 2: if at < bytes.count { bytes[at] ^= 1 << UInt8(generator.below(8)) }
      case 3: if at < bytes.count { bytes[at] = UInt8(generator.below(256)) }
      case 4 where !others.isEmpty:
        let other = others[generator.below(others.count)]
        let from = generator.below(other.count + 1)
        bytes.insert(contentsOf: other[from..<min(other.count, from + 60)], at: at)
      default: bytes.replaceSubrange(at..<end, with: words[generator.below(words.count)])
      }
    }
    return bytes
  }

  private func fixture() throws -> (templates: [String], rows: [[UInt8]]) {
    let fixture = try JSON(Self.bytes("mask/cases.json"))
    let templates = try #require(fixture["templates"]?.object).values.compactMap(\.string)
    let constructs = try #require(try JSON(Self.bytes("chat-templates/constructs.json")).array).compactMap { $0["template"]?.string }
    let rows = try #require(fixture["cases"]?.array).compactMap { $0["row"].map { Array($0.text().utf8) } }
    return (templates + constructs, rows)
  }

  private static func rows(of bytes: [UInt8]) -> [(line: Int, row: Result<JSONObject, RowError>)] {
    bytes.withUnsafeBytes { buffer in
      var lines = JSONLines(buffer, limits: RowLimits(lineBytes: 1 << 16, depth: 32))
      var rows: [(line: Int, row: Result<JSONObject, RowError>)] = []
      while let next = lines.next() { rows.append(next) }
      return rows
    }
  }

  /// Rows through the reader, the conversation checks, a template, the mask and a tokenizer.
  @Test func `damaged rows`() throws {
    let (templates, rows) = try fixture()
    let plain = [#"{"text": "a b"}"#, #"{"prompt": "a", "completion": "b"}"#].map { Array($0.utf8) }
    let tokenizer = try Tokenizer(tokenizer: JSON(Self.bytes("tokenizers/pieces/tokenizer.json")), configuration: nil, path: "pieces")
    let printers = try templates.prefix(8).map { try TemplateMessages($0, variables: ["bos_token": "<s>", "eos_token": "</s>"]) }
    var generator = CounterGenerator(seed: Self.seed, "rows")
    var outcomes = ["read": 0, "refused": 0]
    for round in 0..<20_000 {
      let row = Self.damaged((rows + plain)[generator.below(rows.count + 2)], &generator, others: rows)
      let renderer = ExampleRenderer(encoder: tokenizer, messages: printers[round % printers.count])
      for (line, row) in Self.rows(of: row) {
        #expect(line >= 1)
        do throws(RowError) {
          let turns = [nil, Turns.all, .split, .last][generator.below(4)]
          for rendering in try renderer.render(try row.get(), format: .messages, trainOn: nil, turns: turns) {
            #expect(rendering.ids.count == rendering.isTrained.count)
          }
          outcomes["read", default: 0] += 1
        } catch {
          outcomes["refused", default: 0] += 1
        }
      }
    }
    // The damage reaches both ends.
    for (kind, count) in outcomes { #expect(count > 1000, "\(kind): \(outcomes)") }
  }

  @Test func `damaged templates`() throws {
    let (templates, rows) = try fixture()
    let sources = templates.map { Array($0.utf8) }
    let given = try rows.prefix(16).map { try #require(try JSON($0).object) }
    let limits = ChatTemplate.Limits(steps: 50_000, depth: 300, output: 1 << 18, memory: 8 << 20)
    var generator = CounterGenerator(seed: Self.seed, "templates")
    var outcomes = ["rendered": 0, "refused": 0]
    for _ in 0..<100_000 {
      let source = Self.damaged(sources[generator.below(sources.count)], &generator, others: sources)
      do throws(TemplateError) {
        let template = try ChatTemplate(String(decoding: source, as: UTF8.self), limits: limits)
        let rendered = try template.render(given[generator.below(given.count)])
        #expect(rendered.text.utf8.count <= limits.output)
        let count = rendered.text.unicodeScalars.count
        #expect(rendered.spans.last?.range.upperBound ?? 0 == count)
        let ranges = rendered.trainedRanges(header: rendered.needsHeader() ? template.turnHeader() : nil)
        #expect(ranges.allSatisfy { $0.upperBound <= count } && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        outcomes["rendered", default: 0] += 1
      } catch {
        outcomes["refused", default: 0] += 1
      }
    }
    for (kind, count) in outcomes { #expect(count > 10_000, "\(kind): \(outcomes)") }
  }

  /// tokenizer.json, damaged as bytes and as values; what can still be read also encodes and decodes.
  @Test(arguments: ["bytes", "digits", "metaspace", "pieces", "words"])
  func `damaged tokenizers`(name: String) throws {
    let whole = try JSON(Self.bytes("tokenizers/\(name)/tokenizer.json"))
    var generator = CounterGenerator(seed: Self.seed, "tokenizers \(name)")
    let file = Array(whole.text().utf8)
    var read = 0, refused = 0
    for round in 0..<2000 {
      let value: JSON?
      if round % 3 == 0 {
        value = try? JSON(Self.damaged(file, &generator))
      } else {
        var changed = whole
        for _ in 0...generator.below(2) { changed = Self.changed(changed, &generator) }
        value = changed
      }
      guard let value, let tokenizer = try? Tokenizer(tokenizer: value, configuration: nil, path: name) else {
        refused += 1
        continue
      }
      read += 1
      for text in ["", "Hello, wörld 123 \u{0}🙂\n</s>", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let encoding = tokenizer.encodeWithOffsets(text)
        #expect(encoding.ids.count == encoding.offsets.count)
        _ = tokenizer.decode(encoding.ids + [-1, Int.max, tokenizer.vocabularySize])
      }
    }
    #expect(read > 200 && refused > 200, "\(read) read, \(refused) refused")
  }

  /// One value somewhere inside is another one, is gone, or stands there twice.
  private static func changed(_ json: JSON, _ generator: inout CounterGenerator) -> JSON {
    let others: [JSON] = [
      .null, true, 0, -1, .integer(.max), .number(1e300), "", "a", "\\", "(", "[a-", "(?<=a)b", "\u{2581}", [], [[]], [:], ["type": "BPE"],
      ["type": "Sequence"], "ByteLevel", ["Regex": "(a+)+$"], ["String": ""], ["a", "b"], "a b c",
    ]
    switch json {
    case .object(var object) where !object.isEmpty && generator.below(12) > 0:
      let key = object.keys[generator.below(min(object.count, 64))]
      object[key] = generator.below(12) == 0 ? nil : changed(object[key] ?? .null, &generator)
      return .object(object)
    case .array(var array) where !array.isEmpty && generator.below(12) > 0:
      let at = generator.below(min(array.count, 64))
      switch generator.below(12) {
      case 0: array.remove(at: at)
      case 1: array.insert(array[generator.below(array.count)], at: at)
      default: array[at] = changed(array[at], &generator)
      }
      return .array(array)
    default: return others[generator.below(others.count)]
    }
  }
}
