import HoldfastBasics
import HoldfastDatasets
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A run along its checkpoints: what `trajectory` says of them, `evaluate` and `score` say of the models they are.
@Suite(.serialized) struct TrajectoryTests {
  private func shop() throws -> Workshop {
    let shop = try Workshop(examples: 40)
    try shop.write(LittleWorld().jsonl(.clinic, .test, count: 40), to: "unseen.jsonl")
    try shop.write(LittleWorld().jsonl(.facts, .test, count: 4), to: "facts.jsonl")
    return shop
  }

  private func recipe(_ shop: Workshop, _ name: String, _ more: String) throws -> String {
    try shop.recipe(
      name, "model: \(Workshop.trained)\ninitialize: pretrained\ndata: [{path: \(shop.path)/clinic.jsonl, format: prompt_completion}]\nschedule: constant\nbatch: 4\nsteps: 18\n" + more)
  }

  private func trajectory(_ shop: Workshop, _ name: String, _ more: String...) throws -> JSON {
    let outcome = Process(
      ["trajectory", "\(shop.path)/\(name)", "--train", "\(shop.path)/clinic.jsonl", "--unseen", "\(shop.path)/unseen.jsonl", "--others", "\(shop.path)/facts.jsonl", "--threads", "1", "--json"] + more, in: shop.path
    ).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try #require(try outcome.lines().first)
  }

  /// Exact match of a model on the files, as `evaluate` has it.
  private func evaluated(_ shop: Workshop, _ model: String...) throws -> [Double] {
    let outcome = Process(["evaluate", "--answers", "\(shop.path)/clinic.jsonl", "\(shop.path)/unseen.jsonl", "\(shop.path)/facts.jsonl", "--threads", "1", "--json"] + model, in: shop.path).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try outcome.lines().compactMap { $0["value"]?.double }
  }

  /// Geometric mean perplexity of the answers of a file, from the tokens that `score` prints.
  private func perplexity(_ shop: Workshop, _ model: String, _ file: String) throws -> Double {
    let rows = try String(decoding: shop.bytes(file), as: UTF8.self).split(separator: "\n").map { try JSON(text: String($0)) }
    let logs = try rows.map { row in
      let prompt = try #require(row["prompt"]?.string), completion = try #require(row["completion"]?.string)
      let tokens = try shop.holdfast("score", "--model", model, "--threads", "1", reading: prompt + completion).lines()
      // The answer begins where the prompt ends, or with the space in front of it.
      let answer = try tokens.filter { try #require($0["offset"]?[1]?.int) > prompt.unicodeScalars.count }.compactMap { $0["logprob"]?.double }
      return -answer.reduce(0, +) / Double(answer.count)
    }
    return exp(logs.reduce(0, +) / Double(logs.count))
  }

  @Test func everyCheckpointIsTheModelItWas() throws {
    let shop = try shop()
    try #require(shop.holdfast("tune", try recipe(shop, "run", "checkpoint: {every: 6, keep: 10}")).status == 0)
    let found = try trajectory(shop, "run", "--threshold", "1.2", "3")
    #expect(found["steps"] == [0, 6, 12, 18])
    let files = try #require(found["files"]?.array), accuracies = files.map { $0["accuracy"]?.array?.compactMap(\.double) ?? [] }
    #expect(files.map { $0["name"]?.string } == ["clinic", "unseen", "facts"] && files.map { $0["items"]?.int } == [40, 40, 4])
    // It learns, and a run that ends at a checkpoint is the model that the checkpoint holds.
    #expect(accuracies[0][3] > accuracies[0][0], "\(accuracies)")
    try #require(shop.holdfast("tune", try recipe(shop, "short", "checkpoint: {every: 100, keep: 1}"), "--steps", "12").status == 0)
    for (place, model) in [(0, Workshop.trained), (2, shop.path + "/short/final"), (3, shop.path + "/run/final")] {
      #expect(try evaluated(shop, "--model", model) == accuracies.map { $0[place] }, "\(model)")
    }
    for (place, model) in [(0, Workshop.trained), (3, shop.path + "/run/final")] {
      let ours = try #require(files[2]["perplexity"]?[place]?.double), theirs = try perplexity(shop, model, "facts.jsonl")
      #expect(abs(ours - theirs) < 1e-4 * theirs, "\(ours) and \(theirs)")
    }
    // More is known by heart at a higher threshold, and never more was right before than is right at the end.
    let readings = try #require(found["memorization"]?.array), known = readings.map { $0["memorized"]?.array?.compactMap(\.double) ?? [] }
    #expect(readings.map { $0["threshold"]?.double } == [1.2, 3] && zip(known[0], known[1]).allSatisfy { $0 <= $1 } && known[1].last! > known[1][0], "\(known)")
    for reading in readings { #expect(try #require(reading["pre_memorization"]?.double) <= accuracies[0][3]) }

    let page = shop.path + "/page.html"
    let table = shop.holdfast("trajectory", shop.path + "/run", "--train", shop.path + "/clinic.jsonl", "--limit", "5", "--html", page)
    #expect(table.status == 0 && table.lacks("percent of items ± standard error", "18", "known by heart", "≤ 1.1", "right before", "--unseen") == [] && !table.errors.contains("note"), "\(table.output)\(table.errors)")
    let html = try MappedFile(path: page).text()
    for words in ["What each checkpoint could do", "clinic: known by heart", "<svg"] { #expect(html.contains(words), "\(words)") }
  }

  @Test(arguments: ["lora: {rank: 4}", "dora: {rank: 2}"]) func adaptersToo(adapter: String) throws {
    let shop = try shop()
    let lines = "checkpoint: {every: 9, keep: 10}\nadapter: {\(adapter)}\nlearning_rate: 1e-2\nprecision: bf16"
    let run = shop.holdfast("tune", try recipe(shop, "run", lines))
    try #require(run.status == 0, "\(run.errors)")
    let found = try trajectory(shop, "run"), files = try #require(found["files"]?.array)
    #expect(found["steps"] == [0, 9, 18])
    let perplexities = files[0]["perplexity"]?.array?.compactMap(\.double) ?? []
    #expect(perplexities[2] < perplexities[0] * 0.9, "\(perplexities)")
    #expect(try evaluated(shop, "--model", Workshop.trained, "--adapter", shop.path + "/run/final") == files.map { $0["accuracy"]?[2]?.double })
    #expect(try evaluated(shop, "--model", Workshop.trained) == files.map { $0["accuracy"]?[0]?.double })
  }

  /// A run whose result is its best step is read up to that step.
  @Test func theBestStepIsTheEnd() throws {
    let shop = try shop()
    let run = shop.holdfast("tune", try recipe(shop, "run", "checkpoint: {every: 3, keep: 10}\nevaluate: {data: \(shop.path)/text.jsonl, every: 3, rows: 8}\nearly_stopping: {patience: 2}"))
    try #require(run.status == 0, "\(run.errors)")
    let outcome = Process(["trajectory", "\(shop.path)/run", "--train", "\(shop.path)/clinic.jsonl", "--threads", "1", "--json"], in: shop.path).wait()
    let found = try #require(try outcome.lines().first), steps = found["steps"]?.array?.compactMap(\.int) ?? []
    #expect(outcome.lacks("the run's result is its best step, \(steps.last ?? 0)") == [] && steps.last! < 18, "\(outcome.errors)")
    #expect(try evaluated(shop, "--model", shop.path + "/run/final").first == found["files"]?[0]?["accuracy"]?.array?.last?.double)
  }

  @Test func whatIsNotTheRunsIsRefused() throws {
    let shop = try shop(), items = shop.path + "/clinic.jsonl"
    let model = try shop.copy(Workshop.trained, as: "mine")
    let lines = "model: \(model)\ninitialize: pretrained\ndata: [{path: \(items), format: prompt_completion}]\nschedule: constant\nbatch: 4\nsteps: 8\ncheckpoint: {every: 2, keep: 2}"
    try #require(shop.holdfast("tune", try shop.recipe("run", lines)).status == 0)
    func follow(_ more: String...) -> Outcome { Process(["trajectory", shop.path + "/run", "--train", items, "--limit", "2"] + more, in: shop.path).wait() }
    let pruned = follow()
    #expect(pruned.status == 0 && pruned.lacks("2 checkpoints (steps 2, 4) were not kept") == [], "\(pruned.errors)")
    // Elsewhere it is the same model; other weights are another.
    let whole = try shop.copy(model, as: "whole")
    var bytes = try shop.bytes("mine/model.safetensors")
    bytes[bytes.count - 1] ^= 1
    try Files.remove(model + "/model.safetensors")
    try bytes.withUnsafeBytes { try FileWriter(path: model + "/model.safetensors").write($0) }
    let other = follow()
    #expect(other.status == 1 && other.lacks("mine/model.safetensors is not what the run began with") == [], "\(other.errors)")
    try Files.remove(model)
    let gone = follow()
    #expect(gone.status == 1 && gone.lacks("--model says where it lies") == [], "\(gone.errors)")
    let moved = follow("--model", whole)
    #expect(moved.status == 0 && moved.output == pruned.output, "\(moved.errors)")
  }

  @Test func whatCannotBeFollowedIsSaid() throws {
    let shop = try shop(), items = shop.path + "/clinic.jsonl"
    #expect(shop.holdfast("trajectory", shop.path + "/nobody", "--train", items).lacks("nobody/manifest.json") == [])
    let low = shop.holdfast("trajectory", shop.path + "/nobody", "--train", items, "--threshold", "0.5")
    #expect(low.status == 64 && low.lacks("a perplexity is 1 or more") == [], "\(low.errors)")
    for (page, words) in [(shop.path, "is a folder"), (shop.path + "/none/page.html", "there is no folder")] {
      let nowhere = shop.holdfast("trajectory", shop.path + "/nobody", "--train", items, "--html", page)
      #expect(nowhere.status == 64 && nowhere.lacks(words) == [] && !Files.exists(shop.path + ".partial"), "\(nowhere.errors)")
    }
    let bad = try shop.write("{\"prompt\": \"a\"}\n", to: "bad.jsonl")
    let rows = shop.holdfast("trajectory", shop.path + "/nobody", "--train", items, "--others", bad)
    #expect(rows.status == 1 && rows.lacks("bad.jsonl", "line 1") == [], "\(rows.errors)")
    try #require(shop.holdfast("tune", try recipe(shop, "run", "checkpoint: {every: 100, keep: 1}"), "--steps", "2").status == 0)
    // What no model could be asked, of all files at once.
    let long = String(repeating: "what is ", count: 400)
    let odd = try shop.write(
      #"{"prompt": "a", "completion": ""}"# + "\n" + #"{"prompt": "a", "completion": " b\nc"}"# + "\n" + #"{"prompt": "\#(long)", "completion": " b"}"# + "\n", to: "odd.jsonl")
    let asked = shop.holdfast("trajectory", shop.path + "/run", "--train", items, "--unseen", odd, "--limit", "3")
    #expect(asked.status == 1 && asked.lacks("odd.jsonl: item 1: its answer is empty", "item 2: its answer has several lines", "item 3: it has") == [], "\(asked.errors)")
    let several = shop.holdfast("trajectory", shop.path, "--train", items), part = shop.holdfast("trajectory", shop.path + "/run/final", "--train", items)
    #expect(several.lacks("it holds several runs", "\(shop.path)/run") == [] && part.lacks("name the run: \(shop.path)/run") == [], "\(several.errors)\(part.errors)")
    // More tokens than a context are not asked for.
    let far = shop.holdfast("trajectory", shop.path + "/run", "--train", items, "--limit", "2", "--max-tokens", "\(Int.max)")
    #expect(far.status == 0, "\(far.errors)")
    // A damaged checkpoint is no model.
    let state = shop.path + "/run/checkpoints/step-000002/state.safetensors"
    var bytes = try shop.bytes("run/checkpoints/step-000002/state.safetensors")
    bytes[bytes.count / 2] ^= 1
    try Files.remove(state)
    try bytes.withUnsafeBytes { try FileWriter(path: state).write($0) }
    let damaged = shop.holdfast("trajectory", shop.path + "/run", "--train", items, "--limit", "2")
    #expect(damaged.status == 1 && damaged.lacks("step-000002") == [], "\(damaged.errors)")
    try Files.remove(shop.path + "/run/checkpoints")
    let none = shop.holdfast("trajectory", shop.path + "/run", "--train", items)
    #expect(none.status == 1 && none.lacks("no checkpoint is there", "checkpoint: {every: N, keep: M}") == [], "\(none.errors)")
  }
}
