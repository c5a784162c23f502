import HoldfastBasics
import HoldfastDatasets
import HoldfastRecords
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Looking at a general and a domain slice while a run goes on.
@Suite(.serialized) struct WatchTests {
  /// The model that comes with Holdfast learns the clinic, and forgets general text while it does.
  private let common = """
    model: \(Workshop.trained)
    initialize: pretrained
    learning_rate: 1.0e-3
    schedule: constant
    batch: 2
    """

  private func shop() throws -> Workshop {
    let shop = try Workshop()
    try shop.write(LittleWorld().jsonl(.clinic, .validation, count: 60), to: "clinic-validation.jsonl")
    return shop
  }

  private func lines(_ shop: Workshop, steps: Int, _ watch: String) -> String {
    common + "\nsteps: \(steps)\nwatch: {general: \(shop.path)/text.jsonl, domain: \(shop.path)/clinic-validation.jsonl, items: 12, \(watch)}"
  }

  private func points(_ shop: Workshop, _ name: String) throws -> [(step: Int, general: Double, domain: Double)] {
    let scores = try RunFolder(shop.path + "/" + name).readMetrics().scores
    let general = scores.filter { $0.name == "watch.general.loss" }, domain = scores.filter { $0.name == "watch.domain.loss" }
    #expect(general.map(\.step) == domain.map(\.step) && general.count + domain.count == scores.count)
    #expect(scores.allSatisfy { $0.unit == "nats a label" && ($0.standardError ?? 0) > 0 && $0.count > 12 })
    return zip(general, domain).map { ($0.step!, $0.value, $1.value) }
  }

  /// Of the run's own lines those about its steps.
  private func steps(_ shop: Workshop, _ name: String) throws -> [StepRecord] { try RunFolder(shop.path + "/" + name).readMetrics().steps }

  private func weights(_ shop: Workshop, _ name: String) throws -> [UInt8] { try shop.bytes(name + "/final/model.safetensors") }

  @Test func bothCurvesAreThereAndTheBestPointIsExported() throws {
    let shop = try shop()
    let recipe = try shop.recipe("kept", lines(shop, steps: 32, "every: 4, trade_off: 0.6") + "\ncheckpoint: {every: 100, keep: 1}")
    let outcome = shop.holdfast("tune", recipe)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let points = try points(shop, "kept"), start = points[0]
    #expect(points.map(\.step) == Array(stride(from: 0, through: 32, by: 4)))
    // It learns, and it forgets.
    #expect(points.last!.domain < start.domain - 0.1 && points.last!.general > start.general + 0.05, "\(points)")
    // The trade-off, reckoned here: 0.4 of what was learned less 0.6 of what was forgotten.
    let gains = points.map { (step: $0.step, gain: 0.4 * (start.domain - $0.domain) - 0.6 * ($0.general - start.general)) }
    let best = try #require(gains.dropFirst().max { $0.gain < $1.gain }?.step)
    #expect(best > 4 && best < 32, "\(gains)")
    #expect(outcome.lacks("the weights after step \(best), the best of those watched", "the best so far", "domain −", "general +", "% of the time") == [], "\(outcome.errors)")
    #expect(try Files.list(shop.path + "/kept/checkpoints") == ["step-\(String("000000\(best)".suffix(6)))", "step-000032"])
    let page = try MappedFile(path: shop.path + "/kept/report.html").text()
    for words in ["Learned and kept", "Best after step \(best), whose weights were exported.", "0.4 × learned − 0.6 × forgotten", "Watching took"] { #expect(page.contains(words), "\(words)") }

    // These are the weights of a run that ends there; looking, and how often, changes no bit of any weight.
    try #require(shop.holdfast("tune", try shop.recipe("short", common), "--steps", "\(best)").status == 0)
    #expect(try weights(shop, "kept") == weights(shop, "short"))
    try #require(shop.holdfast("tune", try shop.recipe("blind", common + "\nsteps: 32")).status == 0)
    let watched = shop.holdfast("tune", try shop.recipe("auto", lines(shop, steps: 32, "share: 0.3, keep: none")))
    try #require(watched.status == 0, "\(watched.errors)")
    #expect(try weights(shop, "auto") == weights(shop, "blind"))
    for name in ["auto", "kept"] {
      #expect(try shop.bytes(name + "/checkpoints/step-000032/state.safetensors") == shop.bytes("blind/checkpoints/step-000032/state.safetensors"))
      #expect(try steps(shop, name) == steps(shop, "blind"))
    }
    let seen = try self.points(shop, "auto")
    #expect(seen.first?.step == 0 && seen.last?.step == 32, "\(seen)")
  }

  @Test func aBudgetOfForgettingEndsTheRun() throws {
    let shop = try shop()
    let recipe = try shop.recipe("run", lines(shop, steps: 200, "every: 2, forgetting_budget: 0.3"))
    let outcome = shop.holdfast("tune", recipe)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let points = try points(shop, "run"), start = points[0], done = try steps(shop, "run").count
    let over = points.map { $0.general - start.general > 0.3 }
    #expect(over.last == true && over.count { $0 } == 1 && points.last?.step == done && done > 4 && done < 200, "\(points)")
    #expect(outcome.lacks("stopped after step \(done): the general loss rose by", "more than the forgetting budget of 0.3") == [], "\(outcome.errors)")
    let said = try RunOutcome(file: shop.path + "/run/outcome.json"), ending = try #require(said)
    #expect(ending.end == .stoppedEarly && ending.planned == 200 && ending.reason?.contains("forgetting budget") == true)
    // What is exported is within the budget: the best point before.
    let best = try #require(points.dropFirst().dropLast().max { start.domain - $0.domain - $0.general < start.domain - $1.domain - $1.general }?.step)
    #expect(outcome.lacks("the export holds the weights after step \(best)") == [], "\(outcome.errors)")
    try #require(shop.holdfast("tune", try shop.recipe("short", common), "--steps", "\(best)").status == 0)
    #expect(try weights(shop, "run") == weights(shop, "short"))
    // It stays ended.
    try Files.remove(shop.path + "/run/final")
    let again = shop.holdfast("resume", shop.path + "/run")
    #expect(again.status == 0 && again.lacks("stopped after step \(done)") == [], "\(again.errors)")
    #expect(try weights(shop, "run") == weights(shop, "short") && steps(shop, "run").count == done)
  }

  @Test func killsChangeNoBitAndNoPoint() throws {
    let shop = try shop()
    let lines = lines(shop, steps: 24, "every: 3") + "\ncheckpoint: {every: 5, keep: 2}"
    let whole = shop.holdfast("tune", try shop.recipe("whole", lines))
    try #require(whole.status == 0, "\(whole.errors)")
    let recipe = try shop.recipe("killed", lines)
    for (number, name) in ["step-000003", "step-000010", "step-000020"].enumerated() {
      let process = Process(number == 0 ? ["tune", recipe] : ["resume", shop.path + "/killed"], in: shop.path)
      var waited = 0
      while !Files.exists("\(shop.path)/killed/checkpoints/\(name)"), waited < 60_000 {
        usleep(1000)
        waited += 1
      }
      process.kill()
      _ = process.wait()
    }
    let resumed = shop.holdfast("resume", shop.path + "/killed")
    try #require(resumed.status == 0, "\(resumed.errors)")
    let names = try Files.list(shop.path + "/whole/checkpoints")
    #expect(try Files.list(shop.path + "/killed/checkpoints") == names && names.count >= 2)
    for name in ["metrics.jsonl", "final/model.safetensors"] + names.flatMap({ ["checkpoints/\($0)/state.json", "checkpoints/\($0)/state.safetensors"] }) {
      #expect(try shop.bytes("whole/" + name) == shop.bytes("killed/" + name), "\(name)")
    }
  }

  /// Where the clock says how often, a resume goes on with what it had reckoned; the weights are the same all the same.
  @Test func aResumeGoesOnWithTheCadence() throws {
    let shop = try shop()
    let watched = lines(shop, steps: 40, "share: 0.2, keep: none") + "\ncheckpoint: {every: 10, keep: 9}"
    try #require(shop.holdfast("tune", try shop.recipe("blind", common + "\nsteps: 40")).status == 0)
    let process = Process(["tune", try shop.recipe("run", watched)], in: shop.path)
    while !Files.exists(shop.path + "/run/checkpoints/step-000020") { usleep(1000) }
    process.kill()
    #expect(process.wait().status == 128 + SIGKILL)
    func cadence(_ step: String) throws -> JSON {
      let state = try MappedFile(path: "\(shop.path)/run/checkpoints/step-\(step)/state.json").json()
      return try #require(state["watch"]?["cadence"])
    }
    let before = try cadence("000020")
    let resumed = shop.holdfast("resume", shop.path + "/run")
    try #require(resumed.status == 0, "\(resumed.errors)")
    let after = try cadence("000040")
    // Seconds and looks go on from those of the checkpoint, and what was reckoned for later was looked at no sooner.
    for key in ["training_seconds", "watching_seconds"] { #expect(before[key]!.double! > 0 && after[key]!.double! > before[key]!.double!, "\(key): \(before), \(after)") }
    let points = try points(shop, "run").map(\.step)
    #expect(after["looks"]?.int == points.count - 1 && after["first_seconds"] == before["first_seconds"])
    let next = try #require(before["next"]?.int)
    #expect(next == 40 || points.first { $0 > 20 }! >= next, "\(points), \(before)")
    #expect(try weights(shop, "run") == weights(shop, "blind"))
  }

  @Test func whatIsWrongIsSaidAtOnceBeforeAnythingRuns() throws {
    let shop = try shop()
    let mixed = try MappedFile(path: shop.path + "/clinic-validation.jsonl").text() + MappedFile(path: shop.path + "/clinic.jsonl").text().split(separator: "\n").prefix(2).joined(separator: "\n") + "\n"
    try shop.write(mixed, to: "mixed.jsonl")
    let outcome = shop.holdfast(
      "tune", try shop.recipe("run", common + "\nsteps: 2\nwatch: {general: \(shop.path)/nowhere.jsonl, domain: \(shop.path)/mixed.jsonl, items: 62}"))
    #expect(outcome.status == 1 && outcome.lacks("watch: 2 problems", "general: ", "nowhere.jsonl", "domain: 2 of its 62 items are trained on (", "mixed.jsonl:61, ", "mixed.jsonl:62)") == [], "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/run"))
    // `check` finds them too.
    let checked = try shop.recipe("checked", common + "\nsteps: 2\nwatch: {general: \(shop.path)/text.jsonl, domain: \(shop.path)/mixed.jsonl}")
    let check = shop.holdfast("check", checked, "--json")
    #expect(try check.lines()[0]["contaminated"] == 2, "\(check.output) \(check.errors)")
  }
}
