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
