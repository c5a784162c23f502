import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// Every penalty's gradient against finite differences of its value, and every proximal step against its equation.
struct PenaltyTests {
  private func artifact(_ tensors: [String: Tensor], _ scratch: Scratch, _ name: String = "artifact") throws -> Artifact {
    try Artifact.write(to: scratch.path + "/" + name, tensors: tensors, facts: JSONObject(), about: JSONObject())
    return try Artifact(scratch.path + "/" + name)
  }

  @Test func l2AndL1() throws {
    let at = try PenaltyCase()
    try at.checkPull(make(L2ToStart.self, ["lambda": 0.7, "form": "gradient"]).begin(at.stage), "l2")
    // The decoupled form is the optimizer's own pull, whose test is AdamW's.
    let rule = try make(L2ToStart.self, ["lambda": 0.7]).begin(at.stage).updateRule(
      for: at.names[0], at: at.step(), Proposal(gradient: at.weights[at.names[0]]!, gradientScale: 1, first: at.weights[at.names[0]]!, beta1: 0.9))
    #expect(rule.pull == 0.7)
    #expect(try rule.reference!.hasSameBits(as: at.start[at.names[0]]!))
    // |θ' − θ|² / 2 + rate · λ · |θ' − θ⁰| is smallest where L1's step goes: no neighbour is better.
    let method = make0(try make(L1ToStart.self, ["lambda": 3]).begin(at.stage))
    let moved = try at.weights.mapValues { try $0.copy() }
    #expect(try method.afterStep(at.named(moved), at: at.step()))
    for name in [at.names[1], at.names[5]] {
      let old = try at.weights[name]!.doubles(), new = try moved[name]!.doubles(), from = try at.start[name]!.doubles()
      func cost(_ i: Int, _ x: Double) -> Double { (x - old[i]) * (x - old[i]) / 2 + 0.01 * 3 * abs(x - from[i]) }
      for i in new.indices { for shift in [-1e-4, 1e-4] { #expect(cost(i, new[i]) <= cost(i, new[i] + shift) + 1e-12) } }
    }
  }

  /// Without gradients SPIDER puts every weight back, and a tensor of zeros is never chosen.
  @Test func spiderWithoutGradientsGivesTheStartBack() throws {
    let at = try PenaltyCase(), method = try make(SPIDER.self, JSONObject()).begin(at.stage)
    try method.observe(at.named(at.zeros()), at.named(at.weights), at: at.step())
    let moved = try at.weights.mapValues { try $0.copy() }
    #expect(try method.afterStep(at.named(moved), at: at.step()))
    for name in at.names { #expect(try moved[name]!.hasSameBits(as: at.start[name]!), "\(name)") }
    // With gradients about half of the entries are kept at the start.
    let generator = try Generator(seed: 5)
    try method.observe(at.named(at.zeros().mapValues { try generator.normal($0.shape, dtype: .float64) }), at.named(at.weights), at: at.step())
    let again = try at.weights.mapValues { try $0.copy() }
    #expect(try method.afterStep(at.named(again), at: at.step()))
    let pairs = try at.names.flatMap { zip(try again[$0]!.doubles(), try at.start[$0]!.doubles()) }
    let pinned = Double(pairs.count { $0.0 == $0.1 }) / Double(pairs.count)
    #expect(pinned > 0.35 && pinned < 0.65, "\(pinned)")
  }

  private func make0(_ method: any ActiveMethod) -> any ActiveMethod { method }

  @Test(arguments: ["empirical", "as_coded"], ["mean", "none"])
  func ewc(fisher: String, normalize: String) throws {
    let at = try PenaltyCase(), scratch = try Scratch(), importance = try at.importance()
    var stage = at.stage
    stage.artifacts = ["fisher": try artifact(importance, scratch)]
    func method(_ form: String) throws -> any ActiveMethod {
      try make(EWC.self, ["lambda": 0.4, "fisher": .string(fisher), "normalize": .string(normalize), "form": .string(form), "data": "x.jsonl"]).begin(stage)
    }
    try at.checkPull(method("gradient"), "ewc \(fisher)")
    try at.checkShrink(method("decoupled"), gradient: method("gradient"))
    // The value, element by element.
    let values = try at.names.flatMap { try importance[$0]!.doubles() }
    let mean = normalize == "mean" ? values.reduce(0, +) / Double(values.count) : 1
    let distances = try at.names.flatMap { try (at.weights[$0]! - at.start[$0]!).doubles() }
    let expected = (fisher == "as_coded" ? 0.4 : 0.2) * zip(values, distances).reduce(0) { $0 + $1.0 / mean * $1.1 * $1.1 }
    let value = try method("gradient").pull(at.named(at.zeros()), at.named(at.weights), at: at.step())!
    #expect(abs(value - expected) < 1e-5 * expected, "\(value) \(expected)")
  }

  /// A recorded stage as `stages:` hands it on.
  private func recorded(_ tensors: [String: Tensor], _ scratch: Scratch, _ name: String, facts: JSONObject = JSONObject()) throws -> Artifact {
    try Artifact.write(
      to: scratch.path + "/" + name, tensors: tensors, facts: facts, about: ["starts": ["a"], "ends": ["b"], "model": "m"], replacing: true)
    return try Artifact(scratch.path + "/" + name)
  }

  @Test func methodsOfRecordedImportance() throws {
    let at = try PenaltyCase(), scratch = try Scratch(), importance = try at.importance()
    var stage = at.stage
    stage.weightHashes = ["b"]
    stage.artifacts = ["fisher": try artifact(importance, scratch, "f"), "output_gradients": try artifact(importance, scratch, "o")]
    stage.records = [
      "si": try recorded(importance, scratch, "si"), "path_integral": try recorded(importance, scratch, "path"),
      "online_ewc": try recorded(importance, scratch, "online"),
      "rwalk": try recorded(
        Dictionary(uniqueKeysWithValues: importance.flatMap { [("fisher." + $0, $1), ("score." + $0, $1)] }), scratch, "rwalk"),
    ]
    for form in ["gradient", "decoupled"] {
      func knobs(_ more: JSONObject = JSONObject()) -> JSONObject {
        var knobs: JSONObject = ["lambda": 0.3, "form": .string(form)]
        for (key, value) in more.members { knobs[key] = value }
        return knobs
      }
      let methods: [(String, any ActiveMethod)] = [
        ("si", try make(SynapticIntelligence.self, knobs()).begin(stage)),
        ("online_ewc", try make(OnlineEWC.self, knobs(["gamma": 0.5, "data": "x"])).begin(stage)),
        ("mas", try make(MAS.self, knobs(["data": "x"])).begin(stage)), ("rwalk", try make(RWalk.self, knobs()).begin(stage)),
        ("hierarchical", try make(Hierarchical.self, knobs()).begin(stage)),
        ("hierarchical in blocks", try make(Hierarchical.self, knobs(["group": "block", "layer_weight": "softmax_z"])).begin(stage)),
        ("hierarchical, raw", try make(Hierarchical.self, knobs(["layer_weight": "softmax_temp", "tau": 300, "scale_by_layers": false])).begin(stage)),
      ]
      for (name, method) in methods {
        if form == "gradient" {
          try at.checkPull(method, name)
        } else {
          let type = name.prefix { $0 != " " && $0 != "," }
          let slope: (any ActiveMethod)? = type == "si" ? try make(SynapticIntelligence.self, ["lambda": 0.3]).begin(stage) : type == "rwalk" ? try make(RWalk.self, ["lambda": 0.3]).begin(stage) : nil
          if let slope { try at.checkShrink(method, gradient: slope) }
        }
      }
    }
  }

  @Test func onlineEWCLetsTheOldFade() throws {
    let at = try PenaltyCase(), scratch = try Scratch()
    let old = try at.importance(seed: 5), new = try at.importance(seed: 6)
    var stage = at.stage
    stage.artifacts = ["fisher": try artifact(new, scratch, "f")]
    stage.records = ["online_ewc": try recorded(old, scratch, "r")]
    let kept = try #require(try make(OnlineEWC.self, ["lambda": 1, "gamma": 0.25, "data": "x", "control": "uniform"]).begin(stage).record())
    for name in at.names { #expect(try kept.tensors[name]!.largestDifference(to: new[name]! + old[name]! * 0.25) < 1e-5) }
  }

  /// R with coefficients 1/L and the number of layers is the penalty without layers.
  @Test func uniformLayersAreThePlainPenalty() throws {
    let at = try PenaltyCase(), scratch = try Scratch(), importance = try at.importance()
    var stage = at.stage
    stage.weightHashes = ["b"]
    stage.records = ["path_integral": try recorded(importance, scratch, "path")]
    func value(_ knobs: JSONObject) throws -> Double {
      try make(Hierarchical.self, knobs).begin(stage).pull(at.named(at.zeros()), at.named(at.weights), at: at.step())!
    }
    let scaled = Importance(try importance.mapValues { try $0.copy() })
    try scaled.normalizeMean()
    let plain = QuadraticPenalty(scaled, start: stage.pretrained)
    let expected = try plain.pull(at.named(at.zeros()), at.named(at.weights), adds: false) { _ in 0.3 }
    #expect(try abs(value(["lambda": 0.3, "layer_weight": "uniform"]) - expected) < 1e-6 * expected)
    #expect(try abs(value(["lambda": 0.3, "layer_weight": "uniform", "group": "block"]) - expected) < 1e-6 * expected)
    let layers = try #require(try make(Hierarchical.self, ["lambda": 0.3, "group": "block"]).begin(stage).facts["layers"]?.int)
    #expect(layers == 2 + 2)  // two blocks, the embedding and the final norm
    #expect(try abs(value(["lambda": 0.3, "layer_weight": "uniform", "scale_by_layers": false, "group": "block"]) - expected / 4) < 1e-6 * expected)
  }

  /// After the steps of `auto`, the penalty of the way so far is a tenth of the loss times the scale.
  @Test func autoFindsATenthOfTheLoss() throws {
    let at = try PenaltyCase(), scratch = try Scratch()
    var stage = at.stage
    stage.weightHashes = ["b"]
    stage.records = ["path_integral": try recorded(at.importance(), scratch, "path")]
    let method = try make(Hierarchical.self, ["auto_steps": 4, "lambda_scale": 2]).begin(stage)
    var step = at.step(2)
    step.loss = 5
    let none = try at.zeros()
    #expect(try method.pull(at.named(none), at.named(at.weights), at: step) == 0)
    step = at.step(3)
    step.loss = 3
    #expect(try method.pull(at.named(none), at.named(at.weights), at: step) == 0)
    #expect(try Tensor.squaredNorm(of: at.named(none).all) == 0)
    let value = try #require(try method.pull(at.named(at.zeros()), at.named(at.weights), at: at.step(4)))
    #expect(abs(value - 2 * 0.1 * 3) < 1e-6, "\(value)")
    // A resume knows it.
    let again = try make(Hierarchical.self, ["auto_steps": 4, "lambda_scale": 2]).begin(stage)
    try again.restore(method.state)
    #expect(try again.pull(at.named(at.zeros()), at.named(at.weights), at: at.step(5)) == value)
  }

  @Test func theRawSoftmaxCollapsesAndSaysSo() throws {
    #expect(LayerWeight.softmaxRaw.coefficients([11_729, 7_719]) == [1, 0])
    for mode in LayerWeight.allCases {
      for norms in [[1e8, 3, 0, 7e7], [2, 2, 2], [385, 2000, 11_729]] {
        let alpha = mode.coefficients(norms)
        #expect(abs(alpha.reduce(0, +) - 1) < 1e-12 && alpha.allSatisfy(\.isFinite), "\(mode) \(norms)")
      }
    }
    let norms = [385.0, 900, 2000, 4000, 11_729]
    let z = LayerWeight.softmaxZ.coefficients(norms), t = LayerWeight.softmaxTemp.coefficients(norms, tau: LayerWeight.deviation(norms))
    #expect(z == t)
    #expect(LayerWeight.effectiveLayers(LayerWeight.softmaxRaw.coefficients(norms)) == 1)
    #expect(LayerWeight.effectiveLayers(LayerWeight.uniform.coefficients(norms)).rounded() == 5)
    // In the method: norms of hundreds apart are enough, and scaling them by their mean would not help a module of 10⁶ elements.
    let at = try PenaltyCase(), scratch = try Scratch()
    var stage = at.stage
    stage.weightHashes = ["b"]
    stage.records = ["path_integral": try recorded(at.importance().mapValues { try $0 * 100 }, scratch, "path")]
    let raw = try make(Hierarchical.self, ["lambda": 1, "layer_weight": "softmax_raw"]).begin(stage)
    #expect(abs(raw.facts["effective_layers"]!.double! - 1) < 1e-6)
    #expect(raw.warnings().first?.contains("layer_weight: sum") == true)
    let sum = try make(Hierarchical.self, ["lambda": 1]).begin(stage)
    #expect(sum.facts["effective_layers"]!.double! > 2 && sum.warnings().isEmpty)
  }

  @Test func wrongStartsAndModelsAreRefused() throws {
    let at = try PenaltyCase(), scratch = try Scratch()
    var stage = at.stage
    stage.weightHashes = ["a"]
    func complaint(_ knobs: JSONObject) -> String {
      do { _ = try make(Hierarchical.self, knobs).begin(stage) } catch { return "\(error)" }
      return ""
    }
    #expect(complaint(["lambda": 1]).contains("path_integral"))
    stage.records = ["path_integral": try recorded(at.importance(), scratch, "path")]
    #expect(complaint(["lambda": 1]).contains("nu_end"))
    #expect(complaint(["lambda": 1, "reference": "base"]) == "")
    #expect(complaint(["reference": "base"]).contains("auto watches 100 steps"))
    stage.weightHashes = ["b"]
    #expect(complaint(["lambda": 1, "reference": "base"]).contains("reference: base"))
    stage.records = ["path_integral": try recorded(at.importance(), scratch, "path", facts: ["fingerprint": "other"])]
    #expect(complaint(["lambda": 1]).contains("other names or shapes"))
    stage.records = ["path_integral": try recorded(at.importance().mapValues { try $0 * 0 }, scratch, "path")]
    #expect(complaint(["lambda": 1]).contains("0 everywhere"))
    for knobs in [["lambda": -1], ["tau": 0], ["layer_weight": "softmax"], ["lambda_scale": -1]] as [JSONObject] {
      #expect(throws: Problems.self) { try make(Hierarchical.self, knobs) }
    }
    #expect(throws: Problems.self) { try make(PathIntegral.self, ["xi": 0]) }
  }

  /// The first thing in which the adapter differs from that of the recorded stage is named.
  @Test func importanceOfAnotherAdapterIsRefused() throws {
    let scratch = try Scratch()
    func stage(alpha: Double?, rank: Int = 3, scaling: AdapterConfiguration.Scaling = .standard) throws -> StageFacts {
      let model = try tinyDecoder()
      if let alpha {
        var configuration = AdapterConfiguration(.lora, rank: rank, alpha: alpha)
        configuration.scaling = scaling
        try model.attach(configuration, weights: RandomWeights(seed: 8, layerCount: 2))
      }
      return StageFacts(model: ModelFacts(model), seed: 0, steps: 4)
    }
    func record(_ stage: StageFacts, _ facts: JSONObject) throws -> Artifact {
      try recorded(stage.model.parameters.reduce(into: [:]) { $0[$1.name] = try Tensor.full($1.shape, 1) }, scratch, "path", facts: facts)
    }
    let first = try stage(alpha: 6)
    let beside: JSONObject = ["fingerprint": .string(first.model.fingerprint), "adapter": ["kind": "lora", "rank": 3, "alpha": 6.0, "scaling": "standard"]]
    func complaint(_ now: StageFacts, _ facts: JSONObject) throws -> String {
      var now = now
      now.records = ["path_integral": try record(first, facts)]
      do { _ = try make(Hierarchical.self, ["lambda": 1]).begin(now) } catch { return "\(error)" }
      return ""
    }
    #expect(try complaint(first, beside) == "")
    #expect(try complaint(stage(alpha: 12), beside).contains("whose alpha is 6.0, now it is 12.0"))
    #expect(try complaint(stage(alpha: 4, rank: 2), beside).contains("whose rank is 3, now it is 2"))
    #expect(try complaint(stage(alpha: 6, scaling: .rankStabilized), beside).contains("scaling"))
    #expect(try complaint(stage(alpha: nil), beside).contains("beside an adapter, and this run trains none"))
    #expect(try complaint(first, ["fingerprint": .string(first.model.fingerprint)]).contains("without an adapter, and this run trains one"))
  }

  @Test func controlsKeepTheMass() throws {
    let at = try PenaltyCase()
    let measured = try Importance(at.importance())
    let mean = try measured.mean()
    for control in [Importance.Control.shuffled, .uniform, .tensorMean] {
      var other = measured
      try other.replace(by: control, seed: 3)
      #expect(try abs(other.mean() - mean) < 1e-4 * mean, "\(control)")
      for name in at.names {
        let a = try measured[name]!.floats(), b = try other[name]!.floats()
        #expect(a != b || a.count == 1, "\(control) \(name)")
        if control == .shuffled { #expect(a.sorted() == b.sorted()) } else { #expect(Set(b).count == 1) }
      }
      if control == .uniform { #expect(try Set(at.names.flatMap { try other[$0]!.floats() }).count == 1) }
    }
  }
}
