internal import HoldfastBasics
public import HoldfastEngine

/// Lets the caller of a forward pass see, change and shake what goes on inside its layers.
///
/// A pass without taps takes the fused path and pays nothing. With dropout, attention runs as separate operations, since the
/// fused kernel never holds its probabilities. Blocks of a tapped pass are not recomputed.
public final class Taps {
  /// Activations by what reads or makes them; N tokens, padding included.
  public enum Place: Sendable, Hashable, CaseIterable {
    /// What query, key and value read, [N, hidden].
    case attentionInput
    /// What the output projection reads, head by head, [N, heads · width].
    case context
    /// What gate and up read, [N, hidden].
    case mlpInput
    /// What up gives, [N, intermediate].
    case up
    /// silu(gate) · up, which down reads, [N, intermediate].
    case product
    /// What down gives, [N, hidden].
    case down
  }

  /// Called for every layer and place in the order in which they come; what it returns goes on.
  private let body: (Place, Int, Tensor) throws(EngineError) -> Tensor
  /// Share of attention's probabilities and of down's outputs that is dropped; what remains is scaled up.
  public let dropout: Double
  /// The noise is a function of seed, layer and place.
  public let seed: UInt64

  public init(
    dropout: Double = 0, seed: UInt64 = 0, _ body: @escaping (Place, Int, Tensor) throws(EngineError) -> Tensor = { _, _, x throws(EngineError) in x }
  ) {
    precondition((0..<1).contains(dropout))
    self.dropout = dropout
    self.seed = seed
    self.body = body
  }

  func callAsFunction(_ place: Place, _ layer: Int, _ x: Tensor) throws(EngineError) -> Tensor { try body(place, layer, x) }

  /// x with noise.
  func dropped(_ x: Tensor, _ name: String, _ layer: Int) throws(EngineError) -> Tensor {
    guard dropout > 0 else { return x }
    var stream = CounterGenerator(seed: seed, "tap dropout", name, layer)
    let drawn = try Generator(seed: stream.next(), device: x.device).uniform(x.shape)
    let edge = try Tensor.full([1], dropout, device: x.device)
    return try x * ((drawn > edge).cast(x.dtype) * (1 / (1 - dropout)))
  }

  /// Who sees whom in a packed batch, made once a pass for each window: f32 [rows, 1, length, length], 0 or −1e9.
  private var masks: [Int: Tensor] = [:]

  /// Causal attention inside each span with dropout on its probabilities, as `Tensor.attention` is without it. query
  /// [rows, length, heads, width], key and value [rows, length, groups, width].
  func attention(
    query: Tensor, key: Tensor, value: Tensor, spans: [Span], window: Int, scale: Double, layer: Int
  ) throws(EngineError) -> Tensor {
    let shape = try query.shape, rows = shape[0], length = shape[1], heads = shape[2], width = shape[3]
    let groups = try key.shape[2], shared = heads / groups
    func spread(_ x: Tensor) throws(EngineError) -> Tensor {
      try x.transposed(1, 2).reshaped([rows, groups, 1, length, width]).expanded([rows, groups, shared, length, width])
        .reshaped([rows, heads, length, width])
    }
    let dtype: DType = try query.dtype == .float64 ? .float64 : .float32
    let scores = try query.transposed(1, 2).matmul(spread(key).transposed(2, 3)).cast(dtype) * scale
    let probabilities = try (scores + mask(rows, length, spans, window, query.device).cast(dtype)).softmax(axis: 3)
    let noisy = try dropped(probabilities, "attention", layer).cast(value.dtype)
    let context = try noisy.matmul(spread(value)).transposed(1, 2)
    // Tokens of no span saw everybody, and give zeros.
    return try context * inside(rows, length, spans, context)
  }

  private func mask(_ rows: Int, _ length: Int, _ spans: [Span], _ window: Int, _ device: Device) throws(EngineError) -> Tensor {
    if let known = masks[window] { return known }
    var mask = [Float](repeating: -1e9, count: rows * length * length)
    for span in spans {
      for i in span.start..<span.start + span.length {
        let first = window > 0 ? max(span.start, i - window + 1) : span.start
        for j in first...i { mask[(span.row * length + i) * length + j] = 0 }
      }
    }
    let made = try Tensor(mask, shape: [rows, 1, length, length], device: device)
    masks[window] = made
    return made
  }

  private func inside(_ rows: Int, _ length: Int, _ spans: [Span], _ like: Tensor) throws(EngineError) -> Tensor {
    var marks = [Float](repeating: 0, count: rows * length)
    for span in spans { for i in span.start..<span.start + span.length { marks[span.row * length + i] = 1 } }
    return try Tensor(marks, shape: [rows, length, 1, 1], device: like.device).cast(like.dtype)
  }
}
