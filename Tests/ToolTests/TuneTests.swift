import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastRecords
import Testing

@Suite(.serialized) struct TuneTests {
  private func tensors(_ folder: String) throws -> [String: [UInt8]] {
    let files = try WeightFiles(folder: folder)
    return withExtendedLifetime(files) { Dictionary(uniqueKeysWithValues: files.names.map { ($0, Array(files.bytes($0))) }) }
  }

  @Test(arguments: ["f32", "bf16"])
  func halfLeavesFrozenBitsAlone(precision: String) throws {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 5\nobjective: pretraining")).status == 0)
    let outcome = shop.holdfast(
      "tune",
      try shop.recipe("tuned", "method: half\nprecision: \(precision)\nsteps: 8\noptimizer: {weight_decay: 0.5, max_norm: 0.5}"), "--model",
      shop.path + "/base/final", "--initialize", "pretrained")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let plan = try Manifest(file: shop.path + "/tuned/manifest.json").facts["half"]!
    let updated = Set(plan["updated"]!.array!.compactMap(\.string))
    let before = try tensors(shop.path + "/base/final"), after = try tensors(shop.path + "/tuned/final")
    var frozen = 0, moved = 0
    for (name, bytes) in before {
      let unit = String(name[..<name.lastIndex(of: ".")!])
      if name.contains(".layers."), !updated.contains(unit) {
        #expect(after[name] == bytes, "\(name) was frozen and moved")
        frozen += 1
      } else {
        #expect(after[name] != bytes, "\(name) was to train and did not move")
        moved += 1
      }
    }
    // Three layers of 4 + 3 + 2 units: 2 of 4, twice 2 and once 1 of 3 (or the reverse), 1 of 2; embedding and final norm train.
    #expect(moved + frozen == 29 && moved == 2 + 6 + 5 + 3, "\(moved) moved, \(frozen) frozen")
    // No optimizer state for what is frozen.
    let state = try SafetensorsFile(path: shop.path + "/tuned/checkpoints/step-000008/state.safetensors")
    #expect(state.names.count == 3 * moved)
  }

  @Test func halfOfEverythingIsFullToTheBit() throws {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("full", "steps: 6\nmethod: full")).status == 0)
    try #require(shop.holdfast("tune", try shop.recipe("half", "steps: 6\nmethod: {half: {ratio: 1.0}}")).status == 0)
    #expect(try shop.bytes("full/final/model.safetensors") == shop.bytes("half/final/model.safetensors"))
    #expect(try shop.bytes("full/metrics.jsonl") == shop.bytes("half/metrics.jsonl"))
  }

  /// Under masks of updates too, which act once a step and not once a microbatch, and the half that is drawn is the same.
  @Test(arguments: ["full", "[half, {ssu: {score: random}}]"]) func accumulationAndRecomputationChangeNothingButRounding(method: String) throws {
    let shop = try Workshop()
    var drawn: Set<JSON?> = []
    func losses(_ name: String, _ lines: String) throws -> [Double] {
      let outcome = shop.holdfast("tune", try shop.recipe(name, "steps: 6\nprecision: f64\nmethod: \(method)\n" + lines))
      try #require(outcome.status == 0, "\(outcome.errors)")
      drawn.insert(try Manifest(file: shop.path + "/\(name)/manifest.json").facts["half"]?["updated"])
      return try RunFolder(shop.path + "/" + name).readMetrics().steps.map(\.loss)
    }
    let together = try losses("together", "batch: {rows: 4}")
    for (name, lines) in [("apart", "batch: {rows: 1, accumulate: 4}"), ("again", "batch: {rows: 4}\nrecompute: block")] {
      for (a, b) in zip(together, try losses(name, lines)) { #expect(abs(a - b) < 1e-9, "\(name): \(a) and \(b)") }
    }
    #expect(drawn.count == 1 && (method == "full") == (drawn.first! == nil))
  }

  @Test func aLossThatIsNoNumberStopsBeforeWeightsMove() throws {
    let shop = try Workshop()
    let outcome = shop.holdfast("tune", try shop.recipe("run", "steps: 30\nschedule: constant\noptimizer: {max_norm: 0}"), "--learning-rate", "1e30")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("no weight was moved") && outcome.errors.contains("clinic.jsonl:"), "\(outcome.errors)")
  }

  @Test func everythingWrongIsSaidAtOnceBeforeAnythingRuns() throws {
    let shop = try Workshop()
    let file = try shop.recipe("run", "steps: 5\nlearning_rat: 3\nbatch: {row: 3}\nmethod: {half: {ratio: 2, stratgy: layer}}")
    let outcome = shop.holdfast("tune", file)
    #expect(outcome.status == 64, "\(outcome.status)")
    for word in ["learning_rat", "learning_rate", "rows", "ratio", "strategy"] { #expect(outcome.errors.contains(word), "\(word): \(outcome.errors)") }
    #expect(!Files.exists(shop.path + "/run"))
  }

  @Test func dryRunLeavesNothingAndAnExistingRunStays() throws {
    let shop = try Workshop()
    let file = try shop.recipe("run", "steps: 2\nbatch: 2")
    #expect(shop.holdfast("tune", file, "--dry-run").status == 0)
    #expect(try !Files.list(shop.path).contains { $0.hasPrefix("run.dry") || $0 == "run" })
    try #require(shop.holdfast("tune", file).status == 0)
    let before = try shop.bytes("run/metrics.jsonl")
    let again = shop.holdfast("tune", file)
    #expect(again.status == 1 && again.errors.contains("resume"))
    #expect(try shop.bytes("run/metrics.jsonl") == before)
  }

  @Test func earlyStoppingStops() throws {
    let shop = try Workshop()
    let outcome = shop.holdfast(
      "tune",
      try shop.recipe(
        "run", "steps: 200\nbatch: 2\nschedule: constant\nevaluate: {data: \(shop.path)/text.jsonl, every: 2, rows: 4}\nearly_stopping: {patience: 2, minimum_improvement: 100}"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let metrics = try RunFolder(shop.path + "/run").readMetrics()
    #expect(metrics.steps.count == 6 && metrics.scores.count == 3)
  }

  @Test func blendEndsAtBaseAndTuned() throws {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("a", "steps: 2")).status == 0)
    try #require(shop.holdfast("tune", try shop.recipe("b", "steps: 6")).status == 0)
    let base = shop.path + "/a/final", tuned = shop.path + "/b/final"
    for alpha in ["0", "0.25", "1"] {
      let outcome = shop.holdfast("blend", "--base", base, "--tuned", tuned, "--alpha", alpha, "--output", "\(shop.path)/blend-\(alpha)")
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try tensors(shop.path + "/blend-0") == tensors(base))
    #expect(try tensors(shop.path + "/blend-1") == tensors(tuned))
    let name = "model.layers.1.mlp.up_proj.weight"
    func floats(_ folder: String) throws -> [Float] { try FileWeights(folder: folder).tensor(name).floats() }
    let a = try floats(base), b = try floats(tuned)
    for (i, value) in try floats(shop.path + "/blend-0.25").enumerated() { #expect(abs(value - (0.75 * a[i] + 0.25 * b[i])) < 1e-7) }
  }
}
