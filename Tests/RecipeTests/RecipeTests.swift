import HoldfastBasics
import HoldfastDatasets
import HoldfastTraining
import Testing

struct RecipeTests {
  static let small: JSONObject = JSONObject([
    ("model", "m"), ("data", "d.jsonl"), ("steps", 10), ("learning_rate", 1e-3),
  ])

  static func complaints(_ object: JSONObject, methods: [MethodKeys] = []) -> [String] {
    do {
      _ = try Recipe(object, methods: methods)
      return []
    } catch { return error.complaints }
  }

  static func with(_ members: (String, JSON)...) -> JSONObject {
    var object = small
    for (key, value) in members { object[key] = value }
    return object
  }

  @Test func readsDefaults() throws {
    let recipe = try Recipe(Self.small)
    #expect(recipe.model == "m" && recipe.duration == .steps(10) && recipe.schedule.peak == 1e-3)
    #expect(recipe.methods == [MethodRecipe("full")])
    #expect(recipe.data.flatMap(\.paths) == ["d.jsonl"] && recipe.data[0].format == nil && recipe.badRows == .refuse)
    #expect(recipe.batch.rows == 8 && recipe.batch.accumulate == 1 && recipe.sequenceLength == 1024 && recipe.packing)
    #expect(recipe.optimizer.maxNorm == 1 && recipe.optimizer.beta2 == 0.999 && !recipe.optimizer.decayNorms)
    #expect(recipe.evaluate == nil && recipe.earlyStopping == nil && recipe.threads == nil && recipe.output == nil)
  }

  @Test func allComplaintsAtOnce() {
    let complaints = Self.complaints(
      JSONObject([
        ("model", 7), ("learning_rat", 0.1), ("batch", ["row": 2, "accumulate": 0]), ("precision", "fp32"),
        ("data", [["format": "text"]]), ("epochs", 1), ("steps", 2), ("rows", 3), ("early_stopping", 2),
      ]))
    #expect(
      complaints == [
        "model: 7 is not valid; a text is (put it in quotation marks)",
        "data[0].path: is required: a path, or a list of paths",
        "batch.accumulate: 0 is not valid; a whole number at least 1 is",
        "steps: stands beside epochs; exactly one of the two says how long the run is",
        "learning_rate: is required: a number above 0",
        "precision: fp32 is not valid; one of f32, bf16, f64 is; did you mean f32?",
        "early_stopping: needs `evaluate`: there is no held-out loss to watch",
        "batch.row: no such key; did you mean batch.rows?",
        "learning_rat: no such key; did you mean learning_rate?",
        "rows: no such key; did you mean batch.rows?",
      ])
  }
}

struct WatchKeyTests {
  @Test func watchReadsItsDefaultsAndSaysWhatDoesNotFit() throws {
    let watch = try #require(Recipe(RecipeTests.with(("watch", ["general": "g.jsonl", "domain": ["a.jsonl", "b.jsonl"]]))).watch)
    #expect(watch.general.flatMap(\.paths) == ["g.jsonl"] && watch.domain.flatMap(\.paths) == ["a.jsonl", "b.jsonl"])
    #expect(watch.items == 64 && watch.every == .auto && watch.share == 0.03 && watch.keep == .best && watch.tradeOff == 0.5 && watch.forgettingBudget == nil)
    let fixed = try #require(Recipe(RecipeTests.with(("watch", ["general": "g", "domain": "d", "every": 20]))).watch)
    #expect(fixed.every == .steps(20) && fixed.share == nil)
    #expect(
      RecipeTests.complaints(RecipeTests.with(
        ("watch", ["general": "g", "every": 5, "share": 0.1, "trade_off": 2, "forgetting_budget": 0, "keep": "last", "domane": "d"]), ("evaluate", "u.jsonl"), ("early_stopping", 2))) == [
        "watch.domain: is required: at least one",
        "watch.share: is read only with every: auto",
        "watch.keep: last is not valid; one of best, none is; did you mean best?",
        "watch.trade_off: 2 is not valid; a number between 0 and 1 is",
        "watch.forgetting_budget: 0 is not valid; a number above 0 is",
        "watch.keep: is best, but early_stopping says which weights `final` holds; say keep: none, or take early_stopping out",
        "watch.domane: no such key; did you mean watch.domain?",
      ])
    #expect(RecipeTests.complaints(RecipeTests.with(("watch", ["general": "g", "domain": "d", "every": 0]))) == ["watch.every: 0 is not valid; auto, or a whole number at least 1 is"])
  }
}

/// Every key of the table, changed, changes what was read.
struct EveryKeyTests {
  /// Path → another valid value. `schedule.decay` is tried under its own kind.
  static let others: [String: String] = [
    "dpo.beta": "0.3", "dpo.loss": "ipo", "dpo.label_smoothing": "0.2",
    "adapter.lora.rank": "4", "adapter.lora.alpha": "3", "adapter.lora.scaling": "rank_stabilized", "adapter.lora.dropout": "0.1",
    "adapter.lora.targets": "mlp", "adapter.lora.from": "a", "adapter.lora.over": "[a, b]", "adapter.adalora.over": "a", "adapter.lora.learning_rate_ratio": "16", "adapter.lora.freeze_a": "true",
    "adapter.dora.rank": "4", "adapter.dora.alpha": "3", "adapter.dora.scaling": "rank_stabilized", "adapter.dora.dropout": "0.1",
    "adapter.dora.targets": "[q_proj, v_proj]", "adapter.dora.from": "a", "adapter.dora.learning_rate_ratio": "16",
    "adapter.adalora.rank": "9", "adapter.adalora.alpha": "3", "adapter.adalora.dropout": "0.1", "adapter.adalora.targets": "attention",
    "adapter.adalora.from": "a", "adapter.adalora.learning_rate_ratio": "16", "adapter.adalora.target_rank": "2",
    "adapter.adalora.warmup": "5", "adapter.adalora.final": "5", "adapter.adalora.every": "2", "adapter.adalora.beta1": "0.7",
    "adapter.adalora.beta2": "0.7", "adapter.adalora.orthogonality": "0.1",
    "model": "other", "initialize": "random", "method": "half", "objective": "pretraining",
    "data[].path": "[e.jsonl, f.jsonl]", "data[].name": "old", "data[].fields": "{prompt: question}", "data[].template": "chat",
    "data[].variables": "{day: 1}", "evaluate.data[].variables": "{day: 1}",
    "data[].examples": "50", "data[].tokens": "500", "evaluate.data[].examples": "50", "evaluate.data[].tokens": "500", "data_cache": "off",
    "evaluate.data[].name": "held", "evaluate.data[].fields": "{text: body}", "evaluate.data[].template": "chat",
    "data[].format": "text", "data[].train_on": "all", "data[].turns": "last",
    "data[].share": "0.25",
    "bad_rows": "{skip: 0.01}", "sequence_length": "64", "packing": "false", "too_long": "drop",
    "batch.rows": "3", "batch.accumulate": "4", "epochs": "1.5", "steps": "11", "optimizer.name": "adamw",
    "optimizer.beta1": "0.8", "optimizer.beta2": "0.95", "optimizer.epsilon": "1e-6", "optimizer.weight_decay": "0.1",
    "optimizer.max_norm": "0", "optimizer.decay_norms": "true", "learning_rate": "2e-5", "schedule.kind": "linear",
    "schedule.warmup": "0.03", "schedule.decay": "0.3", "schedule.floor": "0.1", "precision": "bf16",
    "recompute": "block", "seed": "7", "threads": "2", "device": "cuda", "evaluate.data[].path": "v.jsonl",
    "evaluate.data[].format": "messages", "evaluate.data[].train_on": "completion",
    "evaluate.data[].turns": "split", "evaluate.data[].share": "0.5",
    "evaluate.every": "20", "evaluate.rows": "100",
    "early_stopping.patience": "5", "early_stopping.minimum_improvement": "0.01", "checkpoint.every": "50",
    "checkpoint.keep": "3", "artifacts": "a", "report_every": "1", "output": "runs/x",
    "search.speciality[].path": "d2.jsonl", "search.speciality[].name": "domain", "search.speciality[].measure": "likelihood",
    "search.versatility[].path": "g2.jsonl", "search.versatility[].name": "general", "search.versatility[].measure": "choice",
    "watch.general[].path": "g2.jsonl", "watch.general[].name": "old", "watch.general[].fields": "{text: body}", "watch.general[].template": "chat",
    "watch.general[].variables": "{day: 1}", "watch.general[].format": "messages", "watch.general[].train_on": "completion", "watch.general[].turns": "split",
    "watch.general[].share": "0.5", "watch.general[].examples": "50", "watch.general[].tokens": "500",
    "watch.domain[].path": "d3.jsonl", "watch.domain[].name": "new", "watch.domain[].fields": "{text: body}", "watch.domain[].template": "chat",
    "watch.domain[].variables": "{day: 1}", "watch.domain[].format": "messages", "watch.domain[].train_on": "completion", "watch.domain[].turns": "split",
    "watch.domain[].share": "0.5", "watch.domain[].examples": "50", "watch.domain[].tokens": "500",
    "watch.items": "9", "watch.every": "7", "watch.share": "0.1", "watch.keep": "best", "watch.trade_off": "0.7", "watch.forgetting_budget": "0.2",
    "export": "delta", "search.items": "50", "search.answer_tokens": "8", "search.probe_budget": "0.2", "search.dv": "0.5", "search.es": "0.1",
    "search.max_runs": "9", "search.budget": "3", "search.finalists": "2", "search.controls": "1", "search.hold": "[norms]",
  ]

  /// Every property of a recipe, those inside others too, as text.
  static func properties(_ value: Any, _ path: String = "") -> [String: String] {
    let children = Mirror(reflecting: value).children
    if children.isEmpty || value is JSONObject { return [path: "\(value)"] }
    var all: [String: String] = [:]
    for (i, child) in children.enumerated() where !["resolved", "source", "catalog"].contains(child.label) {
      all.merge(properties(child.value, "\(path).\(child.label ?? "\(i)")")) { $1 }
    }
    return all
  }

  static let base: JSONObject = RecipeTests.with(
    ("evaluate", ["data": "u.jsonl"]), ("early_stopping", [:]), ("schedule", ["kind": "warmup_stable_decay"]),
    ("search", ["speciality": "d.jsonl", "versatility": "g.jsonl"]), ("watch", ["general": "g.jsonl", "domain": "d2.jsonl", "keep": "none"]))

  @Test func table() {
    let paths = Recipe.documentation().split(separator: "\n").filter { $0.hasPrefix("| `") }
      .map { String($0.dropFirst(3).prefix { $0 != "`" }) }
    #expect(Set(paths) == Set(Self.others.keys))
    #expect(paths.count == Self.others.count)
  }

  @Test(arguments: others.keys.sorted())
  func changes(_ path: String) throws {
    var base = Self.base
    if path.hasPrefix("dpo.") { base["objective"] = "dpo" }
    if path == "watch.keep" { base["early_stopping"] = nil }
    let before = try Recipe(base)
    let key = path.split(separator: "[]").joined(separator: "[0]")
    let after = try before.applying(overrides: [(key, try #require(Self.others[path]))])
    let changed = Self.properties(before).merging(Self.properties(after)) { $0 == $1 ? "" : "changed" }.values
      .filter { !$0.isEmpty }.count
    if path == "optimizer.name" { return }  // one optimizer so far
    #expect(Self.properties(before) != Self.properties(after))
    #expect(changed > 0)
    #expect(before.resolved != after.resolved)
    // What was written back says the same.
    let again = try Recipe(after.resolved)
    #expect(Self.properties(again) == Self.properties(after))
    #expect(again.resolved == after.resolved)
  }

  @Test func flagsWin() throws {
    let recipe = try Recipe(RecipeTests.with(("schedule", "linear"), ("batch", 4))).applying(overrides: [
      ("learning-rate", "1e-4"), ("batch.accumulate", "2"), ("schedule.warmup", "5"), ("epochs", "2"), ("output", "7"),
      ("data[0].train-on", "all"), ("evaluate.data", "[{path: v.jsonl}, w.jsonl]"), ("method", "{half: {ratio: 0.25}}"),
    ])
    #expect(recipe.schedule == Schedule(.linear, peak: 1e-4, warmup: .steps(5)))
    #expect(recipe.batch.rows == 4 && recipe.batch.accumulate == 2)
    #expect(recipe.duration == .epochs(2) && recipe.resolved["steps"] == nil)
    #expect(recipe.output == "7" && recipe.data[0].trainOn == .all)
    #expect(recipe.evaluate?.data.flatMap(\.paths) == ["v.jsonl", "w.jsonl"])
    #expect(recipe.methods == [MethodRecipe("half", knobs: ["ratio": 0.25])])
    // Later flags win over earlier ones, and stay.
    #expect(try recipe.applying(overrides: [("steps", "3"), ("batch.rows", "1")]).batch.accumulate == 2)
    do {
      _ = try recipe.applying(overrides: [("learning-rat", "1"), ("batch.rows", "many"), ("seed", "[")])
      Issue.record("accepted")
    } catch {
      #expect(error.complaints.count == 1 && error.complaints[0].contains("seed"))
    }
    do {
      _ = try recipe.applying(overrides: [("learning-rat", "1"), ("batch.rows", "many")])
      Issue.record("accepted")
    } catch {
      #expect(
        error.complaints == [
          "batch.rows: many is not valid; a whole number at least 1 is",
          "learning_rat: no such key; did you mean learning_rate?",
        ])
    }
  }
}

struct MethodKeysTests {
  static let half = MethodKeys("half", doc: "Half of the matrices train.") { reader in
    _ = reader.value("ratio", default: 0.5, in: 0...1, unit: "share", doc: "How much trains.")
    _ = reader.value("strategy", default: "category", doc: "How it is drawn.")
  }
  static let full = MethodKeys("full", doc: "Everything trains.") { _ in }

  @Test func knobsAreReadWithTheRecipe() throws {
    let recipe = try Recipe(RecipeTests.with(("method", ["half"])), methods: [Self.full, Self.half])
    #expect(recipe.methods == [MethodRecipe("half", knobs: ["ratio": 0.5, "strategy": "category"])])
    let changed = try recipe.applying(overrides: [("method.half.ratio", "0.25")])
    #expect(changed.methods[0].knobs["ratio"] == 0.25)
    #expect(changed.resolved["method"] == [["half": ["ratio": 0.25, "strategy": "category"]]])
    let stack = try Recipe(RecipeTests.with(("method", ["full", ["half": nil]])), methods: [Self.full, Self.half])
    #expect(stack.methods.map(\.name) == ["full", "half"])
  }

  @Test func complaintsOfMethods() {
    let catalog = [Self.full, Self.half]
    #expect(
      RecipeTests.complaints(RecipeTests.with(("method", ["half": ["ratio": 2, "rato": 1]])), methods: catalog) == [
        "method.half.ratio: 2 is not valid; a number between 0 and 1 is",
        "method.half.rato: no such key; did you mean method.half.ratio?",
      ])
    #expect(
      RecipeTests.complaints(RecipeTests.with(("method", "hlaf")), methods: catalog)
        == ["method: there is no method hlaf; did you mean half?"])
    #expect(
      RecipeTests.complaints(RecipeTests.with(("method", ["half", "half"])), methods: catalog) == ["method: half stands twice"])
    #expect(RecipeTests.complaints(RecipeTests.with(("method", [["a": 1, "b": 2]]))).count == 1)
    #expect(RecipeTests.complaints(RecipeTests.with(("method", [:]))).count == 1)
    #expect(RecipeTests.complaints(RecipeTests.with(("method", []))).count == 1)
  }

  @Test func table() {
    let page = Recipe.documentation(methods: [Self.full, Self.half])
    #expect(page.contains("### `half`\n\nHalf of the matrices train.\n\n| key |"))
    #expect(page.contains("| `ratio` | a number between 0 and 1 | share | `0.5` | How much trains. |"))
  }
}
