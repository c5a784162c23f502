import ArgumentParser
import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import HoldfastTokenizers

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a prompt, printing the text as it comes.",
    discussion: """
      With --expert and --anti-expert the model is decoded as if it had been tuned as the expert was (emulated fine-tuning): none \
      of its weights changes. Docs/emulated-fine-tuning.md tells more.
      """)

  @OptionGroup var ensemble: EnsembleOptions
  @OptionGroup var sampling: SamplingOptions
  @Option(help: "Text to continue; with --format chat, what the user says.") var prompt: String
  @Option(help: "plain, or chat: the prompt in the model's chat template.") var format: EnsembleOptions.Format = .plain
  @Option(help: "The same for the experts (default: as the model).") var expertFormat: EnsembleOptions.Format?
  @Option(help: "The same for the anti-expert (default: as the model).") var antiExpertFormat: EnsembleOptions.Format?
  @Option(help: "Tokens to add at most.") var maxTokens = 128
  @Option(parsing: .upToNextOption, help: "Texts that end it; they are not printed.") var stop: [String] = []
  @Option(help: "With --json: this many of the likeliest tokens at each place.") var logprobs = 0
  @Flag(help: "Print one JSON object at the end instead: ids, text, why it stopped, what was said of each token.") var json = false

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
    if logprobs < 0 || logprobs > 100 { throw ValidationError("--logprobs must be 0 to 100") }
    if logprobs > 0, !json { throw ValidationError("--logprobs belongs to --json") }
  }

  func run() throws {
    let loaded = try ensemble.load()
    let formats = LoadedEnsemble.Formats(base: format, expert: expertFormat, antiExpert: antiExpertFormat)
    var request = try loaded.request(
      [["role": "user", "content": .string(prompt)]], formats, maximumTokens: maxTokens, sampling: sampling.sampling)
    request.likeliest = logprobs
    if ensemble.isEmulated, formats.antiExpert ?? format != format {
      printError("note: the model and the anti-expert see different formats, so their ratio speaks of the formats too")
    }
    let room = try loaded.room(for: request)
    request.maximumTokens = min(maxTokens, room)

    var writer = TextWriter(loaded.tokenizer, after: request.prompt, stops: stop, prints: !json)
    let engine = try GenerationEngine(
      loaded.ensemble, rows: 1, capacity: loaded.longest(request) + request.maximumTokens, speculation: ensemble.speculation)
    let clock = ContinuousClock(), begun = clock.now
    var failure: (any Error)?
    let tokens = try engine.run([request]) { _, token in
      do { return try writer.append(token) } catch {
        failure = error
        return false
      }
    }[0]
    if let failure { throw failure }
    let seconds = (clock.now - begun) / .seconds(1)
    try writer.finish()
    guard json else { return }
    let finish =
      writer.hasStopped
      ? "stop"
      : tokens.last.map { request.stopIDs.contains($0.id) } ?? false
        ? "end"
        : tokens.count == maxTokens ? "max_tokens" : "context"
    var line: JSONObject = [
      "prompt_ids": .array(request.prompt.map(JSON.integer)), "ids": .array(tokens.map { .integer($0.id) }), "text": .string(writer.text),
      "finish": .string(finish), "tokens_per_second": .number(Double(tokens.count) / seconds),
      "tokens": .array(tokens.map { $0.json(loaded.tokenizer) }),
    ]
    if let agreement = engine.counts.agreement { line["agreement"] = .number(agreement) }
    line["passes"] = .array(engine.counts.passes.map(JSON.integer))
    var output = OutputBuffer()
    try output.line(.object(line))
    try output.flush()
  }
}

/// How tokens are drawn.
struct SamplingOptions: ParsableArguments {
  @Option(help: "0 takes the likeliest token; above, draws from softmax(logits / temperature).") var temperature = 0.0
  @Option(help: "Draw from the smallest set of likeliest tokens whose probability reaches this.") var topP = 1.0
  @Option(help: "Draw from this many of the likeliest tokens; 0: all.") var topK = 0
  @Option(help: "Draw from tokens of at least this share of the greatest probability; 0: all.") var minP = 0.0
  @Option(help: "Above 1: tokens that stand in the text already become less likely.") var repetitionPenalty = 1.0
  @Option(parsing: .upToNextOption, help: "Added to single tokens' scores, as id=value.") var logitBias: [String] = []
  @Option(help: "Seed of the draws.") var seed: UInt64 = 0

  func validate() throws {
    for bias in logitBias where parsed(bias) == nil { throw ValidationError("--logit-bias \(bias): write id=value, such as 42=-1.5") }
    let complaints = sampling.complaints
    if !complaints.isEmpty { throw ValidationError(complaints.joined(separator: "\n")) }
  }

  private func parsed(_ text: String) -> (Int, Double)? {
    let parts = text.split(separator: "=")
    guard parts.count == 2, let id = Int(parts[0]), let value = Double(parts[1]) else { return nil }
    return (id, value)
  }

  var sampling: Sampling {
    var s = Sampling(temperature: temperature, topP: topP, seed: seed)
    (s.topK, s.minP, s.repetitionPenalty) = (topK, minP, repetitionPenalty)
    for (id, value) in logitBias.compactMap(parsed) { s.logitBias[id] = value }
    return s
  }
}

/// Prints text as its tokens come, up to a stop text.
struct TextWriter {
  private var stream: TextStream
  private var stops: StopText
  private var output = OutputBuffer()
  private let prints: Bool
  private(set) var text = ""
  var hasStopped: Bool { stops.hasStopped }

  init(_ tokenizer: Tokenizer, after prompt: [Int], stops: [String], prints: Bool) {
    stream = TextStream(tokenizer, after: prompt)
    self.stops = StopText(stops)
    self.prints = prints
  }

  /// false where a stop text ends it.
  mutating func append(_ token: Int) throws -> Bool {
    try give(stops.append(stream.append(token)))
    return !stops.hasStopped
  }

  mutating func finish() throws {
    try give(stops.append(stream.finish()))
    try give(stops.finish())
    guard prints else { return }
    output.append("\n")
    try output.flush()
  }

  private mutating func give(_ piece: String) throws {
    if piece.isEmpty { return }
    text += piece
    guard prints else { return }
    output.append(piece)
    try output.flush()
  }
}

extension LoadedEnsemble {
  /// Tokens that fit behind the prompts in every model's context.
  func room(for request: GenerationRequest) throws -> Int {
    let members =
      [(ensemble.base, request.prompt)] + ensemble.experts.map { ($0, request.expertPrompt ?? request.prompt) }
      + [(ensemble.antiExpert, request.antiExpertPrompt ?? request.prompt), (ensemble.draft, request.prompt)]
    var room = Int.max
    for (member, prompt) in members {
      guard let member else { continue }
      let context = member.model.configuration.contextLength
      if prompt.isEmpty { throw EngineError("the prompt is empty and this tokenizer puts no token in front: give it a first word") }
      if prompt.count >= context { throw EngineError("the prompt has \(prompt.count) tokens; the context of \(member.name) is \(context)") }
      room = min(room, context - prompt.count)
    }
    return room
  }

  /// Tokens of the longest of a request's prompts.
  func longest(_ request: GenerationRequest) -> Int {
    max(request.prompt.count, request.expertPrompt?.count ?? 0, request.antiExpertPrompt?.count ?? 0)
  }
}

extension GeneratedToken {
  /// What is said of it, for a file.
  func json(_ tokenizer: Tokenizer) -> JSON {
    var line: JSONObject = [
      "token": .string(tokenizer.token(id) ?? ""), "id": .integer(id), "logprob": .finite(logProbability),
    ]
    if let mixture {
      line["log_z"] = .finite(mixture.logZ)
      line["tv"] = .finite(mixture.totalVariation)
      line["base"] = mixture.base.map(JSON.finite) ?? .null
      line["experts"] = .array(mixture.experts.map { $0.map(JSON.finite) ?? .null })
      line["anti_expert"] = mixture.antiExpert.map(JSON.finite) ?? .null
    }
    if !likeliest.isEmpty {
      line["likeliest"] = .array(
        likeliest.map { ["token": .string(tokenizer.token($0.id) ?? ""), "id": .integer($0.id), "logprob": .finite($0.logProbability)] })
    }
    return .object(line)
  }
}

extension JSON {
  /// JSON knows no infinity.
  fileprivate static func finite(_ value: Double) -> JSON { value.isFinite ? .number(value) : .null }
}
