import ArgumentParser
import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastEvaluation
import HoldfastTokenizers

struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "Print the log-probability of every token of a text, as JSONL.",
    discussion: """
      One line a token: `token` as the vocabulary spells it, `id`, `offset` in the text (Unicode scalars), `logprob` in \
      nats (null where nothing stands in front), and the likeliest token there, `best` and `best_id`. A text longer than \
      the model's context is cut into windows that know nothing of one another.

      With --expert and --anti-expert it is the emulated model that is asked (Docs/emulated-fine-tuning.md), and a line has more: `log_z` of \
      the step, total variation `tv` against the experts alone, and the token's log-probability under `base`, `experts` and \
      `anti_expert`. The text must then fit the models' contexts, and `likeliest` stands in place of `best`.
      """)

  @OptionGroup var ensemble: EnsembleOptions
  @Option(help: "Text file, or - for standard input.") var text = "-"
  @Option(help: "Tokens of a window, the first ones included (default: the model's context).") var window: Int?
  @Flag(help: "JSON lines, which is what is printed anyway.") var json = false

  func validate() throws {
    try ensemble.refuseGeneration(by: "score")
    if ensemble.isEmulated, window != nil { throw ValidationError("--window is of a single model; a text must fit the contexts of all members of an ensemble") }
  }

  func run() throws {
    if ensemble.isEmulated { return try emulated() }
    let evaluator = try ensemble.options.evaluator(), tokenizer = evaluator.tokenizer
    let source = try readText(text)
    let rule = try windowRule(window, of: evaluator)
    let encoding = tokenizer.encodeWithOffsets(source, addSpecialTokens: false)
    let scores = try evaluator.scores(ofText: source, rule: rule)
    var output = OutputBuffer()
    for (i, (id, score)) in zip(scores.ids, scores.scores).enumerated() {
      let range = encoding.offsets[i]
      try output.line([
        "token": .string(tokenizer.token(id) ?? ""), "id": .integer(id),
        "offset": [.integer(range.lowerBound), .integer(range.upperBound)],
        "logprob": score.map { .number(Double($0.logProbability)) } ?? .null,
        "best": score.flatMap { tokenizer.token($0.best) }.map(JSON.string) ?? .null,
        "best_id": score.map { .integer($0.best) } ?? .null,
      ])
    }
    try output.flush()
  }

  /// The same under an ensemble.
  private func emulated() throws {
    let loaded = try ensemble.load(), tokenizer = loaded.tokenizer, source = try readText(text)
    let encoding = tokenizer.encodeWithOffsets(source, addSpecialTokens: false), front = loaded.evaluator.front
    let hasFront = encoding.ids.starts(with: front), ids = hasFront ? encoding.ids : front + encoding.ids
    guard ids.count > 1 else { throw EngineError("nothing can be said about a first token alone: give a longer text") }
    var request = GenerationRequest(prompt: [ids[0]], maximumTokens: 1)
    request.likeliest = 1
    let scores = try loaded.ensemble.scores(of: [(request, Array(ids.dropFirst()))])[0]
    let shift = ids.count - encoding.ids.count
    var output = OutputBuffer()
    for (i, range) in encoding.offsets.enumerated() {
      let place = i + shift - 1
      var line: JSONObject = ["token": .string(tokenizer.token(encoding.ids[i]) ?? ""), "id": .integer(encoding.ids[i]), "logprob": .null]
      if place >= 0, case .object(let known) = scores[place].json(tokenizer) { line = known }
      line["offset"] = [.integer(range.lowerBound), .integer(range.upperBound)]
      try output.line(.object(line))
    }
    try output.flush()
  }
}

/// The window rule that a flag asks for.
func windowRule(_ window: Int?, of evaluator: Evaluator) throws -> WindowRule {
  guard let window else { return evaluator.windowRule }
  let least = max(2, evaluator.front.count + 1), most = evaluator.windowRule.length
  guard (least...most).contains(window) else {
    throw ValidationError("--window must be \(least) to \(most), the model's context")
  }
  return WindowRule(length: window, front: evaluator.front)
}
