import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import HoldfastModels
import HoldfastTokenizers
import HoldfastTraining
import Testing

/// A small decoder whose every weight matters.
func tinyDecoder(seed: UInt64 = 3, layers: Int = 2, vocabulary: Int = 31, dtype: DType = .float32) throws -> Decoder {
  let json = try JSON(text: """
    {"model_type": "llama", "vocab_size": \(vocabulary), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": \(layers),
     "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true, "rms_norm_eps": 1e-5}
    """)
  return try Decoder(ModelConfiguration(json), weights: RandomWeights(seed: seed, deviation: 0.3, layerCount: layers), dtype: dtype)
}

func randomTexts(_ count: Int, lengths: ClosedRange<Int> = 3...9, vocabulary: Int = 31, seed: UInt64 = 1) -> [[Int]] {
  var stream = CounterGenerator(seed: seed, "texts")
  return (0..<count).map { _ in (0..<lengths.lowerBound + stream.below(lengths.count)).map { _ in stream.below(vocabulary) } }
}

/// A pass over texts, one a row, in their order.
func pass(
  _ model: Decoder, _ texts: [[Int]], store: String, goesOn: @escaping (Int, Int) throws -> Bool = { _, _ in true }
) throws -> PreparationPass {
  let examples = texts.enumerated().map { Example(rendering: Rendering(ids: $1, isTrained: $1.map { _ in true }), line: $0 + 1) }
  let plan = try DataPlan(
    Dataset(examples: examples), .init(seed: 0, sequenceLength: 32, packing: .none, rows: 1, shuffle: false))
  return PreparationPass(
    model: model, plan: plan, limit: nil, most: nil, seed: 4, store: PartialStore(store, now: { 0 }), progress: goesOn)
}

extension Decoder {
  /// Gradients of Σ −log p over a text's labels, by name.
  func gradients(of text: [Int], scale: Double = 1) throws -> [String: Tensor] {
    for p in parameters { try p.value.setRequiresGradient(true) }
    let batch = try Batch(texts: [text])
    try (forward(batch).labelledHidden.headLoss(head.value, labels: batch.labels) * scale).backward()
    var result: [String: Tensor] = [:]
    for p in parameters { result[p.name] = try p.value.takeGradient() }
    return result
  }
}

/// A folder that goes away with its test.
final class Scratch {
  let path: String
  init(_ name: String = #function) throws {
    path = "/tmp/holdfast-methods-\(name.filter { $0.isLetter })-\(UInt64.random(in: 0..<UInt64.max))"
    try Files.makeFolder(path)
  }
  deinit { try? Files.remove(path) }
}

/// A stage of a model that begins at `start`, with random weights drawn around it: what penalties are asked about.
struct PenaltyCase {
  let facts: ModelFacts
  let start: [String: Tensor]
  var weights: [String: Tensor] = [:]

  /// f64, so that finite differences are sharp.
  init(seed: UInt64 = 9, distance: Double = 0.1) throws {
    let model = try tinyDecoder(layers: 2, dtype: .float64)
    facts = ModelFacts(model)
    let generator = try Generator(seed: seed)
    var start: [String: Tensor] = [:]
    for p in model.parameters {
      start[p.name] = p.value
      weights[p.name] = try p.value + generator.normal(p.shape, deviation: distance, dtype: .float64)
    }
    self.start = start
  }

  var stage: StageFacts {
    let start = start
    return StageFacts(model: facts, seed: 1, steps: 10, pretrained: PretrainedWeights { start[$0]! })
  }

  var names: [String] { facts.parameters.map(\.name) }
  func named(_ tensors: [String: Tensor]) -> NamedTensors { NamedTensors(names.map { ($0, tensors[$0]!) }) }
  func zeros() throws -> [String: Tensor] { try weights.mapValues { try Tensor.zeros($0.shape, dtype: .float64) } }

  /// Positive numbers of very different sizes, one an element.
  func importance(seed: UInt64 = 2) throws -> [String: Tensor] {
    let generator = try Generator(seed: seed)
    var result: [String: Tensor] = [:]
    for p in facts.parameters { result[p.name] = try (generator.normal(p.shape) * 2).exp() }
    return result
  }

  func step(_ number: Int = 3, rate: Double = 0.01) -> Step { Step(number: number, total: 10, learningRate: rate) }

  /// What `pull` adds to the gradient against central differences of the value that it returns, along random directions.
  func checkPull(_ method: any ActiveMethod, _ comment: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let gradient = try zeros()
    let value = try method.pull(named(gradient), named(weights), at: step())
    #expect(value ?? 0 > 0, "\(comment)", sourceLocation: sourceLocation)
    let generator = try Generator(seed: 77)
    for name in [names[0], names[3], names[8], names.last!] {
      let direction = try generator.normal(weights[name]!.shape, dtype: .float64)
      func moved(_ sign: Double) throws -> Double {
        var at = weights
        at[name] = try weights[name]! + direction * (sign * 1e-4)
        return try method.pull(named(zeros()), named(at), at: step())!
      }
      let numeric = try (moved(1) - moved(-1)) / 2e-4
      let analytic = try (gradient[name]! * direction).sum().item()
      // A quadratic has no third derivative: what is left is rounding, of importance in f32 too.
      #expect(abs(numeric - analytic) < 1e-6 * max(1, abs(analytic), value!), "\(comment), \(name): \(numeric) and \(analytic)", sourceLocation: sourceLocation)
    }
    // Nothing at the reference.
    let none = try zeros()
    #expect(try method.pull(named(none), named(start), at: step()) == 0, sourceLocation: sourceLocation)
    #expect(try Tensor.squaredNorm(of: named(none).all) == 0, sourceLocation: sourceLocation)
  }

  /// `afterStep` against what it says it is: θ' − θ + rate · ∇R(θ') = 0, where `gradient` gives ∇R by another method's pull.
  func checkShrink(_ method: any ActiveMethod, gradient: any ActiveMethod, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let moved = try weights.mapValues { try $0.copy() }
    #expect(try method.afterStep(named(moved), at: step()), sourceLocation: sourceLocation)
    let slope = try zeros()
    _ = try gradient.pull(named(slope), named(moved), at: step())
    for name in names {
      let rest = try moved[name]! - weights[name]! + slope[name]! * 0.01
      #expect(try Tensor.squaredNorm(of: [rest]).squareRoot() < 1e-9 * max(1, Tensor.squaredNorm(of: [slope[name]!]).squareRoot()), "\(name)", sourceLocation: sourceLocation)
    }
  }
}

func make<M: TuningMethod>(_ type: M.Type, _ knobs: JSONObject) throws -> M {
  try KeyReader.read(KeySource(subject: M.name, object: knobs)) { M($0) }.0
}
