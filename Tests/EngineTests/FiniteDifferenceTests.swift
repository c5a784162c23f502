import HoldfastBasics
import HoldfastEngine
import Testing

/// Gradients in f64 against central differences along random directions.
@Suite struct FiniteDifferences {
  private func check(
    _ inputs: [Tensor], _ draw: Draw, sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) throws -> Tensor
  ) throws {
    let cotangent = try draw.normal(function(inputs).shape)
    let got = try Differentiated(inputs, cotangent: cotangent, function)
    let step = 1e-5
    for (i, input) in inputs.enumerated() {
      for _ in 0..<3 {
        let direction = try draw.normal(input.shape)
        func value(_ sign: Double) throws -> Double {
          var moved = inputs
          moved[i] = try input + direction * (sign * step)
          return try (function(moved) * cotangent).sum().item()
        }
        let numeric = (try value(1) - value(-1)) / (2 * step)
        let analytic = try (got.gradients[i]! * direction).sum().item()
        let scale = try max(1, Tensor.squaredNorm(of: [got.gradients[i]!]).squareRoot())
        #expect(Swift.abs(numeric - analytic) < 1e-7 * scale, "input \(i): \(numeric) and \(analytic)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func layers() throws {
    let draw = try Draw(21)
    try check([draw.normal([5, 7]), draw.normal([4, 7]), draw.normal([4])], draw) { try $0[0].linear($0[1], bias: $0[2]) }
    try check([draw.normal([6, 9]), draw.normal([9])], draw) { try $0[0].rmsNorm($0[1], epsilon: 1e-5) }
    try check([draw.normal([6, 9]), draw.normal([6, 9])], draw) { try $0[0].swiglu($0[1]) }
    let angles = try draw.normal([5, 3]).cast(.float32)
    let cosine = try angles.cos(), sine = try angles.sin()
    try check([draw.normal([5, 2, 6])], draw) { try $0[0].rotated(cosine: cosine, sine: sine) }
    let ids = try Tensor([3, 1, 3, 0])
    try check([draw.normal([4, 5])], draw) { try ids.embedded(in: $0[0]) }
  }

  @Test(arguments: [0, 3]) func attention(window: Int) throws {
    let draw = try Draw(22)
    let spans = [Span(row: 0, start: 0, length: 5), Span(row: 0, start: 5, length: 3), Span(row: 1, start: 0, length: 7)]
    try check([draw.normal([2, 8, 4, 6]), draw.normal([2, 8, 2, 6]), draw.normal([2, 8, 2, 6])], draw) {
      try Tensor.attention(query: $0[0], key: $0[1], value: $0[2], spans: spans, window: window, scale: 0.4)
    }
  }

  @Test func headLoss() throws {
    let draw = try Draw(23)
    let labels = try Tensor([4, -1, 0, 10, 4, 7]), weights = try Tensor([1, 1, 0.5, 2, 0, 1] as [Float])
    for given in [nil, weights] {
      try check([draw.normal([6, 5]), draw.normal([11, 5])], draw) { try $0[0].headLoss($0[1], labels: labels, weights: given) }
    }
  }
}
