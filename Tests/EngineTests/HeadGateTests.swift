import HoldfastEngine
import Testing

/// A gate on a head's attention probabilities is a gate on its context: CoFiTune's head importance may be read off the fused kernel.
struct HeadGateTests {
  private let rows = 2, length = 7, heads = 4, groups = 2, width = 3
  private let spans = [Span(row: 0, start: 0, length: 4), Span(row: 0, start: 4, length: 3), Span(row: 1, start: 0, length: 6)]

  private func inputs() throws -> (query: Tensor, key: Tensor, value: Tensor, weights: Tensor, noise: Tensor) {
    let generator = try Generator(seed: 4)
    func normal(_ shape: [Int]) throws -> Tensor { try generator.normal(shape, dtype: .float64) }
    let noise = try (generator.uniform([rows, heads, length, length]) > Tensor.full([1], 0.3)).cast(.float64) * (1 / 0.7)
    return (
      try normal([rows, length, heads, width]), try normal([rows, length, groups, width]), try normal([rows, length, groups, width]),
      try normal([rows, length, heads, width]), noise
    )
  }

  /// Attention written out, with gates on the probabilities after softmax and before the noise of dropout. Tokens of no span give zeros.
  private func writtenOut(_ x: (query: Tensor, key: Tensor, value: Tensor), gate: Tensor, noise: Tensor?) throws -> Tensor {
    func spread(_ x: Tensor) throws -> Tensor {
      try x.transposed(1, 2).reshaped([rows, groups, 1, length, width]).expanded([rows, groups, heads / groups, length, width])
        .reshaped([rows, heads, length, width])
    }
    var mask = [Float](repeating: -1e9, count: rows * length * length), inside = [Float](repeating: 0, count: rows * length)
    for span in spans {
      for i in span.start..<span.start + span.length {
        inside[span.row * length + i] = 1
        for j in span.start...i { mask[(span.row * length + i) * length + j] = 0 }
      }
    }
    let scores = try x.query.transposed(1, 2).matmul(spread(x.key).transposed(2, 3)) * 0.5
    var p = try (scores + Tensor(mask, shape: [rows, 1, length, length]).cast(.float64)).softmax(axis: 3)
    p = try p * gate.reshaped([1, heads, 1, 1])
    if let noise { p = try p * noise }
    return try p.matmul(spread(x.value)).transposed(1, 2) * Tensor(inside, shape: [rows, length, 1, 1]).cast(.float64)
  }

  @Test func probabilitiesAndContextHaveOneGate() throws {
    let (query, key, value, weights, noise) = try inputs()
    let gate = try Tensor.full([heads], 1, dtype: .float64)
    try gate.setRequiresGradient(true)
    // Without noise: the fused kernel's context times the gradient that reaches it, summed over tokens and the head's width.
    try (writtenOut((query, key, value), gate: gate, noise: nil) * weights).sum().backward()
    let atProbabilities = try #require(try gate.takeGradient()).doubles()
    let context = try Tensor.attention(query: query, key: key, value: value, spans: spans, scale: 0.5)
    let captured = try (context * weights).transposed(1, 2).reshaped([rows, heads, length * width]).sum(axis: 2).sum(axis: 0).doubles()
    #expect(atProbabilities.map(abs).max()! > 0.1)
    for (a, b) in zip(captured, atProbabilities) { #expect(abs(a - b) < 1e-10 * max(1, abs(b)), "\(a) and \(b)") }
    // Under dropout too, whose noise comes after the gate.
    try (writtenOut((query, key, value), gate: gate, noise: noise) * weights).sum().backward()
    let noisy = try #require(try gate.takeGradient()).doubles()
    try gate.setRequiresGradient(false)
    let shaken = try writtenOut((query, key, value), gate: gate, noise: noise)
    let again = try (shaken * weights).transposed(1, 2).reshaped([rows, heads, length * width]).sum(axis: 2).sum(axis: 0).doubles()
    for (a, b) in zip(again, noisy) { #expect(abs(a - b) < 1e-10 * max(1, abs(b)), "\(a) and \(b)") }
    #expect(zip(noisy, atProbabilities).contains { abs($0 - $1) > 0.1 })
    // A gate off 1 scales that head's context alone.
    let half = try Tensor([1.0, 1.0, 0.5, 1.0] as [Double], shape: [heads], dtype: .float64)
    let one = try writtenOut((query, key, value), gate: half, noise: nil), other = try context * half.reshaped([heads, 1])
    #expect(try one.largestDifference(to: other) < 1e-12)
  }
}
