import HoldfastBasics
import HoldfastDatasets
import Testing

/// `frontier` and `gate` as a user calls them.
@Suite(.serialized) struct FrontierCommandTests {
  private func study(_ shop: Workshop) throws -> String {
    let world = LittleWorld()
    for family in [LittleWorld.Family.clinic, .sums] {
      for split in [LittleWorld.Split.validation, .test] {
        try shop.write(world.jsonl(family, split, count: 5), to: "\(family.rawValue).\(split.rawValue).jsonl")
      }
    }
    func task(_ name: String) -> String {
      "[{name: \(name), validation: \(shop.path)/\(name).validation.jsonl, test: \(shop.path)/\(name).test.jsonl, format: prompt_completion, measure: [loss, exact_match]}]"
    }
    return try shop.write(
      """
      name: Toy
      recipe: {model: \(Workshop.trained), data: [{path: \(shop.path)/clinic.jsonl, format: prompt_completion}], sequence_length: 64, batch: 2, steps: 2, schedule: constant, threads: 1}
      new: \(task("clinic"))
      old: \(task("sums"))
      every: 1
      seeds: [1]
      rates: [3e-3, 1e-3, 3e-4]
      targets: [0.5]
      methods: [full, {name: bitfit norms, method: {freezing: {modules: [norms]}}, rates: [1e-1, 3e-2, 1e-2]}, {name: wise, after: full, blend: half_reset, strengths: [0.5]}]
      output: \(shop.path)/study

      """, to: "study.yaml")
  }

  @Test func aStudyIsPlannedRunReportedAndNotRunAgain() throws {
    let shop = try Workshop(examples: 30), study = try study(shop)
    let plan = shop.holdfast("frontier", study, "--dry-run")
    #expect(plan.status == 0 && plan.lacks("Toy: 9 points: 6 runs and 3 blends of their models, 1 seed", "how long one takes is known after the first", "blend of the run before it") == [], "\(plan.errors)")
    #expect(!Files.exists(shop.path + "/study"))
    let run = shop.holdfast("frontier", study)
    #expect(run.status == 0 && run.lacks("[9 of 9]", "at 50 % of the", "reference", "one seed tells nothing of the spread", "report.html") == [], "\(run.output)\(run.errors)")
    for file in ["report.html", "report.md", "report.json", "points.csv", "points.jsonl", "recommended.yaml"] { #expect(Files.exists("\(shop.path)/study/\(file)"), "\(file)") }
    let page = try MappedFile(path: shop.path + "/study/report.html").text()
    #expect(page.contains("What is kept at what is learned") && page.contains("Answers before and after") && !page.contains("<script") && !page.contains(" src="))
    let events = try Files.list(shop.path + "/study/events")
    #expect(events.count == 6 && Files.exists("\(shop.path)/study/events/\(events[0])/events.tfevents"))
    // The recommended recipe is one that `plan` reads.
    #expect(shop.holdfast("plan", shop.path + "/study/recommended.yaml").status == 0)
    let points = try shop.bytes("study/points.jsonl")
    let again = shop.holdfast("frontier", study, "--json")
    #expect(again.status == 0 && !again.errors.contains("[") && again.errors.contains("9 are there"), "\(again.errors)")
    #expect(try again.lines()[0]["measures"]?[0]?["methods"]?.array?.count == 3)
    #expect(try shop.bytes("study/points.jsonl") == points)
    // The folder gone, the points kept: the same report, nothing run.
    let kept = try shop.write(String(decoding: points, as: UTF8.self), to: "kept.jsonl")
    let elsewhere = shop.holdfast("frontier", study, "--points", kept, "--output", shop.path + "/other", "--json")
    #expect(elsewhere.output == again.output && !Files.exists(shop.path + "/other/runs/full"), "\(elsewhere.errors)")
  }

  @Test func wrongStudiesAreRefusedAtOnce() throws {
    let shop = try Workshop(examples: 30), study = try study(shop)
    let wrong = shop.holdfast("frontier", study, "--rates", "[1e-3]", "--old", "[{name: a, validation: \(shop.path)/none, test: \(shop.path)/sums.test.jsonl}]", "--recipe.stepps", "3")
    #expect(wrong.status == 64 && wrong.lacks("one of at least three", "none: no such file", "stepps") == [], "\(wrong.errors)")
    #expect(shop.holdfast("frontier", shop.path + "/nothing.yaml").status != 0)
  }

  @Test func suitesScoreTheEndsOfRuns() throws {
    let shop = try Workshop(examples: 30), study = try study(shop)
    func suite(_ split: String) throws -> String {
      let tasks = [("clinic", "domain"), ("sums", "general")].map { "{kind: reference, metric: likelihood, world: \($0), split: \(split), role: \($1), limit: 5}" }
      return try shop.write("tasks: [\(tasks.joined(separator: ", "))]\n", to: "suite.\(split).yaml")
    }
    func task(_ name: String) -> String { "[{name: \(name), validation: \(shop.path)/\(name).validation.jsonl, test: \(shop.path)/\(name).test.jsonl, format: prompt_completion}]" }
    let flags = [
      "--new", task("clinic"), "--old", task("sums"), "--methods", "[full]", "--suite.validation", try suite("validation"), "--suite.test", try suite("test"), "--lead", "score", "--json",
    ]
    func run() -> Outcome { Process(["frontier", study] + flags, in: shop.path).wait() }
    let first = run()
    #expect(first.status == 0, "\(first.errors)")
    let points = try String(decoding: shop.bytes("study/points.jsonl"), as: UTF8.self).split(separator: "\n").map { try JSON(text: String($0)) }
    #expect(points.count == 4)
    for point in points {
      let score = try #require(point["stations"]?.array?.last?["score"])
      for split in ["validation", "test"] {
        for name in ["clinic", "sums"] { #expect((0...1).contains(try #require(score[split]?[name]?[0]?.double))) }
      }
    }
    // Both measures are read, the scores first, and the suites are not asked again.
    #expect(try first.lines()[0]["measures"]?.array?.compactMap { $0["kind"]?.string } == ["score", "loss"])
    let again = run()
    #expect(again.status == 0 && again.output == first.output && again.errors.contains("3 are there"), "\(again.errors)")
    let same = Process(["frontier", study] + flags.map { $0.hasSuffix("suite.validation.yaml") ? $0.replacing("validation", with: "test") : $0 }, in: shop.path).wait()
    #expect(same.status == 64 && same.errors.contains("same items in validation and test"), "\(same.errors)")
  }

  /// Where large and small base are one model, β = 1 is the expert itself: the emulated arm ends where a run of the same recipe does.
  @Test func anEmulatedModelHasItsPlace() throws {
    let shop = try Workshop(examples: 30), study = try study(shop)
    let recipe = try shop.write(
      """
      {model: \(Workshop.trained), data: [{path: \(shop.path)/clinic.jsonl, format: prompt_completion}], sequence_length: 64, batch: 2, steps: 2, schedule: constant, threads: 1,
       learning_rate: 1e-3, seed: 1, output: \(shop.path)/expert}

      """, to: "expert.yaml")
    try #require(shop.holdfast("tune", recipe).status == 0)
    func methods(_ expert: String, _ more: String = "") -> String {
      #"[full, {name: emulated, emulate: {experts: ["\#(expert)"], anti_expert: \#(Workshop.trained)}, strengths: [0.5, 1]\#(more)}]"#
    }
    let run = shop.holdfast("frontier", study, "--methods", methods("\(shop.path)/expert/final"), "--json")
    #expect(run.status == 0 && run.errors.contains("4 points: 3 runs and 1 emulated"), "\(run.errors)")
    let points = try String(decoding: shop.bytes("study/points.jsonl"), as: UTF8.self).split(separator: "\n").map { try JSON(text: String($0)) }
    func end(_ method: String, _ rate: Double?) throws -> JSON {
      let point = try #require(points.first { $0["method"]?.string == method && (rate == nil || $0["rate"]?.double == rate) })
      return try #require(point["stations"]?.array?.last)
    }
    let ours = try end("emulated", nil), theirs = try end("full", 1e-3), start = try #require(points.first { $0["method"]?.string == "base" }?["stations"]?[0])
    for task in ["clinic", "sums"] {
      func loss(_ station: JSON) throws -> Double { try #require(station["loss"]?["test"]?[task]?.double) }
      #expect(try abs(loss(ours) - loss(theirs)) < 2e-5 && abs(loss(start) - loss(theirs)) > 1e-3)
    }
    #expect(ours["at"]?.double == 1 && ours["score"]?["test"] == theirs["score"]?["test"])
    // Nothing is measured twice, and a study says at once what cannot be.
    let again = shop.holdfast("frontier", study, "--methods", methods("\(shop.path)/expert/final"), "--json")
    #expect(again.status == 0 && again.output == run.output && again.errors.contains("4 are there"))
    let wrong = shop.holdfast("frontier", study, "--methods", methods("\(shop.path)/nobody-{seed}", ", rates: [1e-3], knob: beta"))
    #expect(wrong.status == 64 && wrong.lacks("rates: is of no use where nothing is trained", "emulate stands alone", "nobody-1: no such file") == [], "\(wrong.errors)")
    let stranger = shop.holdfast("frontier", study, "--methods", "[full, {name: emulated, emulate: {experts: [\(shop.path)/expert/final], anti_expert: \(shop.path)/expert/final}, strengths: [1]}]")
    #expect(stranger.status == 64 && stranger.errors.contains("was tuned from"), "\(stranger.errors)")
    // What an expert was trained on counts as trained on.
    let learnt = try shop.write(
      """
      {model: \(Workshop.trained), data: [{path: \(shop.path)/clinic.test.jsonl, format: prompt_completion}], sequence_length: 64, batch: 2, steps: 1, schedule: constant, threads: 1,
       learning_rate: 1e-3, output: \(shop.path)/learnt}

      """, to: "learnt.yaml")
    try #require(shop.holdfast("tune", learnt).status == 0)
    let seen = shop.holdfast("frontier", study, "--methods", methods("\(shop.path)/learnt/final"))
    #expect(seen.status == 64 && seen.errors.contains("trained on in \(shop.path)/clinic.test.jsonl"), "\(seen.errors)")
    // The gate asks the same model.
    let suite = try shop.write("tasks: [{kind: generate, world: stories, max_tokens: 8, limit: 10}]\n", to: "stories.yaml")
    func gate(_ words: String...) throws -> JSON {
      let gate = Process(["gate", "--base", Workshop.trained, "--suite", suite, "--budget", "0.5", "--cache", shop.path + "/cache", "--threads", "1", "--json"] + words, in: shop.path).wait()
      try #require(gate.status == 0, "\(gate.errors)")
      return try gate.lines()[0]
    }
    #expect(try gate("--expert", shop.path + "/expert/final", "--anti-expert", Workshop.trained) == gate("--candidate", shop.path + "/expert/final"))
    #expect(shop.holdfast("gate", "--base", Workshop.trained, "--suite", suite, "--budget", "0.1").errors.contains("--candidate"))
  }

  @Test func theGateSaysYesNoAndTooFew() throws {
    let shop = try Workshop(examples: 60)
    func suite(_ limit: Int) throws -> String {
      try shop.write("tasks: [{kind: generate, world: stories, max_tokens: 8, limit: \(limit)}]\n", to: "suite-\(limit).yaml")
    }
    // A rate that ruins it.
    let ruined = try shop.recipe("ruined", "model: \(Workshop.trained)\ninitialize: pretrained\nsteps: 8\nlearning_rate: 3.0e-2\nschedule: constant")
    try #require(shop.holdfast("tune", ruined).status == 0)
    func gate(_ candidate: String, _ limit: Int, budget: String = "0.1", _ flags: String...) throws -> Outcome {
      Process(
        ["gate", "--base", Workshop.trained, "--candidate", candidate, "--suite", try suite(limit), "--budget", budget, "--cache", shop.path + "/cache", "--threads", "1"] + flags,
        in: shop.path
      ).wait()
    }
    let same = try gate(Workshop.trained, 60)
    #expect(same.status == 0 && same.lacks("yes: every general task lost no more than 0.1") == [], "\(same.output)\(same.errors)")
    // Sixty items without a difference do not show that no more than a hundredth is lost.
    let narrow = try gate(Workshop.trained, 60, budget: "0.01"), strict = try gate(Workshop.trained, 60, budget: "0.01", "--strict")
    #expect(narrow.status == 0 && narrow.lacks("too few items to tell: stories (passes; --strict would not)", "would") == [] && strict.status == 2, "\(narrow.output)")
    let worse = try gate(shop.path + "/ruined/final", 60)
    #expect(worse.status == 2 && worse.lacks("no: more was lost than the budget of 0.1, beyond noise: stories") == [], "\(worse.output)\(worse.errors)")
    // The base's answers are in the cache.
    #expect(!worse.errors.contains("base: stories") && worse.errors.contains("candidate: stories"))
    let json = try gate(shop.path + "/ruined/final", 60, "--json")
    let lost = try #require(json.lines()[0]["lost"]?[0])
    #expect(json.status == 2 && lost["verdict"] == "beyond" && lost["items"] == 60)
    #expect(try #require(lost["low"]?.double) > 0.1 && lost["change"]!.double! >= lost["low"]!.double!)
    let few = try gate(shop.path + "/ruined/final", 3)
    #expect(few.status == 0 && few.lacks("too few items to tell") == [], "\(few.output)")
    let wrong = shop.holdfast("gate", "--base", Workshop.trained, "--candidate", Workshop.trained, "--suite", try shop.write("tasks: [{kind: gen}]\n", to: "bad.yaml"), "--budget", "0.1")
    #expect(wrong.status == 64 && wrong.errors.contains("generate"), "\(wrong.errors)")
  }
}
