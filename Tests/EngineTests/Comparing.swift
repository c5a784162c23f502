import HoldfastBasics
import HoldfastEngine

/// Numbers for a test: shapes and values follow from a seed.
struct Draw {
  var stream: CounterGenerator
  private let source: Generator

  init(_ seed: Int) throws {
    stream = CounterGenerator(seed: UInt64(seed), "kernels")
    source = try Generator(seed: stream.next())
  }

  mutating func size(_ range: ClosedRange<Int>) -> Int { range.lowerBound + stream.below(range.count) }

  /// f64, standard normal times `deviation`.
  func normal(_ shape: [Int], _ deviation: Double = 1) throws -> Tensor {
    try source.normal(shape, deviation: deviation, dtype: .float64)
  }
}

/// What a function gives, and the gradient of ⟨output, cotangent⟩ for every input that asks for one.
struct Differentiated {
  let output: Tensor
  let gradients: [Tensor?]

  init(_ inputs: [Tensor], cotangent: Tensor? = nil, trained: [Bool]? = nil, _ function: ([Tensor]) throws -> Tensor) throws {
    let leaves = try inputs.map { try $0.copy() }
    for (i, leaf) in leaves.enumerated() where trained?[i] ?? true { try leaf.setRequiresGradient(true) }
    let result = try function(leaves)
    output = try result.detached()
    let wide: DType = try result.dtype == .float64 ? .float64 : .float32
    let value = try result.cast(wide)
    try (cotangent.map { try value * $0.cast(wide) } ?? value).sum().backward()
    gradients = try leaves.map { try $0.takeGradient() }
  }
}

/// ‖a − b‖ / ‖b‖ in f64.
func relativeError(_ a: Tensor, _ b: Tensor) throws -> Double {
  let wide = try b.cast(.float64)
  let difference = try Tensor.squaredNorm(of: [try a.cast(.float64) - wide]).squareRoot()
  let norm = try Tensor.squaredNorm(of: [wide]).squareRoot()
  return norm == 0 ? difference : difference / norm
}

func withComposedPath<T>(_ body: () throws -> T) throws -> T {
  try Torch.setComposed(true)
  defer { try? Torch.setComposed(false) }
  return try body()
}

/// How far a kernel lies from the composed path: in f64 on the same rounded inputs, and in its own type.
struct KernelErrors: CustomStringConvertible {
  var fromWide = 0.0
  var fromComposed = 0.0

  var description: String { "\(fromWide) from f64, \(fromComposed) from the composed path" }

  /// `inputs` and `cotangent` in f64; forward and backward are both compared.
  init(_ dtype: DType, _ inputs: [Tensor], cotangent: Tensor?, _ function: ([Tensor]) throws -> Tensor) throws {
    let rounded = try inputs.map { try $0.cast(dtype) }
    let gradient = try cotangent?.cast(dtype)
    let fused = try Differentiated(rounded, cotangent: gradient, function)
    let composed = try withComposedPath { try Differentiated(rounded, cotangent: gradient, function) }
    let wide = try withComposedPath {
      try Differentiated(rounded.map { try $0.cast(.float64) }, cotangent: gradient?.cast(.float64), function)
    }
    let all = { (d: Differentiated) in [d.output] + d.gradients.map { $0! } }
    for (ours, (theirs, exact)) in zip(all(fused), zip(all(composed), all(wide))) {
      fromWide = max(fromWide, try relativeError(ours, exact))
      fromComposed = max(fromComposed, try relativeError(ours, theirs))
    }
  }
}

/// Spans that cover part of rows · length: random cuts, with padding at the end of some rows.
func randomSpans(rows: Int, length: Int, _ draw: inout Draw) -> [Span] {
  var spans: [Span] = []
  for row in 0..<rows {
    let end = draw.stream.below(2) == 0 ? length : draw.size(1...length)
    var start = 0
    while start < end {
      let size = min(end - start, draw.size(1...length))
      spans.append(Span(row: row, start: start, length: size))
      start += size
    }
  }
  return spans
}
