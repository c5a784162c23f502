import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import HoldfastRecords
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Sequences of stages as a user starts, kills and resumes them.
@Suite(.serialized) struct StageTests {
  /// Items of a family as `--answers` has them.
  private func items(_ shop: Workshop, _ family: LittleWorld.Family, _ count: Int) throws -> String {
    let lines = LittleWorld().items(family, .test, count: count).map {
      (["prompt": .string($0.prompt), "completion": .string($0.completion)] as JSON).text()
    }
    return try shop.write(lines.joined(separator: "\n") + "\n", to: "\(family.rawValue)-test.jsonl")
  }

  private func recipe(_ shop: Workshop, _ name: String, method: String = "half", steps: Int = 6) throws -> String {
    try shop.write(LittleWorld().jsonl(.sums, .train, count: 200), to: "sums.jsonl")
    let clinic = try items(shop, .clinic, 12), sums = try items(shop, .sums, 12)
    return try shop.recipe(name, """
      method: \(method)
      steps: \(steps)
      batch: 2
      checkpoint: {every: 2, keep: 9}
      precision: bf16
      general_tests: {counting: {path: \(try items(shop, .counting, 8))}}
      stages:
        - name: sums
          data: \(shop.path)/sums.jsonl
          test: {path: \(sums)}
        - name: clinic
          test: {path: \(clinic), items: 10}
          learning_rate: 1.0e-3
        - data: \(shop.path)/text.jsonl
          objective: pretraining
          epochs: 0.1
      """)
  }

  private func files(_ shop: Workshop, _ run: String) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = ["matrix.json": try shop.bytes(run + "/matrix.json")]
    for stage in ["stage-1-sums", "stage-2-clinic", "stage-3-3"] {
      for name in ["metrics.jsonl", "final/model.safetensors", "scores.json"] { files["\(stage)/\(name)"] = try shop.bytes("\(run)/\(stage)/\(name)") }
    }
    return files
  }

  @Test(arguments: ["half", "{online_ewc: {lambda: 5, examples: 6, length: 32}}", "[{si: {lambda: 5}}, path_integral]"])
  func killsAnywhereChangeNoBit(method: String) throws {
    let shop = try Workshop(examples: 60)
    let whole = shop.holdfast("tune", try recipe(shop, "whole", method: method))
    try #require(whole.status == 0, "\(whole.errors)")
    let expected = try files(shop, "whole")
    let path = try recipe(shop, "killed", method: method)
    var random = CounterGenerator(seed: 3, method)
    var kills = 0
    while true {
      let begun = Files.exists(shop.path + "/killed/stages.json")
      if !begun { try Files.remove(shop.path + "/killed") }
      let process = Process(begun ? ["resume", shop.path + "/killed"] : ["tune", path], in: shop.path)
      if kills < 6 {
        usleep(UInt32(300_000 + random.below(1_200_000)))
        process.kill()
      }
      let outcome = process.wait()
      if outcome.status == 128 + SIGKILL {
        kills += 1
        continue
      }
      try #require(outcome.status == 0, "\(outcome.errors)")
      break
    }
    for (name, bytes) in try files(shop, "killed") { #expect(bytes == expected[name], "\(name) after \(kills) kills") }
    let matrix = try MappedFile(path: shop.path + "/killed/matrix.json").json()
    #expect(matrix["after"]?.array?.count == 3 && matrix["tasks"]?.array?.count == 2 && matrix["general"]?.array?.count == 1)
    #expect(matrix["before"] == .null)  // it began with random weights
  }

  /// Each stage draws its own half and begins at the end of the one before.
  @Test func stagesFollowOneAnother() throws {
    let shop = try Workshop(examples: 60)
    let outcome = shop.holdfast("tune", try recipe(shop, "run"))
    try #require(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.lacks("average performance", "backward transfer", "taught before", "over all 2") == [], "\(outcome.output)")
    var drawn: [[JSON]] = []
    for (number, name) in ["stage-1-sums", "stage-2-clinic", "stage-3-3"].enumerated() {
      let manifest = try Manifest(file: "\(shop.path)/run/\(name)/manifest.json")
      #expect(manifest.facts["half"]?["stage"]?.int == number)
      drawn.append(manifest.facts["half"]?["updated"]?.array ?? [])
      if number > 0 { #expect(manifest.recipe["model"]?.string?.hasSuffix("/final") == true && manifest.recipe["initialize"] == "pretrained") }
    }
    #expect(Set(drawn).count == 3)
    // A stage's run alone, over the same weights, is the same run.
    let alone = shop.holdfast("tune", try shop.recipe("alone", "method: full\nsteps: 4\nbatch: 2"), "--model", shop.path + "/run/stage-1-sums/final", "--initialize", "pretrained")
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(shop.holdfast("tune", shop.path + "/run.yaml").status == 0)  // nothing left to do
    #expect(shop.holdfast("plan", shop.path + "/run.yaml").lacks("Stage sums", "Stage clinic", "Stage 3") == [])
  }

  @Test func aRecordedStageAnchorsTheNext() throws {
    let shop = try Workshop(examples: 60)
    let path = try shop.recipe("run", """
      batch: 2
      steps: 8
      stages:
        - {name: general, data: \(shop.path)/text.jsonl, objective: pretraining, method: path_integral}
        - {name: domain, method: {hierarchical: {lambda: 20}}}
      """)
    let outcome = shop.holdfast("tune", path)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let manifest = try Manifest(file: shop.path + "/run/stage-2-domain/manifest.json")
    #expect((manifest.facts["hierarchical"]?["effective_layers"]?.double ?? 0) > 2)
    let terms = try RunFolder(shop.path + "/run/stage-2-domain").readMetrics().steps.map { $0.terms.first?.value ?? -1 }
    #expect(terms[0] == 0 && terms.dropFirst().allSatisfy { $0 > 0 }, "\(terms)")
  }

  /// With LoRA the general stage's adapter goes on, the base model stays, and importance is that of the product.
  @Test(arguments: ["hierarchical: {lambda: 20}", "hierarchical: {lambda: 20, layer_weight: uniform}"], ["probe", "tangent"])
  func aRecordedAdapterGoesOn(method: String, source: String) throws {
    let shop = try Workshop(examples: 60)
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 3\nobjective: pretraining")).status == 0)
    func recipe(_ name: String) throws -> String {
      try shop.recipe(name, """
        model: \(shop.path)/base/final
        initialize: pretrained
        batch: 2
        steps: 5
        checkpoint: {every: 2, keep: 9}
        adapter: {lora: {rank: 4, targets: [q_proj, v_proj]}}
        general_tests: {clinic: {path: \(try items(shop, .clinic, 6))}}
        stages:
          - {name: general, data: \(shop.path)/text.jsonl, objective: pretraining, method: {path_integral: {source: \(source)}}}
          - {name: domain, method: {\(method)}}
        """)
    }
    let outcome = shop.holdfast("tune", try recipe("run"))
    try #require(outcome.status == 0, "\(outcome.errors)")
    let manifest = try Manifest(file: shop.path + "/run/stage-2-domain/manifest.json")
    #expect(manifest.recipe["adapter"]?["lora"]?["from"]?.string?.hasSuffix("stage-1-general/final") == true)
    #expect(manifest.recipe["model"]?.string == shop.path + "/base/final")
    #expect(manifest.facts["hierarchical"]?["layers"]?.int == 6)
    let terms = try RunFolder(shop.path + "/run/stage-2-domain").readMetrics().steps.map { $0.terms.first?.value ?? -1 }
    #expect(abs(terms[0]) < 1e-9 && terms.dropFirst().allSatisfy { $0 > 0 }, "\(terms)")
    let record = try SafetensorsFile(path: shop.path + "/run/stage-1-general/record/path_integral/tensors.safetensors")
    #expect(record.names.count == 6 && record.names.allSatisfy { $0.hasSuffix("_proj.weight") })
    // ω and the gradient of the product, and the factors of the step: what `plan` counts is what the record's size says.
    let plan = try shop.holdfast("plan", shop.path + "/run.yaml", "--json").lines()[0]
    let elements = record.entries.values.reduce(0) { $0 + $1.count }
    #expect(plan["bytes"]?["path_integral keeps"]?.int == 8 * elements + 4 * (plan["trained"]?.int ?? 0))
    // Killed in the second stage and resumed.
    _ = shop.holdfast("tune", try recipe("again"))
    for step in ["4", "5"] { try Files.remove("\(shop.path)/again/stage-2-domain/checkpoints/step-00000\(step)") }
    for name in ["final", "scores.json"] { try Files.remove("\(shop.path)/again/stage-2-domain/\(name)") }
    let resumed = shop.holdfast("resume", shop.path + "/again")
    try #require(resumed.status == 0, "\(resumed.errors)")
    for name in ["stage-2-domain/metrics.jsonl", "stage-2-domain/final/adapter_model.safetensors", "matrix.json"] {
      #expect(try shop.bytes("run/" + name) == shop.bytes("again/" + name), "\(name)")
    }
  }

  /// One step of every stage, with what it hands on; nothing stays behind.
  @Test func dryRunGoesThroughAllStages() throws {
    let shop = try Workshop(examples: 60)
    let path = try shop.recipe("run", """
      batch: 2
      steps: 200
      adapter: {lora: {rank: 4, targets: [q_proj, v_proj]}}
      model: \(Workshop.trained)
      initialize: pretrained
      general_tests: {clinic: {path: \(try items(shop, .clinic, 6))}}
      stages:
        - {name: general, data: \(shop.path)/text.jsonl, objective: pretraining, method: path_integral}
        - {name: domain, method: {hierarchical: {lambda: 20}}}
      """)
    let dry = shop.holdfast("tune", path, "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("one step of each of the 2 stages"), "\(dry.output)\(dry.errors)")
    #expect(try Files.list(shop.path).filter { $0.hasPrefix("run") } == ["run.yaml"])
    // What only shows where a stage begins shows here.
    let wrong = shop.holdfast("tune", path, "--dry-run", "--stages[1].method", "{hierarchical: {reference: base, lambda: 1}}")
    #expect(wrong.status == 1 && wrong.errors.contains("reference: base"), "\(wrong.errors)")
    #expect(try Files.list(shop.path).filter { $0.hasPrefix("run") } == ["run.yaml"])
  }

  /// Each task's adapter lies over those of the tasks before, without their folders being named.
  @Test func orthogonalAdaptersPileUp() throws {
    let shop = try Workshop(examples: 60)
    let path = try shop.recipe("run", """
      batch: 2
      steps: 3
      adapter: {lora: {rank: 4, targets: [q_proj]}}
      model: \(Workshop.trained)
      initialize: pretrained
      learning_rate: 1.0e-2
      stages:
        - {name: a}
        - {name: b, data: \(shop.path)/text.jsonl, method: olora, test: {path: \(try items(shop, .clinic, 6))}}
        - {name: c, method: olora}
      """)
    let outcome = shop.holdfast("tune", path)
    try #require(outcome.status == 0, "\(outcome.errors)")
    func adapter(_ stage: String) throws -> JSON? { try Manifest(file: "\(shop.path)/run/stage-\(stage)/manifest.json").recipe["adapter"]?["lora"] }
    let finals = ["1-a", "2-b"].map { JSON.string("\(shop.path)/run/stage-\($0)/final") }
    #expect(try adapter("2-b")?["over"] == .array([finals[0]]) && adapter("3-c")?["over"] == .array(finals))
    #expect(try adapter("3-c")?["from"] ?? .null == .null)
    let terms = try RunFolder(shop.path + "/run/stage-3-c").readMetrics().steps.map { $0.terms.first?.value ?? 0 }
    #expect(terms.allSatisfy { $0 > 0 } && terms.last! < terms[0], "\(terms)")
    #expect(shop.holdfast("plan", path).status == 0)
    // In the first stage there is nothing to keep clear of.
    let first = shop.holdfast("tune", path, "--stages[0].method", "olora", "--output", shop.path + "/other")
    #expect(first.status != 0 && first.errors.contains("no earlier adapter"), "\(first.errors)")
  }

  /// `least_moved` measures from where the first stage began.
  @Test func theLeastMovedHalfNeedsNoOriginInStages() throws {
    let shop = try Workshop(examples: 60)
    let lines = "model: \(Workshop.trained)\ninitialize: pretrained\nbatch: 2\nsteps: 2\nmethod: {half: {choose: least_moved}}\n"
    let outcome = shop.holdfast("tune", try shop.recipe("run", lines + "stages: [{name: a}, {name: b}]"))
    try #require(outcome.status == 0, "\(outcome.errors)")
    func updated(_ stage: String) throws -> Set<String> {
      Set(try Manifest(file: "\(shop.path)/run/stage-\(stage)/manifest.json").facts["half"]?["updated"]?.array?.compactMap(\.string) ?? [])
    }
    // What stayed in the first stage is nearest to the start, so that it goes first in the second.
    let a = try updated("1-a"), b = try updated("2-b"), attention = b.filter { $0.contains("self_attn") }
    #expect(attention.count == 8 && attention.isDisjoint(with: a), "\(attention)")
    let alone = shop.holdfast("tune", try shop.recipe("alone", lines))
    #expect(alone.status != 0 && alone.errors.contains("least_moved measures from"), "\(alone.errors)")
  }

  /// Importance is not recorded on the text that then says how much was kept.
  @Test func whatIsMeasuredOnIsNotRecordedOn() throws {
    let shop = try Workshop(examples: 60)
    let text = try MappedFile(path: shop.path + "/text.jsonl").text().split(separator: "\n")
    try shop.write(text[3] + "\n" + text[7] + "\n", to: "held.jsonl")
    let path = try shop.recipe("run", """
      batch: 2
      steps: 2
      general_tests: {kept: {path: \(shop.path)/held.jsonl}}
      stages:
        - {name: general, data: \(shop.path)/text.jsonl, method: path_integral}
        - {name: domain, method: {hierarchical: {lambda: 20}}}
      """)
    let outcome = shop.holdfast("tune", path)
    #expect(outcome.status != 0 && outcome.lacks("stage general records importance", "2 examples", "text.jsonl:4, ", "text.jsonl:8") == [], "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/run"))
  }

  @Test func everythingWrongIsSaidAtOnce() throws {
    let shop = try Workshop(examples: 10)
    let path = try shop.recipe("run", """
      steps: 2
      bath: 3
      general_tests: {b: {path: x.jsonl}}
      stages:
        - {name: a, steps: many}
        - {name: a, model: other}
        - {name: b, method: hlaf, test: {pth: y.jsonl}}
      """)
    let outcome = shop.holdfast("tune", path)
    #expect(outcome.status == 64)
    #expect(
      outcome.lacks("bath: no such key", "a stands twice", "stages[1].model: stands beside stages", "there is no method hlaf; did you mean half?", "stages[0]", "stages[2].test") == [],
      "\(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count { $0.contains("bath") } == 1, "\(outcome.errors)")
    #expect(!Files.exists(shop.path + "/run"))
  }
}
