import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// O-LoRA's penalty over an adapter that PEFT wrote.
struct OrthogonalLoRATests {
  private let earlier = Files.folder(of: Files.folder(of: #filePath)) + "/Fixtures/adapters/lora"
  private let step = Step(number: 0, total: 1, learningRate: 0.1)

  private func facts(_ over: [String], targets: [String] = ["q_proj", "gate_proj"]) throws -> ModelFacts {
    let model = try ModelFolder(Files.folder(of: Files.folder(of: #filePath)) + "/Fixtures/models/qwen2").configuration
    let recipe = try Recipe([
      "model": "m", "data": "d.jsonl", "steps": 1, "learning_rate": 0.1,
      "adapter": ["lora": ["rank": 3, "targets": .array(targets.map { .string($0) }), "over": .array(over.map { .string($0) })]],
    ])
    return try ModelFacts(model, adapter: recipe.adapter)
  }

  private func method(_ knobs: JSONObject) throws -> OrthogonalLoRA {
    try KeyReader.read(KeySource(subject: "olora", object: knobs)) { OrthogonalLoRA($0) }.0
  }

  @Test func gradientsAreTheSlopes() throws {
    let model = try facts([earlier, earlier]), active = try method(["lambda": 0.7, "size": 0.2]).begin(StageFacts(model: model, seed: 1, steps: 1))
    let draw = try Generator(seed: 5)
    let weights = NamedTensors(try model.trainable.map { ($0.name, try draw.normal($0.shape, dtype: .float64)) })
    func zeros() throws -> NamedTensors { NamedTensors(try model.trainable.map { ($0.name, try Tensor.zeros($0.shape, dtype: .float64)) }) }
    let gradients = try zeros(), value = try active.pull(gradients, weights, at: step)!
    for p in model.trainable {
      let direction = try draw.normal(p.shape, dtype: .float64)
      func value(_ move: Double) throws -> Double {
        try weights[p.name]!.add(direction, scale: move)
        defer { try? weights[p.name]!.add(direction, scale: -move) }
        return try active.pull(zeros(), weights, at: step)!
      }
      let slope = try (value(1e-6) - value(-1e-6)) / 2e-6, product = try (gradients[p.name]! * direction).sum().item()
      #expect(abs(slope - product) < 1e-6 * max(1, abs(slope)), "\(p.name): \(product), by differences \(slope)")
    }
    // gate_proj has no earlier adapter, q_proj the same one twice.
    let own = model.trainable.reduce(0.0) { sum, p in sum + ((try? Tensor.squaredNorm(of: [weights[p.name]!]).squareRoot()) ?? 0) }
    let once = try method(["lambda": 0.7, "size": 0.2]).begin(StageFacts(model: facts([earlier]), seed: 1, steps: 1)).pull(zeros(), weights, at: step)!
    #expect(abs(value - 0.2 * own - 2 * (once - 0.2 * own)) < 1e-9 && once > 0.2 * own)
  }

  @Test func whatItCannotDoIsRefused() throws {
    func complaints(_ model: ModelFacts) -> String {
      do {
        _ = try method([:]).begin(StageFacts(model: model, seed: 1, steps: 1))
        return ""
      } catch { return "\(error)" }
    }
    #expect(try complaints(facts([])).contains("no earlier adapter"))
    let plain = try facts([])
    #expect(complaints(ModelFacts(configuration: plain.configuration, parameters: [])).contains("about adapters"))
  }
}
