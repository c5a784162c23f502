import HoldfastEngine
import Testing

/// Every kernel beside the path composed from libtorch's own operators, over random shapes.
@Suite struct Kernels {
  static let types: [DType] = [.float32, .bfloat16]

  /// Relative errors in the Euclidean norm: rounding of a few sums in f32, one or two roundings to eight bits in bf16.
  private func expect(_ errors: KernelErrors, _ dtype: DType, _ label: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let bound = dtype == .float32 ? 3e-6 : 5e-3
    #expect(errors.fromWide < bound, "\(label): \(errors)", sourceLocation: sourceLocation)
    #expect(errors.fromComposed < 3 * bound, "\(label): \(errors)", sourceLocation: sourceLocation)
  }

  @Test(arguments: types) func linear(dtype: DType) throws {
    var draw = try Draw(1)
    for bias in [false, true, false, true] {
      let tokens = draw.size(1...70), input = draw.size(1...90), output = draw.size(1...120)
      let inputs = [try draw.normal([tokens, input]), try draw.normal([output, input])] + (bias ? [try draw.normal([output])] : [])
      let errors = try KernelErrors(dtype, inputs, cotangent: draw.normal([tokens, output])) {
        try $0[0].linear($0[1], bias: bias ? $0[2] : nil)
      }
      expect(errors, dtype, "[\(tokens), \(input)] to \(output)")
    }
  }

  @Test(arguments: types) func adaptedLinear(dtype: DType) throws {
    var draw = try Draw(11)
    for bias in [false, true, false, true] {
      let tokens = draw.size(1...70), input = draw.size(1...90), output = draw.size(1...120), rank = draw.size(1...20)
      let inputs =
        [try draw.normal([tokens, input]), try draw.normal([output, input]), try draw.normal([rank, input]), try draw.normal([output, rank])]
        + (bias ? [try draw.normal([output])] : [])
      let errors = try KernelErrors(dtype, inputs, cotangent: draw.normal([tokens, output])) {
        try $0[0].linear($0[1], bias: bias ? $0[4] : nil, down: $0[2], up: $0[3], scale: 1.7)
      }
      expect(errors, dtype, "[\(tokens), \(input)] to \(output) by rank \(rank)")
    }
  }

  /// Whoever is frozen gets no gradient, and the others the same bits as if nobody were.
  @Test(arguments: types) func adaptedLinearComputesOnlyWhatIsAskedFor(dtype: DType) throws {
    let draw = try Draw(12)
    let inputs = try [draw.normal([30, 24]), draw.normal([18, 24]), draw.normal([4, 24]), draw.normal([18, 4])].map { try $0.cast(dtype) }
    func gradients(_ trained: [Bool]) throws -> [Tensor?] {
      try Differentiated(inputs, trained: trained) { try $0[0].linear($0[1], down: $0[2], up: $0[3], scale: 0.5) }.gradients
    }
    let all = try gradients([true, true, true, true])
    for code in 1..<15 {
      let trained = (0..<4).map { code >> $0 & 1 == 1 }, before = try Torch.weightGradientProducts
      for (i, gradient) in try gradients(trained).enumerated() {
        #expect((gradient != nil) == trained[i])
        if let gradient { #expect(try gradient.hasSameBits(as: all[i]!)) }
      }
      #expect(try Torch.weightGradientProducts - before == trained[1...].count { $0 })
    }
  }

  @Test(arguments: types) func rmsNorm(dtype: DType) throws {
    var draw = try Draw(2)
    for rows in [1, 17, 256, 700] {
      let width = draw.size(1...300)
      let errors = try KernelErrors(dtype, [draw.normal([rows, width], 3), draw.normal([width])], cotangent: draw.normal([rows, width])) {
        try $0[0].rmsNorm($0[1], epsilon: 1e-5)
      }
      expect(errors, dtype, "[\(rows), \(width)]")
    }
  }

  @Test(arguments: types) func rotary(dtype: DType) throws {
    var draw = try Draw(3)
    for _ in 0..<4 {
      let tokens = draw.size(1...90), heads = draw.size(1...7), half = draw.size(1...40)
      let angles = try draw.normal([tokens, half], 4).cast(.float32)
      let cosine = try angles.cos(), sine = try angles.sin()
      let shape = [tokens, heads, 2 * half]
      let errors = try KernelErrors(dtype, [draw.normal(shape)], cotangent: draw.normal(shape)) {
        try $0[0].rotated(cosine: cosine, sine: sine)
      }
      expect(errors, dtype, "\(shape)")
    }
  }

  @Test(arguments: types) func swiglu(dtype: DType) throws {
    var draw = try Draw(4)
    for tokens in [1, 33, 410] {
      let shape = [tokens, draw.size(1...150)]
      let errors = try KernelErrors(dtype, [draw.normal(shape, 3), draw.normal(shape)], cotangent: draw.normal(shape)) { try $0[0].swiglu($0[1]) }
      expect(errors, dtype, "\(shape)")
    }
  }

  /// Beyond the range of the exponential nothing may become infinite or NaN.
  @Test(arguments: types) func swigluFarOut(dtype: DType) throws {
    let gate = try Tensor([-300, -90, -20, 0, 20, 90, 300] as [Float]).cast(dtype), up = try Tensor.full([7], 1).cast(dtype)
    let got = try Differentiated([gate, up]) { try $0[0].swiglu($0[1]) }
    #expect(try got.output.floats().map { $0.rounded() } == [0, 0, 0, 0, 20, 90, 300])
    #expect(try got.gradients[0]!.floats().map { $0.rounded() } == [0, 0, 0, 1, 1, 1, 1])
  }

  @Test(arguments: types) func attention(dtype: DType) throws {
    var draw = try Draw(5)
    // Lengths on both sides of a block of 128 queries; grouped heads; windows of one, of a few, across a block.
    for (length, heads, groups, window) in [(1, 1, 1, 0), (23, 4, 4, 0), (40, 6, 2, 7), (129, 2, 1, 0), (300, 3, 3, 130), (260, 4, 2, 1), (150, 2, 2, 400)] {
      let rows = draw.size(1...3), width = 2 * draw.size(2...20)
      for spans in [(0..<rows).map { Span(row: $0, start: 0, length: length) }, randomSpans(rows: rows, length: length, &draw)] {
        let q = try draw.normal([rows, length, heads, width]), k = try draw.normal([rows, length, groups, width])
        let v = try draw.normal([rows, length, groups, width])
        let scale = 1 / Double(width).squareRoot()
        let errors = try KernelErrors(dtype, [q, k, v], cotangent: draw.normal([rows, length, heads, width])) {
          try Tensor.attention(query: $0[0], key: $0[1], value: $0[2], spans: spans, window: window, scale: scale)
        }
        // A token that sees itself alone moves no key or query: what is left of those gradients is rounding, not a number.
        if length == 1 || window == 1 { continue }
        expect(errors, dtype, "\(rows) × \(length), \(heads) heads on \(groups), width \(width), window \(window), spans \(spans)")
      }
    }
  }

  @Test(arguments: types) func attentionOfOneTokenIsItsValue(dtype: DType) throws {
    let draw = try Draw(6)
    let q = try draw.normal([2, 9, 4, 8]).cast(dtype), k = try draw.normal([2, 9, 2, 8]).cast(dtype), v = try draw.normal([2, 9, 2, 8]).cast(dtype)
    let spans = (0..<2).map { Span(row: $0, start: 0, length: 9) }
    let got = try Differentiated([q, k, v]) {
      try Tensor.attention(query: $0[0], key: $0[1], value: $0[2], spans: spans, window: 1, scale: 0.3)
    }
    let repeated = try v.reshaped([2, 9, 2, 1, 8]).expanded([2, 9, 2, 2, 8]).reshaped([2, 9, 4, 8])
    #expect(try got.output.largestDifference(to: repeated) == 0)
    #expect(try got.gradients[2]!.floats().allSatisfy { $0 == 2 })
    #expect(try got.gradients[0]!.floats().allSatisfy { Swift.abs($0) < 1e-2 })
  }

  /// Padding gives zeros and takes no gradient.
  @Test(arguments: types) func attentionLeavesPaddingAtZero(dtype: DType) throws {
    let draw = try Draw(7)
    let q = try draw.normal([1, 12, 2, 4]).cast(dtype), k = try draw.normal([1, 12, 1, 4]).cast(dtype), v = try draw.normal([1, 12, 1, 4]).cast(dtype)
    let got = try Differentiated([q, k, v]) {
      try Tensor.attention(query: $0[0], key: $0[1], value: $0[2], spans: [Span(row: 0, start: 2, length: 5)], scale: 0.5)
    }
    for tensor in [got.output] + got.gradients.map({ $0! }) {
      for range in [0..<2, 7..<12] { #expect(try tensor.sliced(axis: 1, range).floats().allSatisfy { $0 == 0 }) }
      #expect(try tensor.sliced(axis: 1, 2..<7).abs().max().item() > 0 || tensor === got.gradients[0])
    }
  }

  /// New tokens against a cache see what a whole pass sees, in rows of different lengths.
  @Test(arguments: [0, 5]) func cachedAttention(window: Int) throws {
    let draw = try Draw(8)
    let q = try draw.normal([2, 20, 4, 8]).cast(.float32), k = try draw.normal([2, 20, 2, 8]).cast(.float32), v = try draw.normal([2, 20, 2, 8]).cast(.float32)
    let whole = try Tensor.attention(
      query: q, key: k, value: v, spans: [Span(row: 0, start: 0, length: 20), Span(row: 1, start: 0, length: 20)], window: window, scale: 0.3)
    let keys = try Tensor.zeros([2, 2, 32, 8]), values = try Tensor.zeros([2, 2, 32, 8])
    let starts = [11, 14], block = 3
    for (row, start) in starts.enumerated() {
      for (cache, source) in [(keys, k), (values, v)] {
        let part = try source.sliced(axis: 0, row..<row + 1).sliced(axis: 1, 0..<start + block).transposed(1, 2)
        try cache.sliced(axis: 0, row..<row + 1).write(part, at: [0])
      }
    }
    let parts = try starts.enumerated().map { row, start in try q.sliced(axis: 0, row..<row + 1).sliced(axis: 1, start..<start + block) }
    let got = try Tensor.cachedAttention(
      query: .concatenated(parts, axis: 0), key: keys, value: values, lengths: starts, window: window, scale: 0.3)
    for (row, start) in starts.enumerated() {
      let expected = try whole.sliced(axis: 0, row..<row + 1).sliced(axis: 1, start..<start + block)
      #expect(try got.sliced(axis: 0, row..<row + 1).largestDifference(to: expected) < 2e-6)
    }
  }
}
