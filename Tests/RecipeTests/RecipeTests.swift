import HoldfastBasics
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
    #expect(recipe.data.map(\.path) == ["d.jsonl"] && recipe.data[0].format == .auto && recipe.data[0].badRows == .refuse)
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
        "data[0].path: is required: a text",
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
