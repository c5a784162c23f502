import HoldfastBasics
import HoldfastDatasets
import Testing

/// Commands that measure a model, with the one that comes with Holdfast: what one says of it, the others must bear out.
@Suite(.serialized) struct MeasuringTests {
  private static let text = LittleWorld().pretrainingText(.test, count: 40).joined(separator: " ")

  @Test func evaluateAveragesWhatScorePrints() throws {
    let shop = try Workshop(examples: 1)
    let file = try shop.write(Self.text, to: "news.txt")
    let scored = shop.holdfast("score", "--model", Workshop.trained, "--text", file, "--window", "48", "--threads", "1")
    try #require(scored.status == 0, "\(scored.errors)")
    let tokens = try scored.lines()
    // Windows know nothing of one another: the first token of each has nothing in front of it.
    #expect(tokens.indices.allSatisfy { (tokens[$0]["logprob"] == .null) == ($0 % 48 == 0) })
    let probabilities = tokens.compactMap { $0["logprob"]?.double }
    #expect(probabilities.allSatisfy { $0 <= 0 } && probabilities.contains { $0 < -0.5 })
    // Tokens are the text from its beginning to its end.
    let scalars = Array(Self.text.unicodeScalars)
    #expect(tokens.last?["offset"]?[1] == .integer(scalars.count))
    for token in tokens {
      let first = try #require(token["offset"]?[0]?.int), last = try #require(token["offset"]?[1]?.int)
      let piece = String(String.UnicodeScalarView(scalars[first..<last]))
      #expect(token["token"]?.string?.hasSuffix(piece.filter { $0 != " " }) == true, "\(token.text()) stands at \(piece)")
    }
    // The likeliest token is at least as likely as the one that stands there.
    #expect(tokens.contains { $0["best_id"] != $0["id"] } && tokens.contains { $0["best_id"] == $0["id"] })

    let evaluated = shop.holdfast("evaluate", "--model", Workshop.trained, "--text", file, "--window", "48", "--json", "--threads", "1")
    try #require(evaluated.status == 0, "\(evaluated.errors)")
    let records = try evaluated.lines()
    func record(_ name: String) throws -> JSON { try #require(records.first { $0["score"]?.string == name }, "\(name): \(evaluated.output)") }
    let nats = -probabilities.reduce(0, +) / Double(probabilities.count)
    let mean = try record("news.nats")
    #expect(abs((mean["value"]?.double ?? 0) - nats) < 1e-6 * nats && mean["count"]?.int == probabilities.count)
    // Neighbours are not independent: each window is one observation, weighing as much as it has scored tokens.
    var squares = 0.0, windows = 0.0
    for first in stride(from: 0, to: tokens.count, by: 48) {
      let scores = tokens[first..<min(first + 48, tokens.count)].compactMap { $0["logprob"]?.double }
      let rest = scores.reduce(0) { $0 + $1 + nats }
      squares += rest * rest
      windows += 1
    }
    let deviation = (windows / (windows - 1) * squares).squareRoot() / Double(probabilities.count)
    #expect(abs((mean["standard_error"]?.double ?? 0) - deviation) < 1e-4 * deviation, "\(mean.text()) and \(deviation)")
    // Where tokens are not scored, bits a byte would flatter the model.
    #expect(!records.contains { $0["score"]?.string == "news.bits_per_byte" })
  }

  @Test func generateGoesWhereScorePoints() throws {
    let shop = try Workshop(examples: 1)
    let prompt = LittleWorld().items(.facts, .train, count: 1)[0].prompt
    let outcome = shop.holdfast("generate", "--model", Workshop.trained, "--prompt", prompt, "--max-tokens", "12", "--json", "--threads", "1")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let result = try #require(try outcome.lines().first)
    let ids = result["ids"]?.array?.compactMap(\.int) ?? []
    #expect(result["finish"] == "end" && ids.last == 1 && ids.count < 12, "\(outcome.output)")
    // Greedy: each token is the likeliest behind what stands before it.
    let whole = prompt + (result["text"]?.string ?? "")
    let scored = try shop.holdfast("score", "--model", Workshop.trained, "--threads", "1", reading: whole)
    let tokens = try scored.lines()
    let front = result["prompt_ids"]?.array?.count ?? 0
    #expect(tokens.count == front + ids.count - 1)
    #expect(tokens[front...].map { $0["best_id"]?.int } == ids.dropLast().map { $0 }, "\(scored.output)")

    // As text it is the same, and ends with its line.
    let plain = shop.holdfast("generate", "--model", Workshop.trained, "--prompt", prompt, "--max-tokens", "12")
    #expect(plain.output == (result["text"]?.string ?? "") + "\n")
    let short = shop.holdfast("generate", "--model", Workshop.trained, "--prompt", prompt, "--max-tokens", "1", "--json")
    #expect(try short.lines()[0]["ids"] == .array([.integer(ids[0])]) && short.lines()[0]["finish"] == "max_tokens")
    // A seed gives its draws again, another one others.
    func drawn(_ seed: String) -> String {
      shop.holdfast(
        "generate", "--model", Workshop.trained, "--prompt", "what", "--temperature", "1.5", "--max-tokens", "24", "--seed", seed, "--threads", "1"
      ).output
    }
    #expect(drawn("3") == drawn("3"))
    #expect(Set(["3", "4", "5", "6"].map(drawn)).count > 2)
  }

  @Test func evaluateAsksQuestions() throws {
    let shop = try Workshop(examples: 1)
    let world = LittleWorld()
    let stories = world.items(.stories, .test, count: 30)
    let prompt = stories[0].prompt
    let answer = shop.holdfast("generate", "--model", Workshop.trained, "--prompt", prompt, "--max-tokens", "12").output.filter { $0 != "\n" }
    let rows: [JSON] = [
      ["prompt": .string(prompt), "answer": .string(String(answer.drop { $0 == " " }))], ["prompt": .string(prompt), "answer": "nobody"],
    ]
    let asked = try shop.write(rows.map { $0.text() }.joined(separator: "\n"), to: "asked.jsonl")
    let choices = try shop.write(stories.map { $0.evaluationRow.text() }.joined(separator: "\n"), to: "stories.jsonl")
    let outcome = shop.holdfast("evaluate", "--model", Workshop.trained, "--answers", asked, "--choices", choices, "--json")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let records = try outcome.lines()
    func value(_ name: String) -> Double? { records.first { $0["score"]?.string == name }?["value"]?.double }
    #expect(value("asked.exact_match") == 0.5, "\(outcome.output)")
    // Guessing gets at most half of the stories; the model has learnt them.
    #expect((value("stories.accuracy") ?? 0) > 0.5, "\(outcome.output)")

    // The table for people, of the first rows alone.
    let table = shop.holdfast("evaluate", "--model", Workshop.trained, "--choices", choices, "--limit", "7")
    #expect(table.lacks("score", "value ± standard error", "stories.accuracy", "share of items", " 7 ") == [], "\(table.output)")
    #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
  }

  @Test func badQuestionsAreNamedBeforeTheModelIsRead() throws {
    let shop = try Workshop(examples: 1)
    let file = try shop.write(
      #"{"prompt": "a", "choices": ["x", "y"], "answer": 0}"# + "\n" + #"{"prompt": "a", "choices": ["x", "y"], "answer": "z"}"# + "\n{", to: "q.jsonl")
    let outcome = shop.holdfast("evaluate", "--model", "/nowhere", "--choices", file)
    #expect(outcome.status == 1 && outcome.lacks("q.jsonl", "line 2", #"`answer` "z" is none of its 2 choices"#, "line 3") == [], "\(outcome.errors)")
    #expect(shop.holdfast("evaluate", "--model", Workshop.trained).status == 64)
    #expect(shop.holdfast("generate", "--model", Workshop.trained, "--prompt", "a", "--top-p", "0").status == 64)
  }

  @Test func tokenizeWritesALineForEachRow() throws {
    let shop = try Workshop(examples: 1)
    let folder = packageRoot + "/Tests/Fixtures/tokenizers/bytes"
    let file = try MappedFile(path: folder + "/rows.jsonl")
    let rows = try file.text().split(separator: "\n").map { try JSON(text: String($0)) }
    let input = rows.map { JSON.object(JSONObject([("text", $0["text"]!)])).text() + "\n" }.joined()
    let outcome = try shop.holdfast("tokenize", "--model", folder, "--json", reading: input)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let lines = try outcome.lines()
    try #require(lines.count == rows.count)
    for (row, line) in zip(rows, lines) {
      #expect(line["ids"] == row["ids"])
      #expect(line["offsets"]?.array?.flatMap { $0.array ?? [] } == row["offsets"]?.array)
      #expect(line["text"]?.string?.unicodeScalars.elementsEqual((row["decoded"] ?? row["text"])?.string?.unicodeScalars ?? "".unicodeScalars) == true)
    }
    // Without --json only ids. A bad row keeps its place.
    let mixed = try shop.holdfast("tokenize", "--model", folder, reading: #"{"text": "a"}"# + "\n[1]\n" + #"{"text": "a"}"#)
    #expect(mixed.status == 1 && mixed.errors.contains("line 2:"))
    let printed = mixed.output.split(separator: "\n")
    #expect(printed.count == 3 && printed[0] == "64" && printed[1].hasPrefix(#"{"line": 2, "error""#) && printed[2] == "64", "\(mixed.output)")
  }
}
