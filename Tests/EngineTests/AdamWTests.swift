import HoldfastBasics
import HoldfastEngine
import Testing

@Suite struct AdamWKernel {
  /// Eight steps of torch.optim.AdamW with clipping (Scripts/make_model_fixtures.py).
  @Test func followsTorch() throws {
    let file = try SafetensorsFile(path: fixtures + "/adamw/reference.safetensors")
    func read(_ name: String) throws -> Tensor {
      let entry = try #require(file.entry(name))
      return try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype)
    }
    func setting(_ name: String) throws -> Double { try #require(Double(file.metadata[name] ?? "")) }
    let names = ["matrix", "undecayed", "vector", "wide"]
    let rates = try read("learning_rate").doubles(), norms = try read("norm").doubles()
    var weights: [String: Tensor] = [:], first: [String: Tensor] = [:], second: [String: Tensor] = [:]
    for name in names {
      weights[name] = try read("start.\(name)").copy()
      first[name] = try Tensor.zeros(weights[name]!.shape)
      second[name] = try Tensor.zeros(weights[name]!.shape)
    }
    for k in rates.indices {
      let gradients = try names.map { try read("gradient.\(k).\($0)") }
      let norm = try Tensor.squaredNorm(of: gradients).squareRoot()
      #expect(Swift.abs(norm - norms[k]) < 1e-5 * norms[k])
      for (name, gradient) in zip(names, gradients) {
        var step = AdamWStep(rate: rates[k], step: k + 1)
        step.beta1 = try setting("beta1")
        step.beta2 = try setting("beta2")
        step.epsilon = try setting("eps")
        step.decay = name == file.metadata["not_decayed"] ? 0 : try setting("weight_decay")
        step.gradientScale = min(1, try setting("max_norm") / (norm + 1e-6))
        try weights[name]!.adamW(gradient: gradient, first: first[name]!, second: second[name]!, step)
        for (kind, ours) in [("weight", weights[name]!), ("exp_avg", first[name]!), ("exp_avg_sq", second[name]!)] {
          let theirs = try read("\(kind).\(k).\(name)")
          let largest = try theirs.abs().max().item()
          #expect(try ours.largestDifference(to: theirs) < 2e-6 * largest, "\(kind).\(k).\(name)")
        }
      }
    }
    for name in names { #expect(try weights[name]!.cast(.float64).largestDifference(to: read("final64.\(name)")) < 2e-6) }
  }

  /// The fused pass beside libtorch's operators, with everything a rule can say.
  @Test(arguments: [DType.float32, .float64]) func kernelMatchesComposed(dtype: DType) throws {
    var draw = try Draw(31)
    for trial in 0..<4 {
      let shape = [draw.size(1...60), draw.size(1...400)]
      let rule = trial == 0 ? UpdateRule() : try randomRule(shape, draw)
      func run() throws -> [Tensor] {
        let draw = try Draw(32 + trial)
        let state = [try draw.normal(shape), try draw.normal(shape, 0.1), try draw.normal(shape, 0.1).abs()].map { $0 }
        let tensors = try state.map { try $0.cast(dtype).copy() }
        for k in 1...3 {
          try tensors[0].adamW(gradient: draw.normal(shape).cast(dtype), first: tensors[1], second: tensors[2], settings(step: k), rule: rule)
        }
        return tensors
      }
      for (fused, composed) in zip(try run(), try withComposedPath(run)) {
        #expect(try relativeError(fused, composed) < (dtype == .float32 ? 3e-7 : 1e-14))
      }
    }
  }

  /// A rule gives the bits that copying the tensor, stepping it plainly and blending old and new would give.
  @Test(arguments: [false, true], [false, true]) func ruleEqualsCopyAndBlend(composed: Bool, image: Bool) throws {
    for bits in 0..<16 {
      let draw = try Draw(40 + bits)
      // More elements than one thread's share, and rows that no vector width divides.
      let shape = [37, 523]
      let all = try randomRule(shape, draw)
      let rule = UpdateRule(
        rowScale: bits & 1 != 0 ? all.rowScale : nil, columnScale: bits & 2 != 0 ? all.columnScale : nil,
        mask: bits & 4 != 0 ? all.mask : nil, reference: bits & 8 != 0 ? all.reference : nil, pull: bits & 8 != 0 ? all.pull : 0)
      let start = try draw.normal(shape).cast(.float32), gradient = try draw.normal(shape).cast(.float32)
      let first = try draw.normal(shape, 0.1).cast(.float32), second = try draw.normal(shape, 0.1).abs().cast(.float32)
      func step(_ rule: UpdateRule) throws -> (weights: Tensor, image: Tensor?, first: Tensor, second: Tensor) {
        let weights = try start.copy(), m = try first.copy(), v = try second.copy()
        let rounded = image ? try Tensor.zeros(shape, dtype: .bfloat16) : nil
        try weights.adamW(gradient: gradient, first: m, second: v, image: rounded, settings(step: 3), rule: rule)
        return (weights, rounded, m, v)
      }
      let plain = try composed ? withComposedPath { try step(UpdateRule()) } : step(UpdateRule())
      let ruled = try composed ? withComposedPath { try step(rule) } : step(rule)
      let expected = try blend(start.floats(), plain.weights.floats(), rule, shape, rate: settings(step: 3).rate)
      #expect(try ruled.weights.hasSameBits(as: Tensor(expected, shape: shape)), "rule \(bits)")
      // Moments move under every rule.
      #expect(try ruled.first.hasSameBits(as: plain.first) && ruled.second.hasSameBits(as: plain.second))
      if image { #expect(try ruled.image!.hasSameBits(as: ruled.weights.cast(.bfloat16))) }
      if bits == 0 { #expect(try ruled.weights.hasSameBits(as: plain.weights)) }
    }
  }

  /// What the update rule promises, element by element in f32.
  private func blend(_ old: [Float], _ proposed: [Float], _ rule: UpdateRule, _ shape: [Int], rate: Double) throws -> [Float] {
    let rows = try rule.rowScale?.floats(), columns = try rule.columnScale?.floats(), mask = try rule.mask?.ints()
    let reference = try rule.reference?.floats(), pull = Float(rate * rule.pull)
    func scaled(_ old: Float, _ new: Float, _ scale: Float?) -> Float {
      guard let scale, scale != 1 else { return new }
      return scale == 0 ? old : old + scale * (new - old)
    }
    return old.indices.map { i in
      var new = proposed[i]
      if let reference { new = new - pull * (old[i] - reference[i]) }
      new = scaled(old[i], new, rows?[i / shape[1]])
      new = scaled(old[i], new, columns?[i % shape[1]])
      return mask?[i] == 0 ? old[i] : new
    }
  }

  private func settings(step: Int) -> AdamWStep {
    var s = AdamWStep(rate: 0.013, step: step)
    s.beta2 = 0.95
    s.decay = 0.1
    s.gradientScale = 0.7
    return s
  }

  /// Scales of 0, 1 and between; a mask over half the elements; a pull toward a bf16 reference.
  private func randomRule(_ shape: [Int], _ draw: Draw) throws -> UpdateRule {
    func scales(_ count: Int) throws -> Tensor {
      let values = try draw.normal([count]).floats()
      return try Tensor(values.map { $0 < -0.5 ? 0 : $0 > 0.5 ? 1 : Swift.abs($0) })
    }
    let mask = try draw.normal(shape).floats().map { UInt8($0 > 0 ? 1 : 0) }
    return UpdateRule(
      rowScale: try scales(shape[0]), columnScale: try scales(shape[1]), mask: try Tensor(mask, shape: shape, dtype: .uint8),
      reference: try draw.normal(shape).cast(.bfloat16), pull: 0.3)
  }
}
