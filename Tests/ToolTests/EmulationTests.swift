import HoldfastBasics
import Testing

/// generate, chat and score with a base, experts and an anti-expert.
@Suite(.serialized) struct EmulationTests {
  private let base = Workshop.trained
  private let prompt = "what is the"

  /// The model that comes with Holdfast after a few steps, and an adapter on it.
  private func tuned(_ shop: Workshop) throws -> (full: String, adapter: String) {
    let start = "model: \(base)\ninitialize: pretrained\nsteps: 3\nbatch: 2\ncheckpoint: {every: 100, keep: 1}"
    try #require(shop.holdfast("tune", try shop.recipe("full", start)).status == 0)
    let adapter = shop.holdfast("tune", try shop.recipe("adapter", start + "\nadapter: {lora: {rank: 4}}"))
    try #require(adapter.status == 0, "\(adapter.errors)")
    return (shop.path + "/full/final", shop.path + "/adapter/final")
  }

  private func json(_ outcome: Outcome) throws -> JSON {
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try #require(try outcome.lines().first)
  }

  @Test func emulationMovesTheBaseAndSpeculationChangesNothing() throws {
    let shop = try Workshop(examples: 40), (full, adapter) = try tuned(shop)
    func generate(_ arguments: String...) throws -> JSON {
      try json(
        Process(
          ["generate", "--model", base, "--prompt", prompt, "--max-tokens", "24", "--logit-bias", "1=-100", "--json", "--threads", "1"]
            + arguments, in: shop.path
        ).wait())
    }
    let plain = try generate(),
      tunedAlone = try json(
        shop.holdfast(
          "generate", "--model", full, "--prompt", prompt, "--max-tokens", "24", "--logit-bias", "1=-100", "--json", "--threads", "1"))
    // Base and anti-expert are one model here: β = 0 gives the base, β = 1 the tuned one.
    #expect(try generate("--expert", full, "--anti-expert", base, "--beta", "0")["ids"] == plain["ids"])
    let emulated = try generate("--expert", full, "--anti-expert", base)
    #expect(emulated["ids"] == tunedAlone["ids"])
    #expect(plain["ids"] != tunedAlone["ids"])
    let first = try #require(emulated["tokens"]?[0])
    #expect(abs(first["log_z"]!.double!) < 1e-4 && abs(first["tv"]!.double!) < 1e-4)
    #expect(abs(first["logprob"]!.double! - first["experts"]![0]!.double!) < 1e-4)

    for precision in ["f32", "bf16"] {
      let drawn = [
        "--expert", adapter, full, "--expert-weight", "0.5", "0.5", "--anti-expert", base, "--temperature", "0.9", "--seed", "3",
        "--precision", precision,
      ]
      func ids(_ more: String...) throws -> JSON? {
        let all =
          ["generate", "--model", base, "--prompt", prompt, "--max-tokens", "24", "--logit-bias", "1=-100", "--json", "--threads", "1"]
          + drawn + more
        return try json(Process(all, in: shop.path).wait())["ids"]
      }
      let ones = try ids()
      #expect(try ids("--speculate", "coupled", "--block", "5") == ones)
      #expect(try ids("--speculate", "coupled", "--draft", full, "--fixed-block") == ones)
    }

    let text = try shop.write("what is the capital", to: "text.txt")
    func value(_ arguments: String...) throws -> Double {
      try #require(try json(Process(["evaluate", "--text", text, "--json"] + arguments, in: shop.path).wait())["value"]?.double)
    }
    let measured = try value("--model", base, "--expert", full, "--anti-expert", base), expected = try value("--model", full)
    #expect(abs(measured - expected) < 1e-3 * expected)
    // A suite, too; with another β it is another model for the cache.
    let suite = try shop.write(
      "tasks: [{kind: generate, world: stories, max_tokens: 8, limit: 8}, {name: pick, kind: choice, world: stories, limit: 12, metric: right_share}]", to: "suite.yaml")
    func suiteValues(_ arguments: String...) throws -> [Double] {
      let outcome = Process(["evaluate", "--suite", suite, "--cache", shop.path + "/cache", "--json"] + arguments, in: shop.path).wait()
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try outcome.lines().map { $0["value"]!.double! }
    }
    let pair = try suiteValues("--model", base, "--expert", full, "--anti-expert", base), alone = try suiteValues("--model", full)
    #expect(pair.count == 2 && pair[0] == alone[0] && abs(pair[1] - alone[1]) < 1e-4)
    #expect(try suiteValues("--model", base, "--expert", full, "--anti-expert", base, "--beta", "3")[1] != pair[1])
    let off = try suiteValues("--model", base, "--expert", full, "--anti-expert", base, "--beta", "0"), plainly = try suiteValues("--model", base)
    #expect(off[0] == plainly[0] && abs(off[1] - plainly[1]) < 1e-4)
    let drift = try shop.write("tasks: [{kind: drift, file: text.txt}]", to: "drift.yaml")
    let refused = shop.holdfast("evaluate", "--model", base, "--suite", drift, "--base", base, "--expert", full, "--anti-expert", base)
    #expect(refused.status == 64 && refused.errors.contains("an ensemble moves no weight"), "\(refused.errors)")

    // A run's manifest tells what its model was tuned from.
    func begun(_ expert: String, from parent: String, _ more: String...) -> Outcome {
      Process(["generate", "--model", base, "--prompt", "a", "--max-tokens", "1", "--expert", expert, "--anti-expert", parent] + more, in: shop.path).wait()
    }
    for expert in [full, adapter] {
      let child = begun(expert, from: base)
      #expect(child.status == 0 && child.errors.isEmpty, "\(child.errors)")
    }
    let stranger = begun(adapter, from: full)
    #expect(stranger.status == 1 && stranger.errors.contains("was tuned from \(base), whose weights are not those of \(full)"), "\(stranger.errors)")
    #expect(begun(adapter, from: full, "--any-expert").status == 0)
    #expect(begun(base, from: base).errors.contains("nothing beside \(base) tells"))

    let scores = try shop.holdfast("score", "--model", base, "--expert", adapter, "--anti-expert", base, "--text", text).lines()
    let whole = try shop.holdfast("score", "--model", base, "--adapter", adapter, "--text", text).lines()
    #expect(scores.count == whole.count && scores.count > 3)
    for (a, b) in zip(scores, whole) {
      #expect(a["id"] == b["id"] && a["offset"] == b["offset"])
      if let x = a["logprob"]?.double, let y = b["logprob"]?.double { #expect(abs(x - y) < 1e-3) }
    }
  }

  @Test func stopTextsAndRefusals() throws {
    let shop = try Workshop(examples: 1)
    let plain = try json(
      shop.holdfast(
        "generate", "--model", base, "--prompt", prompt, "--max-tokens", "20", "--logit-bias", "1=-100", "--json", "--logprobs", "2"))
    let text = try #require(plain["text"]?.string), stop = String(text.dropFirst(3).prefix(2))
    let stopped = try json(
      shop.holdfast(
        "generate", "--model", base, "--prompt", prompt, "--max-tokens", "20", "--logit-bias", "1=-100", "--json", "--stop", stop))
    #expect(stopped["finish"] == "stop" && stopped["text"]?.string == String(text.prefix(upTo: text.firstRange(of: stop)!.lowerBound)))
    // Likelihoods are the model's own: the end token, which the bias forbids, may stand first.
    let likeliest = try #require(plain["tokens"]?[0]?["likeliest"]?.array)
    #expect(likeliest.count == 2 && likeliest.contains { $0["id"] == plain["ids"]?[0] })

    func refused(_ arguments: String...) -> Outcome {
      Process(["generate", "--model", base, "--prompt", "a"] + arguments, in: shop.path).wait()
    }
    for (arguments, words) in [
      (["--expert", base], "--expert needs --anti-expert"), (["--anti-expert", base, "--expert", base, "--beta=-1"], "allow_negative"),
      (["--speculate", "coupled"], "somebody who proposes"), (["--top-k=-1"], "top_k is -1"), (["--logit-bias", "x"], "write id=value"),
      (["--anti-expert", base, "--expert", base, "--expert-weight", "0.5", "0.5"], "2 weights for 1 experts"),
    ] {
      let outcome = Process(["generate", "--model", base, "--prompt", "a"] + arguments, in: shop.path).wait()
      #expect(outcome.status == 64 && outcome.errors.contains(words), "\(arguments): \(outcome.errors)")
    }
    let other = refused("--expert", Workshop.random, "--anti-expert", base)
    #expect(other.status == 1, "\(other.errors)")
    // What changes no score is not passed over where scores are asked for.
    let file = try shop.write("what is the colour of reso?", to: "text.txt")
    for command in [["score", "--text", file], ["evaluate", "--text", file]] {
      for (arguments, words) in [
        (["--draft", base, "--speculate", "coupled"], "change no score"), (["--draft", base], "change no score"), (["--weights", "int8"], "--weights is for decoding"),
      ] {
        let outcome = Process(command + ["--model", base] + arguments, in: shop.path).wait()
        #expect(outcome.status == 64 && outcome.errors.contains(words) && outcome.output.isEmpty, "\(command) \(arguments): \(outcome.errors)")
      }
    }
    // Who proposes must mean the same by an id: two words change places in this one.
    let swapped = try shop.copy(base, as: "swapped"), spelling = "\(swapped)/tokenizer.json"
    let tokenizer = try MappedFile(path: spelling).json()
    var vocabulary = try #require(tokenizer["model"]?["vocab"]?.object)
    let words = vocabulary.keys.suffix(2)
    (vocabulary[words.first!], vocabulary[words.last!]) = (vocabulary[words.last!], vocabulary[words.first!])
    var object = try #require(tokenizer.object), model = try #require(tokenizer["model"]?.object)
    model["vocab"] = .object(vocabulary)
    object["model"] = .object(model)
    try Files.writeAtomically(JSON.object(object).text(), to: spelling)
    let drafted = refused("--draft", swapped, "--speculate", "coupled")
    #expect(drafted.status != 0 && drafted.errors.contains(swapped) && drafted.output.isEmpty, "\(drafted.errors)")
  }

  @Test func chatKeepsTheConversation() throws {
    let shop = try Workshop(examples: 1)
    let outcome = try shop.holdfast("chat", "--model", base, "--max-tokens", "8", reading: "hello\nand then\n")
    #expect(
      outcome.status == 0 && outcome.output.split(separator: "\n", omittingEmptySubsequences: false).count >= 3,
      "\(outcome.output) \(outcome.errors)")
    // The first answer stands alone as it does in a conversation.
    let one = try shop.holdfast("chat", "--model", base, "--max-tokens", "8", reading: "hello\n")
    #expect(outcome.output.hasPrefix(one.output))
  }
}
