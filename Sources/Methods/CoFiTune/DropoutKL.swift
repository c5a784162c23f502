public import HoldfastBasics
public import HoldfastDatasets
public import HoldfastEngine
public import HoldfastModels
internal import HoldfastTraining

/// Importance of units by how much they would change the divergence between two passes that differ in dropout alone.
///
/// L = KL(softmax f² ‖ softmax f¹), summed over positions, with gradient through both passes and none into the weights. With a
/// gate g = 1 on every unit, ∂L/∂g = Σ o · ∂L/∂o over tokens (and the width of a head): the activation times its own gradient,
/// so no gate is needed. Sources: Zhang et al. 2024 (arXiv 2404.10306), after Ke et al. 2023 (arXiv 2302.03241).
public struct DropoutKL: Sendable, Hashable {
  /// Whose distributions are compared.
  public enum Positions: String, KeyChoice {
    /// Padding too, as published.
    case all
    case nonpad
    /// Those that have a label.
    case answer
  }

  /// How examples are added up.
  public enum Accumulation: String, KeyChoice {
    /// Absolute value of each example's sum.
    case abs
    /// Absolute value of each microbatch's sum.
    case absBatch = "abs_batch"
    /// With their signs, as published.
    case signed
  }

  public var dropout: Double
  public var positions: Positions
  public var accumulation: Accumulation
  /// Positions whose logits exist at once.
  var chunk = 512

  public init(dropout: Double = 0.003, positions: Positions = .nonpad, accumulation: Accumulation = .abs) {
    self.dropout = dropout
    self.positions = positions
    self.accumulation = accumulation
  }

  /// Zeros to add to, f32: `head.L` [heads], `inner.L` [intermediate], `output.L` [hidden].
  public static func zeros(_ c: ModelConfiguration, device: Device = .cpu) throws(EngineError) -> [String: Tensor] {
    var sums: [String: Tensor] = [:]
    for layer in 0..<c.layerCount {
      sums["head.\(layer)"] = try Tensor.zeros([c.headCount], device: device)
      sums["inner.\(layer)"] = try Tensor.zeros([c.intermediateSize], device: device)
      sums["output.\(layer)"] = try Tensor.zeros([c.hiddenSize], device: device)
    }
    return sums
  }

  /// Adds a microbatch. The model's parameters must ask for no gradients; `seed` decides the noise of both passes.
  public func add(_ host: HostBatch, _ batch: Batch, _ model: Decoder, seed: UInt64, to sums: inout [String: Tensor]) throws {
    let count = parts(of: host).count
    if count == 0 { return }
    let examples = try Tensor(membership(of: host), shape: [count, host.rows * host.length], device: model.device)
    let first = Capture(dropout, seed: Self.noise(seed, 1)), second = Capture(dropout, seed: Self.noise(seed, 2))
    let one = try model.forward(batch, taps: first.taps).hidden, two = try model.forward(batch, taps: second.taps).hidden
    try backward(one, two, model, places(in: host))
    for layer in 0..<model.configuration.layerCount {
      for (kind, place) in [("head", Taps.Place.context), ("inner", .up), ("output", .down)] {
        var product = try first.product(place, layer) + second.product(place, layer)
        if kind == "head" {
          let shape = [host.rows * host.length, model.configuration.headCount, model.configuration.headWidth]
          product = try product.reshaped(shape).sum(axis: 2)
        }
        let byExample = try examples.matmul(product)
        let added =
          switch accumulation {
          case .abs: try byExample.abs().sum(axis: 0)
          case .absBatch: try byExample.sum(axis: 0).abs()
          case .signed: try byExample.sum(axis: 0)
          }
        try sums["\(kind).\(layer)"]!.add(added)
      }
    }
  }

  /// The loss alone, for a test: f64 of the model's type.
  package func loss(_ host: HostBatch, _ batch: Batch, _ model: Decoder, seed: UInt64, gate: (Taps.Place, Int, Tensor) throws(EngineError) -> Tensor)
    throws(EngineError) -> Tensor
  {
    try withoutActuallyEscaping(gate) { (gate: @escaping (Taps.Place, Int, Tensor) throws(EngineError) -> Tensor) throws(EngineError) -> Tensor in
      let one = try model.forward(batch, taps: Taps(dropout: dropout, seed: Self.noise(seed, 1), gate)).hidden
      let two = try model.forward(batch, taps: Taps(dropout: dropout, seed: Self.noise(seed, 2), gate)).hidden
      let index = try Tensor(places(in: host), device: model.device)
      return try Self.divergence(one.selecting(index, axis: 0), two.selecting(index, axis: 0), model)
    }
  }

  private static func noise(_ seed: UInt64, _ pass: Int) -> UInt64 {
    var stream = CounterGenerator(seed: seed, "importance pass", pass)
    return stream.next()
  }

  /// KL(softmax of the second ‖ softmax of the first), summed, nats.
  private static func divergence(_ one: Tensor, _ two: Tensor, _ model: Decoder) throws(EngineError) -> Tensor {
    func log(_ hidden: Tensor) throws(EngineError) -> Tensor {
      let logits = try model.logits(hidden)
      return try (logits.dtype == .float64 ? logits : logits.cast(.float32)).logSoftmax(axis: 1)
    }
    let p = try log(one), q = try log(two)
    return try (q.exp() * (q - p)).sum()
  }

  /// Gradients down to the captured activations. The head runs chunk by chunk on copies of the hidden states, so that logits
  /// never exist whole; what it leaves there then goes down through both passes at once.
  private func backward(_ one: Tensor, _ two: Tensor, _ model: Decoder, _ places: [Int]) throws {
    let ends = [try one.detached().copy(), try two.detached().copy()]
    for end in ends { try end.setRequiresGradient(true) }
    var total = 0.0
    for start in stride(from: 0, to: places.count, by: chunk) {
      let index = try Tensor(Array(places[start..<min(start + chunk, places.count)]), device: model.device)
      let loss = try Self.divergence(ends[0].selecting(index, axis: 0), ends[1].selecting(index, axis: 0), model)
      total += try loss.item()
      try loss.backward()
    }
    guard total.isFinite else { throw EngineError("the divergence of two dropout passes is \(total); precision: f32 is the usual cure") }
    guard let a = try ends[0].takeGradient(), let b = try ends[1].takeGradient() else { return }
    try ((one * a).sum() + (two * b).sum()).backward()
  }

  /// Flat positions that count.
  private func places(in host: HostBatch) -> [Int] {
    switch positions {
    case .all: Array(0..<host.rows * host.length)
    case .nonpad: host.segments.flatMap { s in (0..<s.length).map { s.row * host.length + s.start + $0 } }
    case .answer: host.labels.indices.filter { host.labels[$0] != ignoreIndex }
    }
  }

  /// Flat ranges of the examples; with `all` also what stands behind them in a row.
  private func parts(of host: HostBatch) -> [Range<Int>] {
    var parts = host.segments.map { s in s.row * host.length + s.start..<s.row * host.length + s.start + s.length }
    if positions == .all {
      for row in 0..<host.rows {
        let end = host.segments.filter { $0.row == row }.map { $0.start + $0.length }.max() ?? 0
        if end < host.length { parts.append(row * host.length + end..<(row + 1) * host.length) }
      }
    }
    return parts
  }

  /// 1 where a token belongs to an example, [examples, tokens] row-major.
  private func membership(of host: HostBatch) -> [Float] {
    let parts = parts(of: host), width = host.rows * host.length
    var marks = [Float](repeating: 0, count: parts.count * width)
    for (index, part) in parts.enumerated() { for token in part { marks[index * width + token] = 1 } }
    return marks
  }
}

/// Keeps activations of one pass with a leaf of zeros added to each, where their gradients arrive.
private final class Capture {
  private struct Key: Hashable {
    let place: Taps.Place
    let layer: Int
  }

  private var kept: [Key: (activation: Tensor, leaf: Tensor)] = [:]
  private let dropout: Double
  private let seed: UInt64

  init(_ dropout: Double, seed: UInt64) {
    self.dropout = dropout
    self.seed = seed
  }

  var taps: Taps {
    Taps(dropout: dropout, seed: seed) { [self] place, layer, x throws(EngineError) in
      guard place == .context || place == .up || place == .down else { return x }
      let leaf = try Tensor.zeros(x.shape, dtype: x.dtype, device: x.device)
      try leaf.setRequiresGradient(true)
      kept[Key(place: place, layer: layer)] = (try x.detached(), leaf)
      return try x + leaf
    }
  }

  /// Activation times gradient, f32 [tokens, units].
  func product(_ place: Taps.Place, _ layer: Int) throws(EngineError) -> Tensor {
    guard let (activation, leaf) = kept.removeValue(forKey: Key(place: place, layer: layer)), let gradient = try leaf.takeGradient() else {
      throw EngineError("no gradient reached the \(place) of layer \(layer)")
    }
    return try activation.cast(.float32) * gradient.cast(.float32)
  }
}
