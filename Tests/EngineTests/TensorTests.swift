import HoldfastBasics
import HoldfastEngine
import Testing

let fixtures = folder(above: #filePath) + "/Fixtures"

/// The folder Tests, seen from a file of this target.
private func folder(above file: String) -> String { Files.folder(of: Files.folder(of: file)) }

@Suite struct Tensors {
  @Test func bytesComeBackInEveryType() throws {
    for dtype in DType.allCases where dtype != .bool {
      let bytes = (0..<6 * dtype.size).map { UInt8(truncatingIfNeeded: $0 * 37 % 120) }
      let tensor = try bytes.withUnsafeBytes { try Tensor(bytes: $0, shape: [2, 3], dtype: dtype) }
      #expect(try tensor.bytes() == bytes && tensor.dtype == dtype && tensor.shape == [2, 3])
    }
    #expect(try Tensor([1, 0, 3] as [Float]).cast(.bool).ints() == [1, 0, 1])
  }

  @Test func roundingToBfloat16IsToNearestEven() throws {
    // Halfway cases between 1 and 1 + 2⁻⁷, on both sides of an even last bit.
    let values: [Float] = [1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-20, .infinity, -0.0]
    #expect(try Tensor(values).cast(.bfloat16).floats() == [1, 1 + 0x1p-6, 1 + 0x1p-7, .infinity, -0.0])
  }

  @Test func seedsDecideRandomNumbers() throws {
    let a = try Generator(seed: 5).normal([100]), b = try Generator(seed: 5).normal([100]), c = try Generator(seed: 6).normal([100])
    #expect(try a.hasSameBits(as: b) && !a.hasSameBits(as: c))
    let uniform = try Generator(seed: 7).uniform([10_000]).doubles()
    #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 } && Swift.abs(uniform.reduce(0, +) / 10_000 - 0.5) < 0.01)
  }

  @Test func differencesAndNorms() throws {
    let a = try Tensor([3, 4] as [Float])
    #expect(try Tensor.squaredNorm(of: [a, a]) == 50)
    #expect(try a.largestDifference(to: Tensor([3, 4.5] as [Float])) == 0.5)
    #expect(try a.largestDifference(to: Tensor([3, Float.nan])) == .infinity)
    // The same numbers in other bits: −0 and 0, and another type.
    #expect(try !Tensor([0.0] as [Float]).hasSameBits(as: Tensor([-0.0] as [Float])))
    #expect(try !a.hasSameBits(as: a.cast(.float64)))
  }

  /// libtorch's refusals arrive as EngineError and say what did not fit.
  @Test func errorsCrossTheShim() throws {
    let a = try Tensor.zeros([3, 4]), b = try Tensor.zeros([5, 7]), ids = try Tensor([0, 9])
    func refusal(_ body: () throws -> Void) throws -> String { try #require(throws: EngineError.self, performing: body).reason }
    #expect(try refusal { _ = try a.matmul(b) }.contains("3x4 and 5x7"))
    #expect(try refusal { _ = try a.linear(b) }.contains("libtorch"))
    #expect(try refusal { _ = try a.swiglu(b) }.contains("gate [3, 4] and up [5, 7] differ"))
    #expect(try refusal { _ = try a.headLoss(Tensor.zeros([6, 4]), labels: Tensor([1, 6, 2])) }.contains("outside the vocabulary of 6"))
    #expect(try refusal { _ = try a.headLoss(b, labels: Tensor([1, 1, 2])) }.contains("head: hidden [3, 4], weight [5, 7]"))
    #expect(try refusal { _ = try ids.embedded(in: a) }.contains("out of range"))
    #expect(try refusal { try a.adamW(gradient: b, first: a, second: a, AdamWStep(rate: 1, step: 1)) }.contains("[5, 7]"))
    #expect(try refusal { _ = try b.item() }.contains("35 elements"))
    let q = try Tensor.zeros([1, 4, 2, 2])
    #expect(try refusal { _ = try Tensor.attention(query: q, key: q, value: q, spans: [Span(row: 0, start: 2, length: 3)], scale: 1) }
      .contains("segment 0 lies outside its row"))
    #expect(try refusal { _ = try Tensor.attention(query: q, key: q, value: q, spans: [], scale: 1) }.contains("no spans"))
    #expect(try refusal { try a.backward() }.contains("grad"))
  }

  /// An error inside a block that runs again in the backward pass keeps its words.
  @Test func errorsCrossRecomputation() throws {
    let x = try Tensor.full([2, 2], 1)
    try x.setRequiresGradient(true)
    var runs = 0
    let y = try x.recomputing { (input: Tensor) throws(EngineError) -> Tensor in
      runs += 1
      if runs == 2 { throw EngineError("the block gave up") }
      return try input * 2
    }
    let error = try #require(throws: EngineError.self) { try y.sum().backward() }
    #expect(runs == 2 && error.reason.contains("the block gave up"))
  }

  /// In a process of its own, where no other test makes tensors: everything made is freed, gradients, recomputed blocks
  /// and failures included.
  @Test func nothingLeaks() async {
    await #expect(processExitsWith: .success) {
      func work() throws {
        let draw = try Draw(50)
        let x = try draw.normal([6, 8]).cast(.float32), w = try draw.normal([8, 8]).cast(.float32)
        for leaf in [x, w] { try leaf.setRequiresGradient(true) }
        let y = try x.recomputing { (input: Tensor) throws(EngineError) -> Tensor in try input.linear(w).swiglu(input) }
        try y.rmsNorm(Tensor.full([8], 1), epsilon: 1e-6).headLoss(w, labels: Tensor([1, 2, 3, 4, 5, 6])).backward()
        _ = try x.takeGradient()
        _ = try? x.matmul(Tensor.zeros([3, 3]))
        _ = try? x.recomputing { (_: Tensor) throws(EngineError) -> Tensor in throw EngineError("no") }
        let spans = [Span(row: 0, start: 0, length: 6)], q = try x.reshaped([1, 6, 2, 4])
        try Tensor.attention(query: q, key: q, value: q, spans: spans, scale: 1).sum().backward()
      }
      try work()
      let before = try Torch.liveTensors
      for _ in 0..<5 { try work() }
      let after = try Torch.liveTensors
      precondition(before == after && before == 0, "\(before) tensors before, \(after) after")
    }
  }
}
