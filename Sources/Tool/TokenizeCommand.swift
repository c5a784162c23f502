import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers

struct TokenizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Turn texts into token ids.",
    discussion: """
      Reads JSONL rows with `text` on standard input and writes a line for each: ids separated by spaces, or with --json \
      an object with `ids`, `offsets` (of Unicode scalars, from 0) and the decoded `text`. A bad row gives \
      {"line": …, "error": …} in its place, a complaint on standard error, and exit code 1 in the end.
      """)

  @Option(help: "Folder with tokenizer.json, or owner/name in the Hugging Face cache.") var model: String
  @Flag(help: "Write JSON: ids, offsets and decoded text.") var json = false
  @Flag(name: .customLong("no-special-tokens"), help: "Leave out the tokens that the tokenizer adds around a text.")
  var noSpecialTokens = false

  func run() async throws {
    let tokenizer = try Tokenizer(folder: modelFolder(model))
    let (json, special) = (json, !noSpecialTokens)
    let bad = try await StandardInput.mapLines { bytes, before in
      Self.encode(bytes, from: before, tokenizer, json: json, special: special)
    }
    if bad > 0 { throw ExitCode.failure }
  }

  /// Rows to output lines, and what is wrong with bad ones. `from`: lines before the first.
  private static func encode(
    _ bytes: [UInt8], from before: Int, _ tokenizer: Tokenizer, json: Bool, special: Bool
  ) -> (output: [UInt8], complaints: [String]) {
    var output: [UInt8] = [], complaints: [String] = []
    output.reserveCapacity(bytes.count * 2)
    bytes.withUnsafeBytes { buffer in
      var lines = JSONLines(buffer, limits: RowLimits())
      while let (line, row) = lines.next() {
        do throws(RowError) {
          guard let text = try row.get()["text"] else { throw RowError("`text` is missing") }
          guard let text = text.string else { throw RowError("`text` is not a text") }
          write(text, tokenizer, json: json, special: special, to: &output)
        } catch {
          complaints.append("line \(before + line): \(error.reason)")
          let note: JSON = ["line": .integer(before + line), "error": .string(error.reason)]
          note.write(to: &output, style: .spaced)
        }
        output.append(0x0A)
      }
    }
    return (output, complaints)
  }

  private static func write(_ text: String, _ tokenizer: Tokenizer, json: Bool, special: Bool, to output: inout [UInt8]) {
    guard json else {
      let ids = tokenizer.encode(text, addSpecialTokens: special)
      output.append(contentsOf: ids.map(String.init).joined(separator: " ").utf8)
      return
    }
    let encoding = tokenizer.encodeWithOffsets(text, addSpecialTokens: special)
    let offsets = encoding.offsets.map { JSON.array([.integer($0.lowerBound), .integer($0.upperBound)]) }
    let line: JSON = [
      "ids": .array(encoding.ids.map(JSON.integer)), "offsets": .array(offsets),
      "text": .string(tokenizer.decode(encoding.ids)),
    ]
    line.write(to: &output, style: .spaced)
  }
}
