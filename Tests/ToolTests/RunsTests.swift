import HoldfastBasics
import HoldfastRecords
import Testing

/// The list of runs as a user sees it.
@Suite(.serialized) struct RunsTests {
  @Test func runsAreListedFoundAndShown() throws {
    let shop = try Workshop()
    func tune(_ name: String, _ lines: String, _ flags: String...) throws -> Outcome {
      let recipe = try shop.recipe(name, lines + "\noutput: \(shop.path)/runs/\(name)")
      return Process(["tune", recipe] + flags, in: shop.path).wait()
    }
    #expect(shop.holdfast("runs", "--folder", shop.path + "/runs").status == 1)
    try #require(tune("first", "steps: 3\nbatch: 2\nevaluate: {data: \(shop.path)/text.jsonl, rows: 2}").status == 0)
    try #require(tune("half-run", "steps: 2\nbatch: 2\nmethod: half").status == 0)
    #expect(try tune("broken", "steps: 30\nschedule: constant\noptimizer: {max_norm: 0}", "--learning-rate", "1e30").status == 1)
    func runs(_ words: String...) -> Outcome { Process(["runs"] + words + ["--folder", shop.path + "/runs"], in: shop.path).wait() }

    let all = runs()
    try #require(all.status == 0, "\(all.errors)")
    let rows = all.output.split(separator: "\n").dropFirst(2)
    #expect(rows.map { $0.split(separator: " ")[0] } == ["broken", "half-run", "first", "3"], "\(all.output)")
    #expect(all.lacks("held_out.loss", "finished", "failed", "3 of 3 in \(shop.path)/runs") == [] && Files.exists(shop.path + "/runs/.index.sqlite"))
    // Columns stand one below another.
    let at = all.output.split(separator: "\n").filter { $0.contains(" run ") }.map { $0.split(separator: " run ")[0].count }
    #expect(at.count == 3 && Set(at).count == 1, "\(all.output)")

    func names(_ outcome: Outcome) throws -> [String] { try outcome.lines().compactMap { $0["path"]?.string } }
    #expect(try names(runs("--method", "half", "--json")) == ["half-run"] && names(runs("--state", "failed", "--json")) == ["broken"])
    #expect(try names(runs("--where", "held_out.loss > 0 and steps = 3", "--since", "1h", "--json")) == ["first"])
    #expect(try names(runs("--sort", "steps", "--state", "finished", "--json")) == ["half-run", "first"])
    let metrics = try RunFolder(shop.path + "/runs/first").readMetrics(), first = try #require(runs("--where", "steps = 3", "--json").lines().first)
    #expect(first["loss"]?.double == metrics.steps.last?.loss && first["scores"]?["held_out.loss"]?.double == metrics.scores.last?.value)
    #expect(runs("--method", "lora").output == "none of the 3 runs in \(shop.path)/runs fits\n")

    let shown = runs("show", "broken")
    #expect(shown.status == 0 && shown.lacks("failed: ", "no weight was moved", "go on: holdfast resume \(shop.path)/runs/broken") == [], "\(shown.output)")
    #expect(runs("show", "half").lacks("the result: \(shop.path)/runs/half-run/final", "half-run/report.html", "finished", "took") == [])
    #expect(try runs("show", "first", "--json").lines().first?["recipe"]?["steps"] == 3)

    // What cannot be meant is the command line's fault, with the nearest name.
    for (words, complaint) in [(["--where", "los < 1"], "did you mean loss?"), (["--sort", "held_out.los"], "did you mean held_out.loss?"), (["--where", "loss"], "is no condition"), (["--since", "yesterday"], "--since is yesterday")] {
      let outcome = Process(["runs"] + words + ["--folder", shop.path + "/runs"], in: shop.path).wait()
      #expect(outcome.status == 64 && outcome.lacks(complaint) == [], "\(outcome.errors)")
    }
    // The index is lost, then damaged; a folder goes.
    try Files.remove(shop.path + "/runs/.index.sqlite")
    #expect(try names(runs("--json")).count == 3)
    try shop.write("no database at all, and yet in its place", to: "runs/.index.sqlite")
    try Files.remove(shop.path + "/runs/half-run")
    let mended = runs("--json")
    #expect(try mended.status == 0 && mended.errors.isEmpty && names(mended) == ["broken", "first"], "\(mended.errors)")
  }
}
