import ArgumentParser
import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels

struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Talk with a model, line by line.",
    discussion: """
      Reads one line from standard input for each turn and prints the answer as it comes, in the model's chat template. What was \
      said before is kept in the models' caches and not read again. An empty line, or the end of input, ends it. With --expert and \
      --anti-expert, see `holdfast generate --help`.
      """)

  @OptionGroup var ensemble: EnsembleOptions
  @OptionGroup var sampling: SamplingOptions
  @Option(help: "What the system says first.") var system: String?
  @Option(help: "plain, or chat, for the experts (default: chat).") var expertFormat: EnsembleOptions.Format?
  @Option(help: "plain, or chat, for the anti-expert (default: chat).") var antiExpertFormat: EnsembleOptions.Format?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 512
  @Option(parsing: .upToNextOption, help: "Texts that end an answer; they are not printed.") var stop: [String] = []

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
  }

  func run() throws {
    let loaded = try ensemble.load()
    let formats = LoadedEnsemble.Formats(base: .chat, expert: expertFormat, antiExpert: antiExpertFormat)
    let members = [loaded.ensemble.base, loaded.ensemble.antiExpert, loaded.ensemble.draft].compactMap { $0 } + loaded.ensemble.experts
    let context = members.map(\.model.configuration.contextLength).min()!
    let engine = try GenerationEngine(loaded.ensemble, rows: 1, capacity: context, speculation: ensemble.speculation)
    var messages: [JSON] = system.map { [["role": "system", "content": .string($0)]] } ?? []
    var output = OutputBuffer()
    while true {
      if Terminal.isInteractive {
        output.append("> ")
        try output.flush()
      }
      guard let line = readLine(), !line.isEmpty else { return }
      messages.append(["role": "user", "content": .string(line)])
      var request = try loaded.request(messages, formats, maximumTokens: maxTokens, sampling: sampling.sampling)
      request.sampling.seed &+= UInt64(messages.count)
      request.maximumTokens = min(maxTokens, try loaded.room(for: request))
      var writer = TextWriter(loaded.tokenizer, after: request.prompt, stops: stop, prints: true)
      var failure: (any Error)?
      _ = try engine.run([request]) { _, token in
        do { return try writer.append(token) } catch {
          failure = error
          return false
        }
      }
      if let failure { throw failure }
      try writer.finish()
      messages.append(["role": "assistant", "content": .string(writer.text)])
    }
  }
}
