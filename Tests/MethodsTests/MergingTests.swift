import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

struct MergingTests {
  private let parameter = ParameterFacts(name: "model.layers.0.mlp.up_proj.weight", shape: [2, 3])

  private func tensor(_ values: [Double]) throws -> Tensor { try Tensor(values.map(Float.init), shape: [2, 3]) }
  private func merge(_ rule: any MergeRule, _ base: [Double], _ tuned: [Double]...) throws -> [Double] {
    try rule.merge(parameter, base: tensor(base), tuned: tuned.map(tensor)).doubles()
  }

  private func close(_ a: [Double], _ b: [Double], _ bound: Double = 1e-6) -> Bool { zip(a, b).allSatisfy { abs($0 - $1) <= bound } }

  private let base = [0.5, -1.0, 2.0, 0.0, 1.0, -0.25]
  private let first = [0.75, -1.5, 2.0, 0.5, 0.0, -0.25]
  private let second = [0.25, -2.0, 2.5, 0.25, 1.0, 0.0]

  @Test func taskArithmeticAddsWhatWasMoved() throws {
    #expect(try close(merge(TaskArithmetic(), base, first), first))
    #expect(try close(merge(TaskArithmetic(isMean: true), base, first, second), zip(first, second).map { ($0 + $1) / 2 }))
    let sum = base.indices.map { base[$0] + 0.5 * (first[$0] - base[$0] + second[$0] - base[$0]) }
    #expect(try close(merge(TaskArithmetic(scale: 0.5), base, first, second), sum))
  }

  @Test func tiesOfOneModelAtDensityOneIsTaskArithmetic() throws {
    #expect(try close(merge(TIES(density: 1, scale: 0.7), base, first), merge(TaskArithmetic(scale: 0.7), base, first)))
  }

  /// By hand: moves (0.25, −0.5, 0, 0.5, −1, 0) and (−0.25, −1, 0.5, 0.25, 0, 0.25); a half of six entries stays in each.
  @Test func tiesTrimsElectsAndMerges() throws {
    // First keeps −0.5, 0.5 and −1. Second keeps −1, 0.5, and the three equals ±0.25 of which the least counts whole.
    let expected = [base[0] - 0.25, base[1] - 0.75, base[2] + 0.5, base[3] + 0.375, base[4] - 1, base[5] + 0.25]
    #expect(try close(merge(TIES(density: 0.5), base, first, second), expected))
    // Opposed and equal: no sign is elected, and the base stays.
    #expect(try close(merge(TIES(density: 1), [0, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], [-1, 1, 0, 0, 0, 0]), [0, 1.5, 0, 0, 0, 0]))
  }

  @Test func dareKeepsTheMean() throws {
    var sum = [Double](repeating: 0, count: 6)
    let draws = 4000
    for seed in 0..<UInt64(draws) {
      for (i, value) in try merge(DARE(density: 0.25, seed: seed), base, first).enumerated() {
        // An entry is either dropped or four times as large.
        let move = value - base[i], whole = 4 * (first[i] - base[i])
        #expect(abs(move) < 1e-6 || abs(move - whole) < 1e-6)
        sum[i] += value
      }
    }
    for i in 0..<6 {
      let move = first[i] - base[i]
      // Five standard errors: variance of a move is move² · (1/density − 1) = 3 · move².
      #expect(abs(sum[i] / Double(draws) - first[i]) <= 5 * abs(move) * (3 / Double(draws)).squareRoot() + 1e-6)
    }
    #expect(try close(merge(DARE(density: 1), base, first), first))
  }

  @Test func slerpKeepsTheLengthOfVectorsOfOneLength() throws {
    let a = [1.0, 0, 0, 0, 0, 0], b = [0, 1.0, 0, 0, 0, 0]
    let half = 0.5.squareRoot()
    #expect(try close(merge(SphericalInterpolation(alpha: 0.5), a, b), [half, half, 0, 0, 0, 0]))
    #expect(try merge(SphericalInterpolation(alpha: 0), a, b) == a && merge(SphericalInterpolation(alpha: 1), a, b) == b)
    #expect(try close(merge(SphericalInterpolation(alpha: 0.5), a, a.map { $0 * 3 }), a.map { $0 * 2 }))
  }

  @Test func halfResetGivesBackWhatThePlanSays() throws {
    let c = try ModelConfiguration(
      ["model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4] as JSON)
    let facts = ModelFacts(configuration: c, parameters: try c.parameters())
    let one = try Tensor([1.0]), zero = try Tensor([0.0])
    func kept(_ rule: HalfReset) throws -> [String] {
      try facts.parameters.filter { try rule.merge($0, base: zero, tuned: [one]).item() == 1 }.map(\.name)
    }
    let half = try kept(HalfReset(facts))
    // Two layers of 2 of 4, 3 of 6 in both together, 1 of 2; embedding, head and final norm stay tuned.
    #expect(half.count == 4 + 3 + 2 + 3)
    #expect(try kept(HalfReset(facts, ratio: 1)).count == facts.parameters.count)
    #expect(try kept(HalfReset(facts, ratio: 0, keepsOutside: false)).isEmpty)
    #expect(try kept(HalfReset(facts, seed: 1)) != half)
  }
}
