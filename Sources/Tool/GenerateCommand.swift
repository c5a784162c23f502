import ArgumentParser
import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a prompt, printing the text as it comes.")

  @OptionGroup var options: ModelOptions
  @Option(help: "Text to continue.") var prompt: String
  @Option(help: "Tokens to add at most.") var maxTokens = 128
  @Option(help: "0 takes the likeliest token; above, draws from softmax(logits / temperature).") var temperature = 0.0
  @Option(help: "Draw from the smallest set of likeliest tokens whose probability reaches this.") var topP = 1.0
  @Option(help: "Seed of the draws.") var seed: UInt64 = 0
  @Flag(help: "Print one JSON object at the end instead: ids, text, why it stopped.") var json = false

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
    if !(temperature >= 0 && temperature.isFinite) { throw ValidationError("--temperature must be 0 or more") }
    if !(topP > 0 && topP <= 1) { throw ValidationError("--top-p must be above 0 and at most 1") }
  }

  func run() throws {
    let evaluator = try options.evaluator(), model = evaluator.model, tokenizer = evaluator.tokenizer
    let ids = try evaluator.ids(of: prompt)
    let room = model.configuration.contextLength - ids.count
    guard !ids.isEmpty, room > 0 else {
      throw EngineError(
        ids.isEmpty
          ? "the prompt is empty and this tokenizer puts no token in front: give it a first word"
          : "the prompt has \(ids.count) tokens; the model's context is \(model.configuration.contextLength)")
    }
    let request = GenerationRequest(
      prompt: ids, maximumTokens: min(maxTokens, room), stopIDs: evaluator.endIDs,
      sampling: Sampling(temperature: temperature, topP: topP, seed: seed))
    var stream = TextStream(tokenizer, after: ids), text = "", output = OutputBuffer()
    var failure: (any Error)?
    func give(_ piece: String) {
      text += piece
      if json { return }
      output.append(piece)
      do { try output.flush() } catch { failure = error }
    }
    let clock = ContinuousClock(), begun = clock.now
    let tokens = try model.generate([request]) { _, token in
      give(stream.append(token))
      return failure == nil
    }[0]
    give(stream.finish())
    if let failure { throw failure }
    if json {
      let seconds = (clock.now - begun) / .seconds(1)
      let stopped = tokens.last.map(evaluator.endIDs.contains) ?? false
      try output.line([
        "prompt_ids": .array(ids.map(JSON.integer)), "ids": .array(tokens.map(JSON.integer)), "text": .string(text),
        "finish": stopped ? "end" : tokens.count == maxTokens ? "max_tokens" : "context",
        "tokens_per_second": .number(Double(tokens.count) / seconds),
      ])
    } else {
      output.append("\n")
    }
    try output.flush()
  }
}
