internal import HoldfastBasics
public import HoldfastEngine

/// How a forward pass treats a model's adapters.
public enum AdapterUse: Sendable, Hashable {
  case on
  /// The base model, to the bit.
  case off
  /// Only those under the one that was attached last: the model as a run found it that trains one over others.
  case below
  /// On, with dropout on the inputs of their paths where their configuration has some. The same seed drops the same inputs.
  case training(seed: UInt64)
}

/// One linear layer's part of an adapter: U = s·B·A over the base weight W, or what the kind makes of it. U is never made
/// in a forward or backward pass.
///
/// The dense gradient dL/dU = dyᵀ·x, without any factor s, is the gradient of the frozen base weight: whoever asks
/// `base.value` for a gradient gets it from the same backward pass (exactly so for LoRA and AdaLoRA without dropout).
public final class AdaptedLinear {
  /// The layer's name, such as `model.layers.0.self_attn.q_proj`.
  public let name: String
  public let kind: AdapterConfiguration.Kind
  /// W, [out, in]; belongs to the model.
  public let base: Parameter
  /// A [rank, in]; AdaLoRA's Q.
  public let a: Parameter
  /// B [out, rank]; AdaLoRA's P.
  public let b: Parameter
  /// AdaLoRA's Λ, [rank, 1].
  public let diagonal: Parameter?
  /// DoRA's m, [out].
  public let magnitude: Parameter?
  /// s
  public let scale: Double
  public let rank: Int
  let dropout: Double
  /// Whether no adapter was attached after this one.
  var isLast = true
  /// Squared norms of W's rows in f32 or wider, once they are known.
  private var baseSquares: Tensor?

  init(_ loader: WeightLoader, _ linear: Linear, _ c: AdapterConfiguration) throws {
    name = linear.name
    kind = c.kind
    base = linear.weight
    scale = c.scale(of: name)
    rank = c.ranks[name] ?? c.rank
    dropout = c.dropout
    let output = base.shape[0], input = base.shape[1]
    let ending = kind == .adalora ? "" : ".weight"
    a = try loader.parameter("\(name).lora_A\(ending)", [rank, input])
    b = try loader.parameter("\(name).lora_B\(ending)", [output, rank])
    diagonal = kind == .adalora ? try loader.parameter("\(name).lora_E", [rank, 1]) : nil
    magnitude = kind == .dora ? try loader.parameter("\(name).lora_magnitude_vector", [output]) : nil
  }

  public var parameters: [Parameter] { [a, b] + [diagonal, magnitude].compactMap { $0 } }

  /// What maps to the rank: A, or Λ·Q.
  func down() throws(EngineError) -> Tensor {
    guard let diagonal else { return a.value }
    return try a.value * diagonal.value
  }

  /// x after dropout, where the pass trains and there is some.
  private func input(_ x: Tensor, _ use: AdapterUse) throws(EngineError) -> Tensor {
    guard case .training(let seed) = use, dropout > 0 else { return x }
    var stream = CounterGenerator(seed: seed, "dropout", name)
    let dtype = try x.dtype
    let drawn = try Generator(seed: stream.next(), device: x.device).uniform(x.shape)
    let edge = try Tensor.full([1], dropout, device: x.device)
    return try x * ((drawn > edge).cast(dtype) * (1 / (1 - dropout)))
  }

  /// W·x + b with this adapter. x [N, in] → [N, out]
  func adapted(_ x: Tensor, bias: Tensor?, _ use: AdapterUse) throws(EngineError) -> Tensor {
    guard let magnitude else { return try sum(x, bias: bias, use) }
    let plain = try sum(x, bias: nil, use)
    let scaled = try plain * (magnitude.value / norms().cast(magnitude.value.dtype))
    guard let bias else { return scaled }
    return try scaled + bias
  }

  /// W·x + b + s·B·A·x
  private func sum(_ x: Tensor, bias: Tensor?, _ use: AdapterUse) throws(EngineError) -> Tensor {
    // Dropped inputs are others than those of W.
    if case .training = use, dropout > 0 { return try add(to: x.linear(base.value, bias: bias), x, use) }
    return try x.linear(base.value, bias: bias, down: down(), up: b.value, scale: scale)
  }

  /// y + s·B·A·x: how a second adapter joins a first.
  func add(to y: Tensor, _ x: Tensor, _ use: AdapterUse) throws(EngineError) -> Tensor {
    let small = try input(x, use).linear(down())
    return try y + (small * scale).linear(b.value)
  }

  /// ‖W + s·B·A‖ of each row, [out], in f32 or wider and without gradient, which DoRA's paper treats as constant:
  /// ‖w‖² + 2s·(W·Aᵀ)·b + s²·bᵀ(A·Aᵀ)b, so that the sum is never made.
  func norms() throws(EngineError) -> Tensor {
    let wide: DType = try base.value.dtype == .float64 ? .float64 : .float32
    return try Torch.withoutGradients { () throws(EngineError) -> Tensor in
      if baseSquares == nil {
        let w = try base.value.cast(wide)
        baseSquares = try (w * w).sum(axis: 1)
      }
      let a = a.value, b = try b.value.cast(wide)
      let cross = try (base.value.linear(a).cast(wide) * b).sum(axis: 1)
      let square = try (b.linear(a.linear(a).cast(wide)) * b).sum(axis: 1)
      return try (baseSquares! + cross * (2 * scale) + square * (scale * scale)).squareRoot()
    }
  }

  /// s·B·A, or s·P·Λ·Q, dense [out, in] in f32 or wider, of `values` where they are given and of the parameters elsewhere.
  public func product(_ values: ((Parameter) -> Tensor?)? = nil) throws(EngineError) -> Tensor {
    let wide: DType = try base.value.dtype == .float64 ? .float64 : .float32
    func value(_ p: Parameter) throws(EngineError) -> Tensor { try (values?(p) ?? p.value).cast(wide) }
    var down = try value(a)
    if let diagonal { down = try down * value(diagonal) }
    return try value(b).matmul(down) * scale
  }

  /// The weight that does alone what W and the adapter do together, from `weight`, which is W in f32 or wider. Its type.
  public func merged(into weight: Tensor) throws(EngineError) -> Tensor {
    let sum = try weight + product().to(weight.device).cast(weight.dtype)
    guard let magnitude else { return sum }
    let norms = try (sum * sum).sum(axis: 1).squareRoot()
    return try sum * (magnitude.value.cast(weight.dtype) / norms).reshaped([weight.shape[0], 1])
  }
}
