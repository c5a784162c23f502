import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers

struct BenchDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Time how rows become tokens and tokens become packed rows.",
    discussion: "Scripts/peer_data_rate.py does the first part with the tokenizers and jinja2 libraries on the same file.")

  @Option(help: "Folder with tokenizer.json, or owner/name in the Hugging Face cache.") var model: String
  @Option(parsing: .upToNextOption, help: "Files of rows.") var data: [String]
  @Option(help: "Tokens of a packed row; longer examples are cut.") var length = 1024
  @Option(help: "Threads that render (default: the processors).") var threads: Int?
  @Option(help: "Keep the tokens in this folder, or find them there.") var cache: String?
  @Flag(help: "Prompt and completion as messages of the chat template.") var chat = false
  @Flag(help: "One line of JSON.") var json = false

  func run() throws {
    let began = ThisProcess.now()
    let folder = try modelFolder(model)
    let tokenizer = try Tokenizer(folder: folder)
    let renderer = ExampleRenderer(encoder: tokenizer, messages: try TemplateMessages(tokenizer))
    let ready = ThisProcess.now()
    let kept = try cache.map { folder in
      DataCache(folder: folder, identity: try tokenizer.files.map { try ContentHash.of(file: $0) }.joined(separator: " ") + ThisProcess.build, smallest: 0)
    }
    let dataset = try Dataset(
      reading: [DataSource(paths: data, template: chat ? .chat : .plain)], with: renderer, rowLength: length, tooLong: .truncate,
      workers: threads ?? Machine.processors, cache: kept)
    let read = ThisProcess.now()
    let plan = try DataPlan(dataset, .init(seed: 0, sequenceLength: length))
    let rows = plan.stepsPerEpoch(0)
    let laidOut = ThisProcess.now()
    _ = plan.step(0)
    let end = ThisProcess.now()
    let facts = dataset.sources[0]
    let line: JSONObject = [
      "rows": .integer(facts.rows), "tokens": .integer(facts.tokens), "trained_tokens": .integer(facts.trainedTokens),
      "threads": .integer(threads ?? Machine.processors), "tokenizer_s": .number(seconds(ready - began)), "read_s": .number(seconds(read - ready)),
      "layout_s": .number(seconds(laidOut - read)), "first_step_s": .number(seconds(end - laidOut)), "total_s": .number(seconds(end - began)),
      "tok_s": .number((Double(facts.tokens) / (laidOut - ready)).rounded()), "packed_rows": .integer(rows),
      "filled": .number(seconds(Double(facts.tokens - facts.examples) / Double(rows * length))),
      "peak_mib": .integer(ThisProcess.peakBytes() >> 20),
    ]
    if json {
      print(JSON.object(line).text())
    } else {
      for (name, value) in line.members { print("\(name)  \(value.text())") }
    }
  }

  /// To a tenth of a millisecond.
  private func seconds(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
}
