import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// The mask as the optimizer meets it.
struct SoftMaskTests {
  private let model: ModelFacts
  private let up = "model.layers.0.mlp.up_proj.weight"

  init() throws {
    let configuration = try ModelConfiguration([
      "model_type": "llama", "vocab_size": 24, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true,
    ])
    model = ModelFacts(configuration: configuration, parameters: try configuration.parameters())
  }

  private func importance(_ inner: (Int) -> Float) throws -> UnitImportance {
    try UnitImportance(
      [
        .head: Array(repeating: Array(repeating: 1, count: 4), count: 2), .inner: Array(repeating: (0..<20).map(inner), count: 2),
        .output: Array(repeating: Array(repeating: 0, count: 16), count: 2),
      ], model: model)
  }

  /// Three AdamW steps with decay under the method's rule.
  private func weights(_ active: (any ActiveMethod)?, _ name: String, _ shape: [Int]) throws -> [Float] {
    let generator = try Generator(seed: 9)
    let weights = try generator.normal(shape), first = try Tensor.zeros(shape), second = try Tensor.zeros(shape)
    for k in 1...3 {
      let gradient = try generator.normal(shape)
      var step = AdamWStep(rate: 0.01, step: k)
      step.decay = 0.5
      let proposal = Proposal(gradient: gradient, gradientScale: 1, first: first, beta1: 0.9)
      let rule = try active?.updateRule(for: name, at: Step(number: k - 1, total: 3, learningRate: 0.01), proposal) ?? UpdateRule()
      try weights.adamW(gradient: gradient, first: first, second: second, step, rule: rule)
    }
    return try weights.floats()
  }

  private func masked(_ importance: UnitImportance, kinds: Set<UnitImportance.Kind> = [.head, .inner, .output]) -> any ActiveMethod {
    softMask(importance, selected: nil, kinds: kinds, model: model)
  }

  @Test func importanceOfZeroIsNoMaskAndOfOneNoMove() throws {
    let shape = [20, 16], plain = try weights(nil, up, shape), start = try Generator(seed: 9).normal(shape).floats()
    #expect(try weights(masked(importance { _ in 0 }), up, shape) == plain)
    #expect(try weights(masked(importance { _ in 1 }), up, shape) == start)
    // One unit: exactly its row stays, decay or not.
    let one = try weights(masked(importance { $0 == 7 ? 1 : 0 }), up, shape)
    for row in 0..<20 {
      let range = row * 16..<(row + 1) * 16
      #expect(Array(one[range]) == Array(row == 7 ? start[range] : plain[range]), "row \(row)")
    }
    // Units that are not asked for mask nothing.
    #expect(try weights(masked(importance { _ in 1 }, kinds: [.output]), up, shape) == plain)
  }

  @Test func aGroupsRowsStayWithItsHeads() throws {
    var values = try importance { _ in 0 }.values
    values[.head]![0] = [0, 0, 0, 1]
    let mask = masked(try UnitImportance(values, model: model)), key = "model.layers.0.self_attn.k_proj.weight", shape = [8, 16]
    let moved = try weights(mask, key, shape), plain = try weights(nil, key, shape), start = try Generator(seed: 9).normal(shape).floats()
    // The second group holds heads 2 and 3.
    #expect(Array(moved[..<64]) == Array(plain[..<64]) && Array(moved[64...]) == Array(start[64...]))
  }

  @Test func whatCannotBeIsRefused() throws {
    func complaints(_ knobs: JSONObject, _ begin: Bool = true) -> [String] {
      do {
        let method = try KeyReader.read(KeySource(subject: "cofitune", object: knobs)) { CoFiTune($0) }.0
        _ = try method.begin(StageFacts(model: model, seed: 1, steps: 1))
        return []
      } catch { return error.complaints }
    }
    #expect(complaints(["layers": ["10%", "40%"]]).first?.contains("are none of the model's 2") == true)
    #expect(complaints(["layers": "all", "importance": ["dropout": 0]]).first?.contains("0 is not valid") == true)
    #expect(complaints(["layers": "all", "modules": ["attention.o"]]).first?.contains("none of the units inner, output") == true)
    #expect(complaints(["layers": "all", "modules": ["attention.o"], "apply": "none"]).isEmpty)
    #expect(complaints(["layers": ["50%", "25%"]]).isEmpty == false)
    #expect(complaints(["layers": "all", "importance": ["batches": 0]]).isEmpty == false)
  }
}
