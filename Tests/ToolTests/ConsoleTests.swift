import HoldfastBasics
import HoldfastRecords
import Testing

/// What `tune` and its kin print, and where: results on standard output, everything else on standard error.
@Suite(.serialized) struct ConsoleTests {
  @Test func tuneSaysWhatItDoes() throws {
    let shop = try Workshop(examples: 50)
    let lines = "steps: 12\nbatch: 2\nreport_every: 5\nmethod: half\nevaluate: {data: \(shop.path)/text.jsonl, every: 6, rows: 2}"
    let outcome = shop.holdfast("tune", try shop.recipe("run", lines))
    try #require(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output == shop.path + "/run/final\n")
    let said = outcome.errors.split(separator: "\n").map(String.init)
    #expect(said[0].hasPrefix("half: ") && said[0].hasSuffix(" %), f32 on cpu, threads: 1"), "\(said[0])")
    #expect(said[1].hasPrefix("\(shop.path)/clinic.jsonl: 50 examples, ") && said[1].hasSuffix(" learned"), "\(said[1])")
    #expect(said[2] == "12 steps")
    // The first step, every fifth and the last, each with loss and rate; time left on all but the last.
    let progress = said.filter { $0.hasPrefix("step ") }
    #expect(progress.map { $0.prefix { $0 != "/" } } == ["step  1", "step  5", "step 10", "step 12"], "\(progress)")
    #expect(progress.allSatisfy { $0.contains("  loss ") && $0.contains(" tok/s") && $0.count <= 100 })
    #expect(progress.map { $0.hasSuffix(" left") } == [true, true, true, false], "\(progress)")
    let metrics = try RunFolder(shop.path + "/run").readMetrics()
    #expect(progress[3].contains("loss \(fixed(metrics.steps[11].loss))"), "\(progress[3]) \(metrics.steps[11].loss)")
    #expect(said.count { $0.hasPrefix("  held-out loss ") } == 2 && said.contains { $0.hasSuffix(", the lowest so far") })
    #expect(said.contains("  saved \(shop.path)/run/checkpoints/step-000012"))
    #expect(said.contains("exported \(shop.path)/run/final: the weights after step 12"))
    #expect(said.contains { $0.hasPrefix("  read back: its logits differ by at most 0 ") }, "\(outcome.errors)")
    #expect(said.last == "the run's page: \(shop.path)/run/report.html")
    #expect(!outcome.errors.contains("\u{1B}"))
    // What the console counted is in the manifest too.
    let facts = try Manifest(file: shop.path + "/run/manifest.json").facts["data"]?[0]
    #expect(facts?["examples"] == 50 && facts?["truncated"] == 0 && (facts?["trained_tokens"]?.int ?? 0) > 100)
  }

  /// Four decimals, as a progress line has them.
  private func fixed(_ loss: Double) -> String {
    let scaled = String(Int((loss * 10_000).rounded()))
    let digits = String(repeating: "0", count: max(0, 5 - scaled.count)) + scaled
    return digits.dropLast(4) + "." + digits.suffix(4)
  }

  @Test func dryRunDoesOneStepOfEverything() throws {
    let shop = try Workshop(examples: 50)
    let recipe = try shop.recipe("run", "steps: 500\nbatch: 2\nevaluate: {data: \(shop.path)/text.jsonl, rows: 2}")
    let outcome = shop.holdfast("tune", recipe, "--dry-run")
    #expect(outcome.status == 0 && outcome.output.contains("nothing was left behind"), "\(outcome.errors)")
    #expect(outcome.lacks("step   1/500", "held-out loss", "saved ", "exported ", "read back") == [], "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/run") && !Files.exists(shop.path + "/run.dry-run"))
  }

  @Test func flagsWinOverTheRecipe() throws {
    let shop = try Workshop(examples: 50)
    let recipe = try shop.recipe("run", "steps: 3\nbatch: 2")
    let outcome = shop.holdfast("tune", recipe, "--steps", "2", "--batch.rows=1", "--learning-rate", "1e-4", "--output", shop.path + "/other")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let kept = try Manifest(file: shop.path + "/other/manifest.json").recipe
    #expect(kept["steps"] == 2 && kept["batch"]?["rows"] == 1 && kept["learning_rate"]?.double == 1e-4)
    let wrong = shop.holdfast("tune", recipe, "--learning-rat", "1e-4", "stray", "--seed")
    #expect(wrong.status == 64 && wrong.lacks("\"stray\" is not expected", "--seed lacks a value") == [], "\(wrong.errors)")
    let unknown = shop.holdfast("tune", recipe, "--learning-rat", "1e-4")
    #expect(unknown.status == 64 && unknown.lacks("learning_rat", "did you mean learning_rate?") == [], "\(unknown.errors)")
  }
}
