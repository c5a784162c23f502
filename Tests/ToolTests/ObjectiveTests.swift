import HoldfastBasics
import Testing

/// Preference pairs, and methods that look at labels, in whole runs.
@Suite(.serialized) struct ObjectiveTests {
  /// A shop in which `base/final` is a model that was trained a little.
  private func shop() throws -> Workshop {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining")).status == 0)
    return shop
  }

  private func tune(_ shop: Workshop, _ name: String, _ lines: String) throws {
    let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/base/final", "--initialize", "pretrained")
    try #require(outcome.status == 0, "\(name): \(outcome.errors)")
  }

  /// Pairs of the clinic: the right answer, and one that evades.
  private func pairs(_ shop: Workshop) throws -> String {
    let rows = try MappedFile(path: shop.path + "/clinic.jsonl").text().split(separator: "\n").map { try JSON(text: String($0)) }
    let lines = rows.prefix(60).map { row in
      JSON.object(["prompt": row["prompt"]!, "chosen": row["completion"]!, "rejected": " I do not know"]).text()
    }
    return try shop.write(lines.joined(separator: "\n"), to: "pairs.jsonl")
  }

  private func records(_ shop: Workshop, _ name: String) throws -> [JSON] {
    try MappedFile(path: "\(shop.path)/\(name)/metrics.jsonl").text().split(separator: "\n").map { try JSON(text: String($0)) }
  }

  /// With any method that selects; margins are exactly 0 before the first step, and resumes go on to the byte.
  @Test(arguments: zip(["full", "half", "{l2: {lambda: 10}}", "full"], ["f32", "f32", "bf16", "bf16"]))
  func preferencesAreLearnt(method: String, precision: String) throws {
    let shop = try shop()
    let data = try pairs(shop)
    let lines = """
      method: \(method)
      objective: dpo
      data: [{path: \(data)}]
      evaluate: {data: \(data), every: 4}
      steps: 9
      batch: {rows: 2, accumulate: 2}
      checkpoint: {every: 4, keep: 9}
      precision: \(precision)
      """
    try tune(shop, "whole", lines)
    let steps = try records(shop, "whole").filter { $0["loss"] != nil }, scores = try records(shop, "whole").filter { $0["score"] != nil }
    let first = try #require(steps.first), last = try #require(steps.last)
    #expect(first["terms"]?["margin"]?.double == 0 && abs((first["loss"]?.double ?? 0) - 0.6931471805599453) < 1e-12, "\(first.text())")
    #expect(first["units"]?.int ?? 0 >= 4)
    #expect(last["terms"]?["margin"]?.double ?? 0 > 0.02 && last["terms"]?["accuracy"]?.double ?? 0 > 0.5, "\(last.text())")
    #expect(scores.last?["value"]?.double ?? 1 < 0.68 && scores.last?["unit"] == "nats a pair", "\(scores.map { $0.text() })")
    try tune(shop, "again", lines)
    for step in ["8", "9"] { try Files.remove("\(shop.path)/again/checkpoints/step-00000\(step)") }
    try Files.remove(shop.path + "/again/final")
    try #require(shop.holdfast("resume", shop.path + "/again").status == 0)
    for file in ["metrics.jsonl", "final/model.safetensors", "checkpoints/step-000009/state.safetensors"] {
      #expect(try shop.bytes("whole/" + file) == shop.bytes("again/" + file), "\(file)")
    }
  }

  @Test func whatObjectivesCannotDoIsSaid() throws {
    let shop = try Workshop()
    let data = try shop.write(#"{"prompt": "a", "chosen": " b", "rejected": " c"}"#, to: "pairs.jsonl")
    for method in ["dft", "kl", "eaft", "stm"] {
      let outcome = shop.holdfast("tune", try shop.recipe("run", "method: \(method)\nobjective: dpo\ndata: [{path: \(data)}]\nsteps: 2"))
      #expect(outcome.errors.contains("\(method) looks at single labels"), "\(outcome.errors)")
    }
    let texts = shop.holdfast("tune", try shop.recipe("run", "objective: dpo\nsteps: 2"))
    #expect(texts.errors.contains("dpo learns from preference pairs"), "\(texts.errors)")
    let pairs = shop.holdfast("tune", try shop.recipe("run", "data: [{path: \(data)}]\nsteps: 2"))
    #expect(pairs.errors.contains("they are for dpo"), "\(pairs.errors)")
    let knob = shop.holdfast("tune", try shop.recipe("run", "dpo: {beta: 0.2}\nsteps: 2"))
    #expect(knob.errors.contains("is read only with objective: dpo"), "\(knob.errors)")
    let both = shop.holdfast("tune", try shop.recipe("run", "method: [kl, tmkl]\nsteps: 2"))
    #expect(both.errors.contains("kl and tmkl both hold the model's answers against the reference's"), "\(both.errors)")
    let replay = shop.holdfast("tune", try shop.recipe("run", "method: {arr: {replay: [generall]}}\nsteps: 2"))
    #expect(replay.errors.contains("no source of the data is called generall"), "\(replay.errors)")
    #expect(!Files.exists(shop.path + "/run"))
    let plan = try shop.holdfast("plan", try shop.recipe("run", "method: kl\nsteps: 2"), "--json").lines()[0]
    #expect(plan["bytes"]?["the reference model"] != nil, "\(plan.text())")
    let checked = shop.holdfast("check", try shop.recipe("dpo", "objective: dpo\ndata: [{path: \(data)}]\nsteps: 2"))
    #expect(checked.status == 0 && checked.output.contains("tune would take this data"), "\(checked.output)\(checked.errors)")
    let unfit = shop.holdfast("check", try shop.recipe("unfit", "objective: dpo\nsteps: 2"))
    #expect(unfit.status == 2 && unfit.output.contains("dpo learns from preference pairs"), "\(unfit.output)\(unfit.errors)")
  }

  @Test func replayIsLearntAndHeldTo() throws {
    let shop = try shop()
    let lines = "data: [{path: \(shop.path)/clinic.jsonl, name: clinic}, {path: \(shop.path)/text.jsonl, name: general, share: 0.3}]\nsteps: 6\nprecision: bf16"
    for (name, method) in [("arr", "{arr: {replay: [general], beta: 0.1}}"), ("kl", "{kl: {on: [general], beta: 0.1}}")] {
      try tune(shop, name, "method: \(method)\n" + lines)
      let steps = try records(shop, name).filter { $0["loss"] != nil }
      #expect(steps[0]["terms"]?[name]?.double == 0, "\(steps[0].text())")
      #expect(steps.last?["terms"]?[name]?.double ?? 0 > 0)
    }
  }
}
