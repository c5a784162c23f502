import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// The importance pass on a random model of two layers with grouped heads, compared with gates and finite differences.
@Suite(.serialized) struct UnitImportanceTests {
  private func configuration() throws -> ModelConfiguration {
    try ModelConfiguration([
      "model_type": "llama", "vocab_size": 24, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true,
    ])
  }

  private func model(_ dtype: DType = .float32) throws -> Decoder {
    try Decoder(configuration(), weights: RandomWeights(seed: 3, deviation: 0.4, layerCount: 2), dtype: dtype)
  }

  /// Three examples in two rows, the second row with padding behind it.
  private func host() -> HostBatch {
    var generator = CounterGenerator(seed: 1, "tokens")
    let length = 9
    var ids = [Int](repeating: 0, count: 2 * length), labels = [Int](repeating: ignoreIndex, count: 2 * length), positions = ids
    let segments = [
      Segment(row: 0, start: 0, length: 4, source: 0, example: 0), Segment(row: 0, start: 4, length: 5, source: 0, example: 1),
      Segment(row: 1, start: 0, length: 6, source: 0, example: 2),
    ]
    for s in segments {
      for t in 0..<s.length {
        let place = s.row * length + s.start + t
        ids[place] = generator.below(24)
        positions[place] = t
        if t > 1 { labels[place] = generator.below(24) }
      }
    }
    return HostBatch(rows: 2, length: length, ids: ids, labels: labels, positions: positions, segments: segments)
  }

  private func sums(_ pass: DropoutKL, _ model: Decoder, seed: UInt64 = 7) throws -> [String: [Float]] {
    var sums = try DropoutKL.zeros(model.configuration)
    try pass.add(host(), Batch(host(), device: .cpu), model, seed: seed, to: &sums)
    return try sums.mapValues { try $0.floats() }
  }

  @Test func gatesOfOneChangeNoBitAndTheComposedPathAgrees() throws {
    let model = try model(), batch = try Batch(host(), device: .cpu)
    let plain = try model.forward(batch).hidden
    var seen = 0
    let gated = try model.forward(batch, taps: Taps { _, _, x throws(EngineError) in
      seen += 1
      return try x * 1
    }).hidden
    #expect(try plain.hasSameBits(as: gated))
    #expect(seen == 2 * Taps.Place.allCases.count)
    // A dropout that drops nothing takes the composed attention: the same numbers up to rounding.
    let composed = try model.forward(batch, taps: Taps(dropout: 1e-12)).hidden
    let inside = try Tensor(host().segments.flatMap { s in (0..<s.length).map { s.row * 9 + s.start + $0 } })
    #expect(try plain.selecting(inside, axis: 0).largestDifference(to: composed.selecting(inside, axis: 0)) < 2e-5)
    let a = try model.forward(batch, taps: Taps(dropout: 0.2, seed: 1)).hidden, b = try model.forward(batch, taps: Taps(dropout: 0.2, seed: 1)).hidden
    let c = try model.forward(batch, taps: Taps(dropout: 0.2, seed: 2)).hidden
    #expect(try a.hasSameBits(as: b) && a.largestDifference(to: c) > 1e-3)
  }

  /// Activation times gradient is the gradient of a gate, and that is what a finite difference finds.
  @Test(arguments: [DropoutKL.Positions.nonpad, .answer])
  func captureEqualsGateEqualsFiniteDifference(positions: DropoutKL.Positions) throws {
    let model = try model(.float64), batch = try Batch(host(), device: .cpu), c = model.configuration
    let pass = DropoutKL(dropout: 0.1, positions: positions, accumulation: .signed)
    let captured = try sums(pass, model)
    #expect(try model.parameters.allSatisfy { try $0.value.takeGradient() == nil })

    var gates: [String: Tensor] = [:]
    for (name, count) in [("head", c.headCount), ("inner", c.intermediateSize), ("output", c.hiddenSize)] {
      for layer in 0..<2 { gates["\(name).\(layer)"] = try Tensor.full([count], 1, dtype: .float64) }
    }
    func gated(_ place: Taps.Place, _ layer: Int, _ x: Tensor) throws(EngineError) -> Tensor {
      switch place {
      case .context: try (x.reshaped([18, c.headCount, c.headWidth]) * gates["head.\(layer)"]!.reshaped([c.headCount, 1])).reshaped([18, c.hiddenSize])
      case .up: try x * gates["inner.\(layer)"]!
      case .down: try x * gates["output.\(layer)"]!
      default: x
      }
    }
    for gate in gates.values { try gate.setRequiresGradient(true) }
    try pass.loss(host(), batch, model, seed: 7, gate: gated).backward()
    for (name, gate) in gates {
      let expected = try #require(try gate.takeGradient()).doubles()
      let largest = expected.map(abs).max()!
      #expect(largest > 1e-7)
      for (a, b) in zip(captured[name]!, expected) { #expect(abs(Double(a) - b) < 1e-5 * largest, "\(name)") }
    }
    for gate in gates.values { try gate.setRequiresGradient(false) }
    for (name, unit) in [("head.0", 2), ("inner.1", 5), ("output.0", 11)] {
      func loss(_ shift: Double) throws -> Double {
        let before = gates[name]!
        defer { gates[name] = before }
        var values = try before.doubles()
        values[unit] += shift
        gates[name] = try Tensor(values, shape: [values.count], dtype: .float64)
        return try pass.loss(host(), batch, model, seed: 7, gate: gated).item()
      }
      let step = 1e-5, slope = try (loss(step) - loss(-step)) / (2 * step)
      #expect(abs(slope - Double(captured[name]![unit])) < 1e-4 * max(abs(slope), 1e-6), "\(name)[\(unit)]: \(slope) and \(captured[name]![unit])")
    }
  }

  @Test func examplesAreAddedUpAsTheKnobSays() throws {
    let model = try model()
    func all(_ accumulation: DropoutKL.Accumulation) throws -> [String: [Float]] { try sums(DropoutKL(dropout: 0.1, accumulation: accumulation), model) }
    let absolute = try all(.abs), batch = try all(.absBatch), signed = try all(.signed)
    var cancels = false
    for (name, values) in signed {
      for (i, value) in values.enumerated() {
        #expect(batch[name]![i] == abs(value) && absolute[name]![i] >= abs(value) - 1e-6 * abs(value))
        if absolute[name]![i] > 1.5 * abs(value) { cancels = true }
      }
    }
    #expect(cancels)
    // The same seed gives the same bits, another one others; no dropout would give zeros, and the knob refuses it.
    #expect(try all(.abs) == absolute)
    #expect(try sums(DropoutKL(dropout: 0.1), model, seed: 8) != absolute)
    #expect(absolute["head.0"]!.count == 4 && absolute["inner.1"]!.count == 20 && absolute["output.1"]!.count == 16)
    // Padding is another position, and counts only where it is asked for.
    #expect(try sums(DropoutKL(dropout: 0.1, positions: .all), model) != absolute)
  }

  @Test func normsByHand() {
    func near(_ a: [Float], _ b: [Float]) -> Bool { zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 } && a.count == b.count }
    // Mean 2.5, deviation √(5/3): z = ∓1.161895, ∓0.387298.
    #expect(near(UnitImportance.normalized([1, 2, 3, 4], .tanhZ), [0.8216564, 0.3690288, 0.3690288, 0.8216564]))
    #expect(UnitImportance.normalized([3, 1, 3, 9], .rank) == [0.375, 0, 0.375, 0.75])
    #expect(near(UnitImportance.normalized([1, 2, 5], .minmax), [0, 0.25, 1]))
    for norm in UnitImportance.Norm.allCases {
      #expect(UnitImportance.normalized([2, 2, 2], norm) == [0, 0, 0])
      #expect(UnitImportance.normalized([0, 0, 0, 1e30], norm).allSatisfy { $0 >= 0 && $0 < 1 })
    }
  }

  @Test func rowsFollowUnitsHeadsAndGroups() throws {
    let facts = ModelFacts(try model())
    let head: [[Float]] = [[0.1, 0.3, 0.6, 0.2], [0, 0, 0, 0]]
    let inner = [[Float]](repeating: (0..<20).map { Float($0) / 20 }, count: 2), output = [[Float]](repeating: Array(repeating: 0.5, count: 16), count: 2)
    let importance = try UnitImportance([.head: head, .inner: inner, .output: output], model: facts)
    func scale(_ module: String, _ grouping: UnitImportance.Grouping = .max, _ kinds: Set<UnitImportance.Kind> = [.head, .inner, .output]) -> [Float]? {
      let parameter = facts.parameters.first { $0.name == "model.layers.0.\(module).weight" }!
      return importance.updateScale(of: parameter, model: facts, kinds: kinds, grouping: grouping)
    }
    #expect(scale("mlp.up_proj") == inner[0].map { 1 - $0 } && scale("mlp.down_proj") == Array(repeating: 0.5, count: 16))
    #expect(scale("self_attn.q_proj") == head[0].flatMap { Array(repeating: 1 - $0, count: 4) })
    #expect(scale("self_attn.k_proj") == [Float](repeating: 0.7, count: 4) + [Float](repeating: 1 - 0.6, count: 4))
    #expect(scale("self_attn.v_proj", .mean)!.first == 1 - Float(0.2))
    #expect(scale("self_attn.o_proj") == nil && scale("mlp.gate_proj") == nil && scale("input_layernorm") == nil)
    #expect(scale("self_attn.q_proj", .max, [.inner]) == nil)
    let shuffled = importance.shuffled(seed: 4)
    #expect(shuffled.values[.inner]![0] != inner[0] && shuffled.values[.inner]![0].sorted() == inner[0])
    let merged = try UnitImportance.merged([importance, shuffled], model: facts)
    #expect(merged.values[.inner]![1] == zip(inner[1], shuffled.values[.inner]![1]).map { max($0, $1) })
    func complaint(_ values: [UnitImportance.Kind: [[Float]]]) -> String? {
      do {
        _ = try UnitImportance(values, model: facts)
        return nil
      } catch { return error.complaints.first }
    }
    #expect(complaint([.head: [[0, 0, 0], head[1]]]) == "head of layer 0: 3 units, but the model has 4")
    #expect(complaint([.head: [head[0], [0, .nan, 0, 0]]])?.hasPrefix("head of layer 1 holds") == true)
  }
}
