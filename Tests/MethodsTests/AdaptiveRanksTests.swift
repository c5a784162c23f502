import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastTraining
import Testing

/// AdaLoRA's bookkeeping against PEFT's RankAllocator, fed with the same weights and gradients
/// (`allocation` in Scripts/make_adapter_fixtures.py).
struct AdaptiveRanksTests {
  private static let steps = 13
  private let file: SafetensorsFile
  private let facts: AdapterFacts
  private let budget: AdaptiveBudget

  init() throws {
    let tests = Files.folder(of: Files.folder(of: #filePath))
    file = try SafetensorsFile(path: tests + "/Fixtures/adapters/allocation.safetensors")
    let model = try ModelConfiguration(
      [
        "model_type": "llama", "vocab_size": 5, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
      ] as JSON)
    facts = try AdapterConfiguration(.adalora, rank: 4, alpha: 8, targets: .named(["v_proj", "o_proj"])).facts(of: model).adapter
    let knobs: JSONObject = ["target_rank": 2, "warmup": 2, "final": 3, "every": 2, "beta1": 0.8, "beta2": 0.7, "orthogonality": 0.5]
    budget = try KeyReader.read(KeySource(subject: "budget", object: knobs)) { AdaptiveBudget($0, rank: 4) }.0
  }

  private func tensor(_ name: String) throws -> Tensor {
    let entry = try #require(file.entry(name), "\(name)")
    return try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype)
  }

  private var names: [String] { facts.linears.flatMap { [$0.a, $0.b, $0.diagonal!] } }

  private func tensors(_ kind: String) throws -> NamedTensors { NamedTensors(try names.map { ($0, try tensor("\(kind).\($0)")) }) }

  /// The gradients are PEFT's whole ones, so the penalty's own part is left out here.
  @Test func leavesTheTripletsThatPEFTLeaves() throws {
    var lengths: [Int] = []
    let ranks = try AdaptiveRanks(facts, budget, steps: Self.steps, addsPenalty: false)
    var saved: [String: Tensor] = [:]
    for k in 0..<Self.steps {
      let step = Step(number: k, total: Self.steps, learningRate: 0.1), weights = try tensors("weight.\(k)")
      // A run that is killed and goes on has what `state` gave.
      let active = k % 3 == 2 ? try AdaptiveRanks(facts, budget, steps: Self.steps, addsPenalty: false) : ranks
      if active !== ranks { try active.restore(saved) } else if k > 0 { try ranks.restore(saved) }
      #expect(try active.pull(tensors("gradient.\(k)"), weights, at: step) == nil)
      _ = try active.afterStep(weights, at: step)
      saved = active.state
      var left = 0
      for linear in facts.linears {
        let ours = weights[linear.diagonal!]!, theirs = try tensor("left.\(k).\(linear.diagonal!)")
        #expect(try ours.hasSameBits(as: theirs), "step \(k): \(linear.name)")
        left += try ours.floats().count { $0 != 0 }
      }
      lengths.append(left)
    }
    #expect(lengths == [16, 16, 16, 16, 11, 16, 9, 16, 8, 16, 8, 8, 8])
  }

  @Test func thePenaltyIsPEFTs() throws {
    let weights = try tensors("weight.\(Self.steps - 1)")
    let zeros = NamedTensors(try names.map { ($0, try tensor("weight.0.\($0)") * 0) })
    let ranks = try AdaptiveRanks(facts, budget, steps: Self.steps)
    let value = try ranks.pull(zeros, weights, at: Step(number: 0, total: Self.steps, learningRate: 0.1))
    #expect(try abs(value! - tensor("penalty").item()) < 1e-4)
    for linear in facts.linears {
      for name in [linear.a, linear.b] {
        let theirs = try tensor("penalty.\(name)")
        #expect(try zeros[name]!.largestDifference(to: theirs) < 1e-5 * theirs.abs().max().item(), "\(name)")
      }
      #expect(try Tensor.squaredNorm(of: [zeros[linear.diagonal!]!]) == 0)
    }
  }

  @Test func aScheduleWithoutRoomIsRefused() {
    #expect(throws: Problems.self) { try AdaptiveRanks(facts, budget, steps: 5) }
  }

  /// ‖U − U₀‖² and its gradients from the factors, against the dense product.
  @Test func theProductsAnchorIsTheDenseOnes() throws {
    let draw = try Generator(seed: 3)
    func tensor(_ shape: [Int]) throws -> Tensor { try draw.normal(shape, dtype: .float64) }
    let a = try tensor([3, 7]), b = try tensor([5, 3]), a0 = try tensor([3, 7]), b0 = try tensor([5, 3]), s = 1.7
    let away = try (b.matmul(a) - b0.matmul(a0)) * s
    let anchor = ProductAnchor(scale: s, start: (a0, b0))
    #expect(try abs(anchor.squaredDistance(a: a, b: b) - Tensor.squaredNorm(of: [away])) < 1e-9)
    let pulls = try anchor.gradients(a: a, b: b)
    #expect(try pulls.a.largestDifference(to: b.transposed(0, 1).matmul(away) * s) < 1e-11)
    #expect(try pulls.b.largestDifference(to: away.matmul(a.transposed(0, 1)) * s) < 1e-11)
    let fromZero = ProductAnchor(scale: s)
    #expect(try abs(fromZero.squaredDistance(a: a, b: b) - Tensor.squaredNorm(of: [b.matmul(a) * s])) < 1e-9)
    #expect(try anchor.squaredDistance(a: a0, b: b0) < 1e-9)
  }
}
