import HoldfastBasics
import HoldfastRecords
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Kills at random moments, saving included: the result is what it would have been.
@Suite(.serialized) struct ResumeTests {
  static let kept = ["metrics.jsonl", "final/model.safetensors", "checkpoints/step-000040/state.safetensors", "checkpoints/step-000040/state.json"]

  @Test(arguments: ["f32", "bf16"])
  func tenKillsChangeNoBit(precision: String) throws {
    let shop = try Workshop()
    // A checkpoint after every step, so that many kills fall into a save.
    let lines = """
      method: half
      precision: \(precision)
      steps: 40
      batch: {rows: 2, accumulate: 2}
      optimizer: {weight_decay: 0.1}
      checkpoint: {every: 1, keep: 2}
      """
    let whole = shop.holdfast("tune", try shop.recipe("whole", lines))
    try #require(whole.status == 0, "\(whole.errors)")

    let recipe = try shop.recipe("killed", lines)
    var random = CounterGenerator(seed: 11, precision)
    var kills = 0, killedWhileSaving = 0, runs = 0
    while kills < 10 || runs == 0 {
      let begun = Files.exists(shop.path + "/killed/manifest.json")
      if !begun { try Files.remove(shop.path + "/killed") }
      let process = Process(begun ? ["resume", shop.path + "/killed"] : ["tune", recipe], in: shop.path)
      if kills < 10 {
        usleep(UInt32(250_000 + random.below(900_000)))
        process.kill()
      }
      let outcome = process.wait()
      if outcome.status == 128 + SIGKILL {
        kills += 1
        let names = (try? Files.list(shop.path + "/killed/checkpoints")) ?? []
        if names.contains(where: { $0.hasSuffix(".partial") }) { killedWhileSaving += 1 }
        // What was complete is still readable.
        for name in names where Files.exists("\(shop.path)/killed/checkpoints/\(name)/integrity.json") && !name.hasSuffix(".partial") {
          let verified = shop.holdfast("verify", "\(shop.path)/killed/checkpoints/\(name)")
          #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        }
      } else {
        try #require(outcome.status == 0, "\(outcome.errors)")
        runs += 1
        for name in Self.kept {
          #expect(try shop.bytes("whole/" + name) == shop.bytes("killed/" + name), "\(name) after \(kills) kills")
        }
        if kills < 10 { try Files.remove(shop.path + "/killed") }
      }
    }
    #expect(kills == 10 && runs >= 1)
    print("\(precision): 10 kills, \(killedWhileSaving) of them while saving, \(runs) finished runs, every byte equal")
  }

  @Test func controlCSavesAndResumeGoesOn() throws {
    let shop = try Workshop()
    let lines = "steps: 300\nbatch: 2\ncheckpoint: {every: 300, keep: 1}"
    try #require(shop.holdfast("tune", try shop.recipe("whole", lines)).status == 0)
    let process = Process(["tune", try shop.recipe("stopped", lines)], in: shop.path)
    while !Files.exists(shop.path + "/stopped/metrics.jsonl") { usleep(10_000) }
    usleep(100_000)
    process.interrupt()
    let outcome = process.wait()
    #expect(outcome.status == 128 + SIGINT, "\(outcome.errors)")
    #expect(outcome.errors.hasSuffix(" and saved; go on with: holdfast resume \(shop.path)/stopped\n"), "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/stopped/final"))
    #expect(shop.holdfast("resume", shop.path + "/stopped").status == 0)
    #expect(try shop.bytes("whole/final/model.safetensors") == shop.bytes("stopped/final/model.safetensors"))
    #expect(try shop.bytes("whole/metrics.jsonl") == shop.bytes("stopped/metrics.jsonl"))
  }

  /// Held-out loss of other text falls, then rises: the export is the weights at its lowest, through a stop and a resume too.
  @Test func earlyStoppingExportsTheBestWeights() throws {
    let shop = try Workshop()
    let lines = """
      steps: 60
      batch: 2
      method: half
      learning_rate: 1.0e-3
      schedule: constant
      evaluate: {data: \(shop.path)/text.jsonl, every: 1, rows: 8}
      early_stopping: {patience: 3}
      checkpoint: {every: 7, keep: 1}
      """
    let outcome = shop.holdfast("tune", try shop.recipe("whole", lines))
    try #require(outcome.status == 0, "\(outcome.errors)")
    let (steps, scores) = try RunFolder(shop.path + "/whole").readMetrics()
    let best = try #require(scores.min { $0.value < $1.value }?.step)
    #expect(steps.count == best + 3 && steps.count < 60 && best > 1, "\(scores.map(\.value))")
    #expect(outcome.errors.contains("the weights after step \(best), where the held-out loss was lowest"), "\(outcome.errors)")
    #expect(outcome.errors.contains("differ by at most 0 "))
    // The checkpoint of the best step stays beside the newest, and its weights are those of a run that ends there.
    let names = ["step-\(padded(best))", "step-\(padded(steps.count))"]
    #expect(try Files.list(shop.path + "/whole/checkpoints") == names)
    let short = shop.holdfast("tune", try shop.recipe("short", lines), "--steps", "\(best)")
    try #require(short.status == 0)
    #expect(try shop.bytes("whole/final/model.safetensors") == shop.bytes("short/final/model.safetensors"))

    // Stopped behind the best step and resumed; and resumed once more when all is done.
    let process = Process(["tune", try shop.recipe("stopped", lines)], in: shop.path)
    while !Files.exists(shop.path + "/stopped/checkpoints/step-\(padded(best))") { usleep(1000) }
    process.kill()
    _ = process.wait()
    for _ in 0..<2 {
      try Files.remove(shop.path + "/stopped/final")
      let resumed = shop.holdfast("resume", shop.path + "/stopped")
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(try shop.bytes("whole/final/model.safetensors") == shop.bytes("stopped/final/model.safetensors"))
      #expect(try shop.bytes("whole/metrics.jsonl") == shop.bytes("stopped/metrics.jsonl"))
    }
    #expect(try Files.list(shop.path + "/stopped/checkpoints") == names)
  }

  private func padded(_ step: Int) -> String { String("000000\(step)".suffix(6)) }

  /// Killed, and stopped by Ctrl-C, while it passes over general text: nothing but time is lost.
  @Test func aStopWhilePreparingChangesNoBit() throws {
    let shop = try Workshop()
    let lines = """
      method: {ewc: {lambda: 10, data: \(shop.path)/text.jsonl, examples: 400, length: 64}}
      steps: 3
      batch: 2
      """
    let whole = shop.holdfast("tune", try shop.recipe("whole", lines + "\nartifacts: \(shop.path)/other"))
    try #require(whole.status == 0, "\(whole.errors)")
    #expect(whole.lacks("ewc: fisher is kept: \(shop.path)/other/fisher-") == [])
    let process = Process(["tune", try shop.recipe("killed", lines)], in: shop.path)
    while (try? MappedFile(path: shop.path + "/err").text())?.contains("fisher, 40 of 400") != true { usleep(1000) }
    process.kill()
    #expect(process.wait().status == 128 + SIGKILL)
    let second = Process(["resume", shop.path + "/killed"], in: shop.path)
    while (try? MappedFile(path: shop.path + "/err").text())?.contains("fisher, 80 of 400") != true { usleep(1000) }
    second.interrupt()
    let stopped = second.wait()
    #expect(stopped.status == 128 + SIGINT && stopped.lacks("go on with: holdfast resume") == [], "\(stopped.errors)")
    let resumed = shop.holdfast("resume", shop.path + "/killed")
    try #require(resumed.status == 0, "\(resumed.errors)")
    #expect(!resumed.errors.contains("fisher, 1 of 400"), "it began anew: \(resumed.errors)")
    for file in ["metrics.jsonl", "final/model.safetensors"] { #expect(try shop.bytes("whole/" + file) == shop.bytes("killed/" + file)) }
    // Whoever asks for the same finds it.
    let third = shop.holdfast("tune", try shop.recipe("third", lines), "--learning-rate", "1e-4")
    #expect(third.status == 0 && third.lacks("ewc: fisher is there already") == [], "\(third.errors)")
    let plan = try shop.holdfast("plan", shop.path + "/third.yaml", "--json").lines()[0]["preparations"]?[0]
    #expect(plan?["tokens"] == 25600 && plan?["backward_passes"] == 1 && (plan?["bytes"]?.int ?? 0) > 100_000, "\(plan ?? .null)")
  }

  @Test func resumeRefusesOtherDataAndNamesIt() throws {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("run", "steps: 2\nbatch: 2")).status == 0)
    let data = try MappedFile(path: shop.path + "/clinic.jsonl").text()
    try Files.writeAtomically(data + #"{"prompt": "a", "completion": " b"}"# + "\n", to: shop.path + "/clinic.jsonl")
    let outcome = shop.holdfast("resume", shop.path + "/run")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("clinic.jsonl"))
  }
}
