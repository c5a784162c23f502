import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastDecoding
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastServer
import HoldfastTokenizers

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Answer over HTTP, in the form of OpenAI's API.",
    usage: "holdfast serve [server.yaml] [--model L] [--expert F … --anti-expert S] [options]",
    discussion: """
      Takes every option of `holdfast generate` that says which models choose tokens and how (--model, --expert, --anti-expert, --beta, \
      --speculate, …), and the same under their names in a YAML file, with `limits:` and named mixtures under `models:`. Flags override the \
      file. Docs/server.md tells more.

        holdfast serve --model ./large --expert ./tuned --anti-expert ./small
        curl -H "Authorization: Bearer KEY" localhost:8080/v1/models
      """)

  @Option(help: "Port to listen on; 0: any that is free.") var port = 8080
  @Option(help: "Address to listen on.") var host = "127.0.0.1"
  @Option(help: "Key that every request brings (default: one is made and printed). Others on this machine see it in the list of processes.") var key: String?
  @Option(help: "File whose first line is the key.") var keyFile: String?
  @Flag(help: "No key; only on this machine's own addresses.") var noKey = false
  @Option(help: "Name that clients know the model by (default: the folder's).") var name: String?
  @Option(help: "Answers that are generated at once.") var rows = 16
  @Option(help: "Tokens that prompt and answer have at most (default: the models' context, at most 4096).") var context: Int?
  @Option(help: "plain, or chat: what experts see of a chat (default: chat).") var expertFormat: EnsembleOptions.Format?
  @Option(help: "The same for the anti-expert.") var antiExpertFormat: EnsembleOptions.Format?
  @Flag(help: "No line on standard error for each request.") var quiet = false
  @Argument(parsing: .allUnrecognized, help: .hidden) var rest: [String] = []

  func run() async throws {
    let (command, options, file) = try read()
    try await command.serve(options, file)
  }

  /// The command line with the file's options in front of it.
  private func read() throws -> (ServeCommand, EnsembleOptions, ServeFile) {
    let arguments = Array(CommandLine.arguments.dropFirst(2))
    let named = rest.first { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") } ?? rest.first.flatMap { $0.hasPrefix("-") ? nil : $0 }
    guard let path = named else { return (self, try Self.models(rest), ServeFile()) }
    do {
      let file = try ServeFile(path, flags: arguments)
      let command = try ServeCommand.parse(file.arguments + arguments.filter { $0 != path })
      return (command, try Self.models(command.rest), file)
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
  }

  /// The options that `generate` takes too; what is wrong with them is said with this command's usage.
  private static func models(_ arguments: [String]) throws -> EnsembleOptions {
    do { return try .reading(arguments) } catch { throw ValidationError(error.complaints.joined(separator: "\n")) }
  }

  func validate() throws {
    if !(0...65535).contains(port) { throw ValidationError("--port must be 0 to 65535") }
    if rows < 1 || rows > 1024 { throw ValidationError("--rows must be 1 to 1024") }
    if let context, context < 2 { throw ValidationError("--context must be 2 or more") }
    if [key != nil, keyFile != nil, noKey].count(where: { $0 }) > 1 { throw ValidationError("give one of --key, --key-file and --no-key") }
    if noKey, !ServerConfiguration.isLoopback(host) { throw ValidationError("--no-key listens on this machine only: --host 127.0.0.1") }
  }

  private func serve(_ options: EnsembleOptions, _ file: ServeFile) async throws {
    var configuration = ServerConfiguration(
      clock: { Int(ThisProcess.wallTime()) },
      seed: {
        var random = SystemRandomNumberGenerator()
        return random.next() >> 11  // a whole number that every client's JSON keeps
      })
    (configuration.host, configuration.port, configuration.limits) = (host, port, file.limits)
    var isMade = false
    if let keyFile { configuration.key = try MappedFile(path: keyFile).text().split(whereSeparator: \.isNewline).first.map(String.init) ?? "" }
    if let key { configuration.key = key }
    if configuration.key == nil, !noKey { (configuration.key, isMade) = (ServerKey.generated(), true) }

    let loaded = try options.load(), ensemble = loaded.ensemble
    let members = [ensemble.base, ensemble.antiExpert, ensemble.draft].compactMap { $0 } + ensemble.experts
    let longest = members.map(\.model.configuration.contextLength).min()!
    let texts = try ServedTexts(loaded, expertFormat, antiExpertFormat), capacity = min(longest, context ?? 4096)
    var chat: (@Sendable ([JSON]) throws -> GenerationRequest)?
    if texts.hasTemplate { chat = { try texts.chat($0) } }
    let served = ServedModel(
      name: name ?? shown(options.options.model), tokenizer: loaded.tokenizer, emulation: options.emulation,
      experts: unambiguous(options.expert), hasAntiExpert: options.antiExpert != nil, virtual: file.models, context: capacity,
      vocabulary: loaded.vocabularyCount, endIDs: loaded.endIDs, text: { try texts.text($0) }, chat: chat)
    let engine = EngineThread(
      try GenerationEngine(ensemble, rows: rows, capacity: capacity, speculation: options.speculation), rows: rows, queue: configuration.limits.queue)
    let server: HTTPServer
    do { server = try HTTPServer(configuration, served, engine, logs: !quiet) } catch {
      printError("Error: \(error)")
      throw ExitCode(64)
    }
    let host = host.contains(":") ? "[\(host)]" : host, key = isMade ? configuration.key : nil
    try await server.run { port in
      printError("serving \(served.name) on http://\(host):\(port)/")
      if let key { printError("key: \(key)") }
    }
  }

  /// A folder's name; of a run's `final` the run's.
  private func shown(_ path: String) -> String {
    let name = Files.name(of: path), run = Files.name(of: Files.folder(of: path))
    return name == "final" && !run.isEmpty && run != "." ? run : name
  }

  /// Experts by name, numbered where two are alike.
  private func unambiguous(_ paths: [String]) -> [String] {
    let names = paths.map(shown)
    return names.enumerated().map { i, name in names.count { $0 == name } > 1 ? "\(name)-\(i + 1)" : name }
  }
}

/// Texts and conversations as each model is to see them; templates are read once.
private struct ServedTexts: Sendable {
  private struct Reader: Sendable {
    let tokenizer: Tokenizer
    let template: TemplateMessages?
    let format: EnsembleOptions.Format

    func text(_ text: String) -> [Int] {
      let ids = tokenizer.encode(text, addSpecialTokens: false), front = tokenizer.front
      return ids.starts(with: front) ? ids : front + ids
    }

    func chat(_ messages: [JSON]) throws -> [Int] {
      guard format == .chat, let template else { return text(messages.last?["content"]?.string ?? "") }
      let rendered = try template.render(["messages": .array(messages)], training: messages.map { _ in false }, addGenerationPrompt: true)
      return tokenizer.encode(rendered.text, addSpecialTokens: false)
    }
  }

  private let base: Reader
  private let expert, antiExpert: Reader?

  init(_ loaded: LoadedEnsemble, _ expertFormat: EnsembleOptions.Format?, _ antiExpertFormat: EnsembleOptions.Format?) throws {
    func reader(_ tokenizer: Tokenizer, _ format: EnsembleOptions.Format?) throws -> Reader {
      Reader(tokenizer: tokenizer, template: try TemplateMessages(tokenizer, clock: ThisProcess.localTime), format: format ?? .chat)
    }
    base = try reader(loaded.tokenizer, nil)
    expert = try loaded.expertTokenizer.map { try reader($0, expertFormat) }
    antiExpert = try loaded.antiTokenizer.map { try reader($0, antiExpertFormat) }
    for (reader, format) in [(expert, expertFormat), (antiExpert, antiExpertFormat)] {
      guard let reader, base.template != nil, format != .plain, reader.template == nil else { continue }
      throw EngineError("an expert or anti-expert has no chat template; say with --expert-format plain and --anti-expert-format plain that they see the last message alone")
    }
  }

  var hasTemplate: Bool { base.template != nil }

  func text(_ text: String) throws -> GenerationRequest { try request { $0.text(text) } }
  func chat(_ messages: [JSON]) throws -> GenerationRequest { try request { try $0.chat(messages) } }

  private func request(_ ids: (Reader) throws -> [Int]) throws -> GenerationRequest {
    var request = GenerationRequest(prompt: try ids(base), maximumTokens: 1)
    request.expertPrompt = try expert.map(ids)
    request.antiExpertPrompt = try antiExpert.map(ids)
    return request
  }
}

extension LoadedEnsemble {
  /// Ids that may come.
  fileprivate var vocabularyCount: Int { ensemble.isEmulated ? ensemble.vocabulary.count : evaluator.model.configuration.vocabularySize }
}
