import HoldfastBasics
import HoldfastDatasets
import HoldfastMethods
import HoldfastTraining
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct RecipeFileTests {
  /// A recipe file that is gone after the test.
  static func withFile<T>(_ text: String, name: String = "recipe.yaml", _ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.path + "/recipe-\(UUID())"
    try Files.makeFolder(folder)
    defer { try? Files.remove(folder) }
    let writer = try FileWriter(path: folder + "/" + name)
    try writer.write(text)
    return try body(folder + "/" + name)
  }

  static func problems(_ text: String, name: String = "recipe.yaml") throws -> Problems {
    try withFile(text, name: name) { path in
      do {
        _ = try Recipe(file: path)
        return Problems("accepted")
      } catch let error as Problems { return error }
    }
  }

  static let page = """
    # a comment
    model: ./m
    method: [{half: {ratio: 0.5}}]
    data:
      - {path: train.jsonl, format: messages}
      - path: "general.jsonl"
        share: 0.03
    bad_rows: {skip: 1e-2}
    sequence_length: 2048
    batch: {rows: 2, accumulate: 8}
    epochs: 3
    optimizer: {beta2: 0.95, weight_decay: .1, max_norm: 1e3}
    learning_rate: 1e-4
    schedule: {kind: cosine, warmup: 0.03}
    checkpoint: {every: 200, keep: 2}
    output: "2026"
    """

  @Test func readsYAML() throws {
    let recipe = try Self.withFile(Self.page) { try Recipe(file: $0, overrides: [("seed", "9")]) }
    #expect(recipe.data.flatMap(\.paths) == ["train.jsonl", "general.jsonl"])
    #expect(recipe.data[1].share == 0.03 && recipe.badRows == .skip(share: 0.01))
    #expect(recipe.schedule == Schedule(.cosine, peak: 1e-4, warmup: .share(0.03)))
    #expect(recipe.optimizer.weightDecay == 0.1 && recipe.optimizer.maxNorm == 1000)
    #expect(recipe.output == "2026" && recipe.seed == 9)
  }

  @Test func writesBack() throws {
    let recipe = try Self.withFile(Self.page) { try Recipe(file: $0) }
    let yaml = try Self.withFile(recipe.yaml) { try Recipe(file: $0) }
    #expect(yaml.resolved == recipe.resolved)
    let json = try Self.withFile(JSON.object(recipe.resolved).text(.pretty), name: "r.json") { try Recipe(file: $0) }
    #expect(json.resolved == recipe.resolved)
  }

  @Test func namesLines() throws {
    let problems = try Self.problems("model: m\ndata:\n  - path: a\n    fromat: text\nsteps: no\nlearning_rate: -1\n\nbatch:\n  rows: 0\n")
    #expect(
      problems.description == """
        recipe.yaml: 4 problems
          - line 4: data[0].fromat: no such key; did you mean data[0].format?
          - line 5: steps: no is not valid; a whole number at least 1 is
          - line 6: learning_rate: -1 is not valid; a number above 0 is
          - line 9: batch.rows: 0 is not valid; a whole number at least 1 is
        """)
  }

  @Test(arguments: [
    ("", "empty"), ("just words", "key: value"), ("- a\n- b", "key: value"), ("model: m\nmodel: n", "stands twice"),
    ("batch: {rows: 1, rows: 2}", "stands twice"), ("model: !secret m", "tag"), ("model: [", "not valid YAML"),
    ("a: 1\n---\nb: 2", "not valid YAML"), ("? [a]\n: 1", "must be a word"), ("model: *nowhere", "not valid YAML"),
    ("x: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40), "nested"),
    ("x: " + String(repeating: "[", count: 100_000), "not valid YAML"),
    (String(repeating: "- ", count: 100_000) + "a", "not valid YAML"),
    ("model: \(String(repeating: "m", count: 300_000))", "at most"),
    ("model: \"\\xff\u{7}\"", "not valid YAML"),
  ])
  func refuses(_ text: String, _ words: String) throws {
    let problems = try Self.problems(text)
    #expect(problems.description.contains(words), "\(problems)")
  }

  @Test func aliases() throws {
    let recipe = try Self.withFile("model: &m x\noutput: *m\ndata: d\nsteps: 1\nlearning_rate: 1\n") { try Recipe(file: $0) }
    #expect(recipe.output == "x")
    // Ten levels of ten would be ten thousand million elements; as keys they would be hashed as often.
    func bomb(_ open: String, _ close: String) -> String {
      var text = "a0: &a0 [x]\n"
      for level in 1...10 {
        let inside = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
        text += "a\(level): &a\(level) \(open)\(inside)\(close)\n"
      }
      return text
    }
    #expect(try Self.problems(bomb("[", "]")).description.contains("aliases"))
    #expect(try Self.problems(bomb("{[", "]: x}")).description.contains("aliases"))
    // Within the number of aliases, what they write out is counted.
    let wide = "[" + Array(repeating: "x", count: 20_000).joined(separator: ",") + "]"
    let text = "a: &a \(wide)\nb: [*a, *a, *a, *a, *a, *a]\n"
    #expect(try Self.problems(text).description.contains("elements"))
  }

  @Test func damagedRecipesNeverCrash() {
    var generator = CounterGenerator(seed: 1, "recipe damage")
    let bytes = Array(Self.page.utf8)
    var accepted = 0
    for _ in 0..<3000 {
      var damaged = bytes
      for _ in 0...generator.below(4) {
        let at = generator.below(damaged.count)
        switch generator.below(3) {
        case 0: damaged[at] = UInt8(generator.below(128))
        case 1: damaged.remove(at: at)
        default: damaged.insert(contentsOf: damaged[at..<min(damaged.count, at + generator.below(20))], at: at)
        }
      }
      if (try? Recipe(yaml: String(decoding: damaged, as: UTF8.self))) != nil { accepted += 1 }
    }
    #expect((10..<2990).contains(accepted))
  }

  @Test func documentationIsCurrent() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/\(root)/Docs/recipe.md"
    // To bring the page up to date: HOLDFAST_WRITE_DOCS=1 swift test --filter documentationIsCurrent
    let page = Recipe.documentation(methods: tuningMethods.map { $0.keys })
    if ProcessInfo.processInfo.environment["HOLDFAST_WRITE_DOCS"] != nil {
      try Files.writeAtomically(page, to: path)
    }
    #expect(try MappedFile(path: path).text() == page)
  }
}
