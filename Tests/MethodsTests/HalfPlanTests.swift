import HoldfastBasics
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

struct HalfPlanTests {
  /// A Llama of a few layers by its names alone; grouped heads make query and output larger than key and value.
  private func facts(layers: Int, groups: Int = 2, tied: Bool = true) throws -> ModelFacts {
    let c = try ModelConfiguration(
      [
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": .integer(layers),
        "num_attention_heads": 4, "num_key_value_heads": .integer(groups), "tie_word_embeddings": .bool(tied),
      ] as JSON)
    var parameters = [ParameterFacts(name: "model.embed_tokens.weight", shape: [64, 32])]
    for l in 0..<layers {
      for (module, shape) in [
        ("input_layernorm", [32]), ("self_attn.q_proj", [32, 32]), ("self_attn.k_proj", [8 * groups, 32]), ("self_attn.v_proj", [8 * groups, 32]),
        ("self_attn.o_proj", [32, 32]), ("post_attention_layernorm", [32]), ("mlp.gate_proj", [48, 32]), ("mlp.up_proj", [48, 32]),
        ("mlp.down_proj", [32, 48]),
      ] { parameters.append(ParameterFacts(name: "model.layers.\(l).\(module).weight", shape: shape)) }
    }
    parameters.append(ParameterFacts(name: "model.norm.weight", shape: [32]))
    if !tied { parameters.append(ParameterFacts(name: "lm_head.weight", shape: [64, 32])) }
    return ModelFacts(configuration: c, parameters: parameters)
  }

  private func method(_ knobs: JSONObject = JSONObject()) throws -> HalfFineTuning {
    try KeyReader.read(KeySource(subject: "half", object: knobs)) { HalfFineTuning($0) }.0
  }

  private func selection(_ facts: ModelFacts, _ knobs: JSONObject = JSONObject(), seed: UInt64 = 1, stage: Int = 0) throws -> Set<String> {
    let active = try method(knobs).begin(StageFacts(model: facts, seed: seed, stage: stage, steps: 1))
    return active.selection(at: Step(number: 0, total: 1, learningRate: 0))!
  }

  private func counts(_ selected: Set<String>, _ layer: Int) -> [Int] {
    let inside = selected.filter { $0.hasPrefix("model.layers.\(layer).") }
    return [inside.count { $0.contains("self_attn.") }, inside.count { $0.contains("mlp.") }, inside.count { $0.contains("layernorm") }]
  }

  @Test(arguments: [4, 5, 8])
  func categoryCountsAreExactInEveryLayer(layers: Int) throws {
    let facts = try facts(layers: layers)
    for seed in 0..<50 as Range<UInt64> {
      let selected = try selection(facts, seed: seed)
      var two = 0
      for layer in 0..<layers {
        let c = counts(selected, layer)
        #expect(c[0] == 2 && (c[1] == 1 || c[1] == 2) && c[2] == 1, "layer \(layer): \(c)")
        if c[1] == 2 { two += 1 }
      }
      // 1.5 of 3 on average; an odd number of layers rounds up.
      #expect(two == (layers + 1) / 2)
      #expect(selected.contains("model.embed_tokens.weight") && selected.contains("model.norm.weight"))
    }
  }

  @Test func everyUnitIsReachedWithTheRatiosFrequency() throws {
    let facts = try facts(layers: 4)
    var hits: [String: Int] = [:]
    let draws = 2000
    for seed in 0..<UInt64(draws) { for name in try selection(facts, seed: seed) { hits[name, default: 0] += 1 } }
    for p in facts.parameters where p.layer != nil {
      // Five standard deviations of a binomial around one half.
      #expect(abs(Double(hits[p.name] ?? 0) / Double(draws) - 0.5) < 5 * 0.5 / Double(draws).squareRoot(), "\(p.name): \(hits[p.name] ?? 0)")
    }
  }

  @Test func aPlanFollowsFromSeedAndStage() throws {
    let facts = try facts(layers: 6)
    #expect(try selection(facts, seed: 3) == selection(facts, seed: 3))
    #expect(try selection(facts, seed: 3) != selection(facts, seed: 4))
    #expect(try selection(facts, seed: 3) != selection(facts, seed: 3, stage: 1))
    #expect(try selection(facts, ["seed": 3], seed: 9) == selection(facts, seed: 3))
  }

  @Test func layerAndModelStrategiesChooseWhatTheySay() throws {
    let facts = try facts(layers: 6)
    let byLayer = try selection(facts, ["strategy": "layer"])
    let whole = (0..<6).map { counts(byLayer, $0) }
    #expect(whole.count { $0 == [4, 3, 2] } == 3 && whole.count { $0 == [0, 0, 0] } == 3)
    let byModel = try selection(facts, ["strategy": "model"])
    #expect(byModel.count { $0.contains(".layers.") } == 27)
  }

  @Test func ratioZeroAndOne() throws {
    let facts = try facts(layers: 3, tied: false)
    #expect(try selection(facts, ["ratio": 1.0]).count == facts.parameters.count)
    #expect(try selection(facts, ["ratio": 0.0]) == ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"])
    #expect(try selection(facts, ["ratio": 1.0, "embeddings": "freeze", "head": "freeze"]).count == facts.parameters.count - 2)
  }

  @Test func bytesBalanceHitsHalfOfAttentionUnderGroupedHeads() throws {
    let facts = try facts(layers: 4, groups: 1)
    for seed in 0..<30 as Range<UInt64> {
      let selected = try selection(facts, ["balance": "bytes"], seed: seed)
      for layer in 0..<4 {
        let attention = facts.parameters.filter { $0.layer == layer && $0.module.hasPrefix("self_attn") }
        let chosen = attention.filter { selected.contains($0.name) }.reduce(0) { $0 + $1.count }
        #expect(2 * chosen == attention.reduce(0) { $0 + $1.count })
      }
    }
  }

  /// A subset for each task: disjoint, nothing left out, sizes that differ by one at most in each layer and category.
  @Test(arguments: ["category", "layer", "model"], [2, 3])
  func tasksShareTheUnitsOut(strategy: String, tasks: Int) throws {
    let facts = try facts(layers: 6)
    let inLayers = facts.parameters.filter { $0.layer != nil }
    let parts = try (0..<tasks).map { stage in
      try selection(facts, ["tasks": .integer(tasks), "strategy": .string(strategy)], stage: stage).filter { $0.contains(".layers.") }
    }
    #expect(parts.reduce(0) { $0 + $1.count } == inLayers.count && Set(parts.flatMap { $0 }) == Set(inLayers.map(\.name)))
    #expect(try selection(facts, ["tasks": .integer(tasks), "strategy": .string(strategy)], stage: tasks).filter { $0.contains(".layers.") } == parts[0])
    if strategy == "category" {
      for layer in 0..<6 {
        let sizes = parts.map { counts($0, layer)[0] }
        #expect(sizes.max()! - sizes.min()! <= 1 && sizes.reduce(0, +) == 4, "\(sizes)")
      }
    }
  }

  @Test func oneHalfForAllStagesIsAControl() throws {
    let facts = try facts(layers: 6)
    #expect(try selection(facts, ["redraw": "never"], stage: 3) == selection(facts, stage: 0))
    #expect(try selection(facts, stage: 3) != selection(facts, stage: 0))
  }

  /// Scores decide inside the same counts; norms, which have none, are drawn still.
  @Test func theLowestScoresAreTaken() throws {
    let facts = try facts(layers: 4), units = try HalfPlan.units(of: facts)
    var scores: [String: Double] = [:]
    for (index, unit) in units.enumerated() where unit.category != .norm { scores[unit.name] = Double((index * 7) % 11) + Double(index) / 100 }
    func draw(_ strategy: HalfPlan.Strategy, _ balance: HalfPlan.Balance = .count) -> [HalfPlan.Unit] {
      HalfPlan.draw(
        units: units, layerCount: 4, fingerprint: facts.fingerprint, ratio: 0.5, strategy: strategy, balance: balance, seed: 1, stage: 0, scores: scores)
    }
    for layer in 0..<4 {
      let all = units.filter { $0.layer == layer && $0.category == .attention }.sorted { scores[$0.name]! < scores[$1.name]! }
      let taken = draw(.category).filter { $0.layer == layer }
      #expect(Set(taken.filter { $0.category == .attention }) == Set(all.prefix(2)) && taken.count { $0.category == .norm } == 1)
    }
    let model = draw(.model), scored = units.filter { $0.category != .norm }
    #expect(model.count == 18 && Set(model.filter { $0.category != .norm }) == Set(scored.sorted { scores[$0.name]! < scores[$1.name]! }.prefix(14)))
    let layers = draw(.layer), sums = (0..<4).map { l in units.filter { $0.layer == l }.compactMap { scores[$0.name] }.reduce(0, +) }
    #expect(Set(layers.map(\.layer)) == Set((0..<4).sorted { sums[$0] < sums[$1] }.prefix(2)))
    // Of the choices that balance bytes best, the lowest sum.
    for unit in draw(.category, .bytes).filter({ $0.category == .attention && $0.layer == 0 }) { #expect(units.contains(unit)) }
    #expect(draw(.category, .bytes).count { $0.category == .attention && $0.layer == 0 } == 2)
  }

  @Test func knobsThatDoNotStandTogetherAreNamed() throws {
    func complaints(_ knobs: JSONObject) -> [String] {
      do {
        _ = try method(knobs)
        return []
      } catch let problems as Problems { return problems.complaints } catch { return ["\(error)"] }
    }
    #expect(complaints(["tasks": 2, "ratio": 0.5]).first?.contains("keep one") == true)
    #expect(complaints(["tasks": 2, "redraw": "never"]).count == 1)
    #expect(complaints(["choose": "importance"]).first?.hasPrefix("text") == true)
    #expect(complaints(["origin": "x"]).count == 1 && complaints(["text": ["data": "x.jsonl"]]).count == 1)
  }

  @Test func whatCannotBeIsRefused() throws {
    let tied = try facts(layers: 2)
    #expect(throws: Problems.self) { try selection(tied, ["head": "freeze"]) }
    #expect(throws: Problems.self) { try selection(tied, ["choose": "least_moved"]) }
    #expect(throws: Problems.self) { try method(["ratio": 1.5]) }
    let odd = ModelFacts(
      configuration: tied.configuration, parameters: tied.parameters + [ParameterFacts(name: "model.layers.0.mlp.router.weight", shape: [4, 32])])
    #expect(throws: Problems.self) { try selection(odd) }
  }
}
