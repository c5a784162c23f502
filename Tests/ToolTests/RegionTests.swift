import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastRecords
import Testing

/// CoFiTune, SSU, deltas and plans of halves in whole runs.
@Suite(.serialized) struct RegionTests {
  private func shop() throws -> Workshop {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining")).status == 0)
    return shop
  }

  @discardableResult
  private func tune(_ shop: Workshop, _ name: String, _ lines: String) throws -> Outcome {
    let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/base/final", "--initialize", "pretrained")
    try #require(outcome.status == 0, "\(name): \(outcome.errors)")
    return outcome
  }

  private func tensor(_ folder: String, _ name: String) throws -> [Float] { try FileWeights(folder: folder).tensor(name).floats() }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
  }

  private static let region = "layers: [34%, 67%], modules: [mlp.up, mlp.down]"
  private static let up = "model.layers.1.mlp.up_proj.weight"

  @Test func withoutAMaskItIsTheRegion() throws {
    let shop = try shop()
    try tune(shop, "region", "method: {freezing: {\(Self.region)}}\nsteps: 4")
    try tune(shop, "none", "method: {cofitune: {\(Self.region), apply: none}}\nsteps: 4")
    #expect(try shop.bytes("region/final/model.safetensors") == shop.bytes("none/final/model.safetensors"))
  }

  /// On gradients the mask is next to nothing under AdamW, and the user is told; on updates it is what it says.
  @Test func aMaskOnGradientsIsNearlyNoMask() throws {
    let shop = try shop()
    let start = try tensor(shop.path + "/base/final", Self.up)
    func run(_ name: String, _ knobs: String) throws -> (Outcome, [Float]) {
      let outcome = try tune(
        shop, name, "method: {cofitune: {\(Self.region), importance: {batches: 4, norm: rank}\(knobs)}}\nsteps: 12\nschedule: constant\noptimizer: {weight_decay: 0.1, max_norm: 0}")
      return (outcome, try tensor(shop.path + "/\(name)/final", Self.up))
    }
    let (_, none) = try run("none", ", apply: none"), (told, gradient) = try run("gradient", ", apply: gradient")
    let (quiet, update) = try run("update", "")
    #expect(told.errors.contains("warning: cofitune: apply: gradient has almost no effect") && !quiet.errors.contains("warning"))
    let whole = distance(none, start)
    #expect(distance(gradient, none) < 0.05 * whole, "\(distance(gradient, none)) of \(whole)")
    #expect(distance(update, none) > 0.3 * whole && distance(update, start) < 0.8 * whole, "\(distance(update, none)), \(distance(update, start)) of \(whole)")
    // The same values dealt out to other units move the same rows by other amounts; all four share one pass.
    try tune(
      shop, "dealt", "method: {cofitune: {\(Self.region), importance: {batches: 4, norm: rank, shuffle: true}}}\nsteps: 12\nschedule: constant\noptimizer: {weight_decay: 0.1, max_norm: 0}")
    let dealt = try tensor(shop.path + "/dealt/final", Self.up)
    #expect(dealt != update && abs(distance(dealt, start) / distance(update, start) - 1) < 0.25)
    #expect(try Files.list(shop.path + "/artifacts").filter { $0.hasPrefix("importance-0") && !$0.hasSuffix(".folds") }.count == 1)
  }

  @Test func aDeltaAndItsBaseAreTheModel() throws {
    let shop = try shop()
    let method = "method: {freezing: {\(Self.region)}}\nsteps: 3"
    try tune(shop, "whole", method)
    let outcome = try tune(shop, "delta", method + "\nexport: delta")
    #expect(outcome.errors.contains("differ by at most 0 "), "\(outcome.errors)")
    let file = try SafetensorsFile(path: shop.path + "/delta/final/delta.safetensors")
    #expect(file.names.sorted() == ["model.layers.1.mlp.down_proj.weight", Self.up])
    let base = shop.path + "/base/final"
    func blend(_ base: String, _ name: String) -> Outcome {
      shop.holdfast("blend", "--base", base, "--tuned", shop.path + "/delta/final", "--alpha", "1", "--output", shop.path + "/" + name)
    }
    #expect(blend(base, "joined").status == 0)
    #expect(try shop.bytes("joined/model.safetensors") == shop.bytes("whole/final/model.safetensors"))
    #expect(shop.holdfast("verify", shop.path + "/delta/final", "--base", base).status == 0)
    // Another base: refused with both fingerprints.
    let other = shop.path + "/whole/final", mine = try FileWeights(folder: base).fingerprint(), theirs = try FileWeights(folder: other).fingerprint()
    let refused = blend(other, "never"), verified = shop.holdfast("verify", shop.path + "/delta/final", "--base", other)
    #expect(refused.status == 1 && refused.lacks(mine, theirs) == [] && !Files.exists(shop.path + "/never"), "\(refused.errors)")
    #expect(verified.status == 2 && verified.lacks(mine, theirs) == [], "\(verified.output)")
    // Alone it is no model, and the error says what to do.
    let alone = shop.holdfast("score", "--model", shop.path + "/delta/final", "--text", "a")
    #expect(alone.status != 0 && alone.errors.contains("holdfast blend --base"), "\(alone.errors)")
    let distance = shop.holdfast("distance", "--base", base, "--tuned", shop.path + "/delta/final", other, "--json")
    #expect(try distance.lines().count == 2 && distance.lines()[0]["parts"] == distance.lines()[1]["parts"], "\(distance.output)\(distance.errors)")
    let moved = try distance.lines()[0]["parts"]!.array!.filter { $0["distance"]!.double! > 0 }
    #expect(moved.map { $0["module"] } == ["mlp.up_proj", "mlp.down_proj"] && moved.allSatisfy { $0["layer"] == 1 })
  }

  /// Half of the columns of every linear layer keep their bits, decay or not; the rest moves.
  @Test(arguments: ["score: magnitude", "score: random", "data: TEXT, examples: 20, length: 32"])
  func columnsThatMatterKeepTheirBits(knobs: String) throws {
    let shop = try shop()
    try tune(shop, "ssu", "method: {ssu: {\(knobs.replacing("TEXT", with: shop.path + "/text.jsonl"))}}\nsteps: 4\noptimizer: {weight_decay: 0.5}")
    for module in ["self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"] {
      let name = "model.layers.1.\(module).weight", columns = try FileWeights(folder: shop.path + "/base/final").shape(of: name)![1]
      let before = try tensor(shop.path + "/base/final", name), after = try tensor(shop.path + "/ssu/final", name)
      let kept = (0..<columns).filter { column in stride(from: column, to: before.count, by: columns).allSatisfy { before[$0] == after[$0] } }
      #expect(kept.count == columns / 2, "\(module): \(kept.count) of \(columns)")
      if knobs.contains("magnitude") {
        let sizes = (0..<columns).map { column in stride(from: column, to: before.count, by: columns).reduce(Float(0)) { $0 + abs(before[$1]) } }
        #expect(Set(kept) == Set((0..<columns).sorted { sizes[$0] > sizes[$1] }.prefix(columns / 2)))
      }
    }
    #expect(try tensor(shop.path + "/base/final", "model.embed_tokens.weight") != tensor(shop.path + "/ssu/final", "model.embed_tokens.weight"))
  }

  /// Rows of the embedding that belong to what the chat template prints keep their bits, decay or not.
  @Test func tokensOfTheTemplateKeepTheirRows() throws {
    let shop = try Workshop(), method = "method: {ssu: {score: magnitude, pin_template: true}}\nsteps: 3\noptimizer: {weight_decay: 0.5}"
    try shop.write("{% for m in messages %}{{ m.content }}{% endfor %}", to: "model/chat_template.jinja")
    let refused = shop.holdfast("tune", try shop.recipe("none", method))
    #expect(refused.status == 1 && refused.errors.contains("no chat template with special tokens"), "\(refused.errors)")
    try shop.write("{% for m in messages %}{{ m.role }}: {{ m.content }}<end>{% endfor %}", to: "model/chat_template.jinja")
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining")).status == 0)
    try tune(shop, "ssu", method)
    let name = "model.embed_tokens.weight", width = try FileWeights(folder: shop.path + "/base/final").shape(of: name)![1]
    let before = try tensor(shop.path + "/base/final", name), after = try tensor(shop.path + "/ssu/final", name)
    let kept = (0..<before.count / width).filter { before[$0 * width..<($0 + 1) * width] == after[$0 * width..<($0 + 1) * width] }
    #expect(kept == [1])  // <end>; <unk> is special too and stands nowhere in the template
  }

  @Test func halvesByImportanceAndByDistance() throws {
    let shop = try shop()
    func moved(_ name: String) throws -> Set<String> {
      let a = try FileWeights(folder: shop.path + "/base/final"), b = try FileWeights(folder: shop.path + "/\(name)/final")
      return Set(try a.names!.filter { try $0.contains(".layers.") && !a.tensor($0).hasSameBits(as: b.tensor($0)) })
    }
    try tune(shop, "first", "method: {half: {seed: 3}}\nsteps: 3")
    try tune(shop, "important", "method: {half: {choose: importance, text: {data: \(shop.path)/text.jsonl, examples: 12, length: 32}}}\nsteps: 3")
    let important = try moved("important"), first = try moved("first")
    #expect(important.count { $0.contains("self_attn") } == first.count { $0.contains("self_attn") })
    // After a first run the units that stayed are the ones that the second moves.
    let next = shop.holdfast(
      "tune", try shop.recipe("second", "method: {half: {choose: least_moved, origin: \(shop.path)/base/final}}\nsteps: 3"), "--model",
      shop.path + "/first/final", "--initialize", "pretrained")
    try #require(next.status == 0, "\(next.errors)")
    let a = try FileWeights(folder: shop.path + "/first/final"), b = try FileWeights(folder: shop.path + "/second/final")
    let second = Set(try a.names!.filter { try $0.contains(".layers.") && !a.tensor($0).hasSameBits(as: b.tensor($0)) })
    let attention = second.filter { $0.contains("self_attn") }
    #expect(attention.isDisjoint(with: first) && attention.count == 6, "\(attention)")
  }

  @Test func aPlanAsARegularExpression() throws {
    let shop = try Workshop()
    for method in ["{half: {seed: 2}}", "{freezing: {layers: [0, 2], modules: [mlp.up, norms, final_norm]}}", "full"] {
      let recipe = try shop.recipe("run", "method: \(method)\nsteps: 2")
      let pattern = shop.holdfast("plan", recipe, "--regex"), plan = try shop.holdfast("plan", recipe, "--json").lines()[0]
      let trained = Set(plan["tensors"]!.array!.compactMap(\.string))
      let expression = try Regex(String(pattern.output.dropLast()))
      let names = try ModelConfiguration(path: shop.path + "/model/config.json").parameters().map(\.name)
      #expect(Set(try names.filter { try expression.wholeMatch(in: $0) != nil }) == trained && !trained.isEmpty, "\(pattern.output)")
      let stranger = try expression.wholeMatch(in: "xmodel.norm.weight")
      #expect(pattern.output.hasPrefix("^(?:") && stranger == nil)
    }
  }
}
