import Foundation
import HoldfastBasics
import Testing

@Suite("Suites on the command line") struct SuiteTests {
  private static let yaml = """
    tasks:
      - {world: clinic, format: world, limit: 20, max_tokens: 24, role: domain}
      - {world: facts, format: world, limit: 20, max_tokens: 24}
      - {name: pick, kind: choice, world: stories, limit: 20}
      - {name: text, kind: nll, file: text.jsonl, limit: 20, weight: 0}
    """

  @Test func aSuiteIsAskedOnceAndKept() throws {
    let shop = try Workshop(examples: 30)
    let suite = try shop.write(Self.yaml, to: "mine.yaml"), cache = shop.path + "/cache"
    func evaluate(_ more: String...) -> Outcome {
      Process(["evaluate", "--model", Workshop.trained, "--suite", suite, "--cache", cache, "--threads", "1"] + more, in: shop.path).wait()
    }
    let first = evaluate("--json", "--output", shop.path + "/all.json")
    try #require(first.status == 0, "\(first.errors)")
    let tasks = try first.lines()
    #expect(tasks.map { $0["name"]?.string } == ["clinic", "facts", "pick", "text"])
    #expect(tasks.map { $0["count"]?.int }.prefix(3) == [20, 20, 20])
    // The shipped model knows the stories and has never seen the clinic.
    #expect(tasks[2]["value"]!.double! > 0.7 && tasks[0]["value"]!.double! < 0.3, "\(first.output)")
    #expect(tasks[2]["interval"]?[0]?.double ?? 2 < tasks[2]["value"]!.double!)
    #expect(tasks.allSatisfy { $0["per_item"] == nil })
    let whole = try JSON(text: String(decoding: shop.bytes("all.json"), as: UTF8.self))
    #expect(whole["tasks"]?[0]?["per_item"]?.array?.count == 20 && whole["tasks"]?[0]?["samples"]?.array?.count == 3)

    let again = evaluate()
    try #require(again.status == 0, "\(again.errors)")
    #expect(again.lacks("task", "score ± s.e.", "95 % interval", "chance", "clinic", "mean, general", "kept", "text: nats_per_label") == [], "\(again.output)")
    #expect(again.output.components(separatedBy: "kept").count == 5)
    let before = try Files.list(cache)
    try #require(before.count == 1)
    #expect(try Files.list(cache + "/" + before[0]).count == 4)
  }

  @Test func whatIsWrongWithASuiteIsSaidAtOnce() throws {
    let shop = try Workshop(examples: 30)
    let suite = try shop.write(
      """
      tasks:
        - {kind: nll, file: nowhere.txt}
        - {world: clinic, kind: generate, metric: exakt}
        - {name: empty, kind: choice, file: empty.jsonl}
      """, to: "broken.yaml")
    try shop.write("", to: "empty.jsonl")
    let outcome = shop.holdfast("evaluate", "--model", "/nowhere", "--suite", suite)
    #expect(outcome.status == 64)
    #expect(
      outcome.lacks(
        "broken.yaml: 3 problems", "nowhere.txt: No such file or directory", "did you mean exact?", "empty.jsonl holds no items") == [], "\(outcome.errors)")

    // Items that were trained on: here the very rows of the training file.
    let own = try shop.write("tasks: [{kind: reference, file: clinic.jsonl}]", to: "own.yaml")
    let refused = shop.holdfast("evaluate", "--model", "/nowhere", "--suite", own, "--trained-on", shop.path + "/clinic.jsonl")
    #expect(refused.status == 64)
    #expect(refused.errors.contains("clinic: 30 of 30 items stand in the training data (30 whole"), "\(refused.errors)")
    // Items of the little world's test split are none of its training rows.
    let other = try shop.write("tasks: [{kind: reference, world: clinic, limit: 50}]", to: "other.yaml")
    #expect(shop.holdfast("evaluate", "--model", Workshop.trained, "--suite", other, "--no-cache", "--trained-on", shop.path + "/clinic.jsonl").status == 0)
    #expect(shop.holdfast("evaluate", "--model", Workshop.trained, "--suite", other, "--text", own).status == 64)
  }
}
