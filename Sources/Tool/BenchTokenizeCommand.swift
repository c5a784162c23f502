import ArgumentParser
import HoldfastBasics
import HoldfastTokenizers
#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

struct BenchTokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Time the encoding of a text on one thread.",
    discussion: """
      Megabytes of UTF-8 a second of processor time, the best of several rounds, so words seen before are known: the \
      text as a whole and line by line, ids alone and with character offsets. Scripts/check_tokenizers.py --time sets the \
      same of the tokenizers library beside it.
      """)

  @Option(help: "Folder with tokenizer.json.") var model: String
  @Option(help: "Text file.") var text: String
  @Option(help: "Rounds.") var rounds = 5
  @Flag(help: "One line of JSON.") var json = false

  func validate() throws {
    if rounds < 1 { throw ValidationError("--rounds must be 1 or more") }
  }

  func run() throws {
    let tokenizer = try Tokenizer(folder: modelFolder(model))
    let whole = try readText(text)
    let rows = whole.utf8.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    let rates: [(name: String, rate: Double)] = [
      ("whole", rate(of: whole) { _ = tokenizer.encode(whole) }),
      ("rows", rate(of: whole) { for row in rows { _ = tokenizer.encode(row) } }),
      ("whole_offsets", rate(of: whole) { _ = tokenizer.encodeWithOffsets(whole) }),
      ("rows_offsets", rate(of: whole) { for row in rows { _ = tokenizer.encodeWithOffsets(row) } }),
    ]
    if json {
      print(JSON.object(JSONObject([("bytes", .integer(whole.utf8.count))] + rates.map { ($0.name, .number($0.rate)) })).text())
    } else {
      for (name, rate) in rates { print("\(name.replacing("_", with: ", with ")): \((rate * 100).rounded() / 100) MB/s") }
    }
  }

  /// Megabytes a second of processor time, in the fastest round.
  private func rate(of text: String, _ work: () -> Void) -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    var best = Double.infinity
    for _ in 0..<rounds {
      let start = now()
      work()
      best = min(best, now() - start)
    }
    return Double(text.utf8.count) / 1e6 / best
  }
}
