internal import HoldfastBasics
public import HoldfastEngine

/// Which of a decoder's adapters act on a row.
public enum AdapterChoice: Sendable, Hashable {
  case all, none
  /// One of several that stand beside one another, in the order in which they were attached.
  case only(Int)
}

/// How decoding keeps weights.
public enum DecodingWeights: String, Sendable, CaseIterable {
  /// In the model's type.
  case asStored = "stored"
  /// Matrices as int8 with a scale for each row; embedding, norms and adapters as they are.
  case int8
}

/// Tokens that a row brings to a step.
public struct RowTokens: Sendable {
  /// Row of the cache.
  public let row: Int
  public let ids: [Int]
  /// The logits of this many of the last ones are asked for.
  public let wanted: Int
  public let adapters: AdapterChoice

  public init(row: Int, ids: [Int], wanted: Int, adapters: AdapterChoice = .all) {
    precondition(wanted <= ids.count)
    self.row = row
    self.ids = ids
    self.wanted = wanted
    self.adapters = adapters
  }
}

/// A decoder laid out for generation: rows of a cache take tokens in any number each, and logits come out.
///
/// On a CPU in f32 and bf16 a step is one kernel, in which a row's numbers do not depend on what else shares the call: neither other rows
/// nor how many tokens it brings. Elsewhere the step is composed of libtorch's operations, which promise that in f32 alone, and only nearly.
public final class DecodingModel {
  public let configuration: ModelConfiguration
  /// Of weights and caches.
  public let dtype: DType
  public let device: Device
  /// Whether a row's numbers are the same to the bit whatever shares the call.
  public var isRowInvariant: Bool { program != nil }
  /// Bytes of the weights that a step reads, embedding apart where it is no head.
  public let weightBytes: Int
  private let program: DecodeProgram?
  /// For steps without a kernel.
  private let decoder: Decoder?
  private let adapterCount: Int

  /// The decoder's weights are shared, not copied; with int8 they are copied once, and the decoder may go.
  public init(_ decoder: Decoder, weights: DecodingWeights = .asStored) throws(EngineError) {
    configuration = decoder.configuration
    dtype = decoder.dtype
    device = decoder.device
    adapterCount = decoder.adapters.count
    let hasKernel = decoder.device.kind == .cpu && (decoder.dtype == .float32 || decoder.dtype == .bfloat16)
    guard hasKernel else {
      if weights == .int8 { throw EngineError("int8 weights are decoded on the CPU only, from f32 or bf16") }
      program = nil
      self.decoder = decoder
      weightBytes = decoder.baseParameters.reduce(0) { $0 + $1.count * decoder.dtype.size }
      return
    }
    var layout = DecodeLayout(weights: weights)
    program = try layout.program(of: decoder)
    self.decoder = nil
    weightBytes = layout.bytes
  }

  public func cache(rows: Int, capacity: Int) throws(EngineError) -> KVCache {
    try KVCache(configuration, rows: rows, capacity: capacity, dtype: dtype, device: device)
  }

  private func mask(_ choice: AdapterChoice) -> UInt64 {
    switch choice {
    case .all: adapterCount == 64 ? .max : (1 << UInt64(adapterCount)) - 1
    case .none: 0
    case .only(let index): 1 << UInt64(index)
    }
  }

  /// Reads every row's tokens behind what the cache holds of it. Gives the logits that are asked for, f32 on the CPU
  /// [Σ wanted, vocabulary], in the order of the rows given.
  public func advance(_ rows: [RowTokens], in cache: KVCache) throws(EngineError) -> Tensor {
    for part in rows where cache.lengths[part.row] + part.ids.count > cache.capacity {
      throw EngineError("\(cache.lengths[part.row] + part.ids.count) tokens do not fit a cache of \(cache.capacity)")
    }
    guard let program else { return try composed(rows, in: cache) }
    var ids: [Int] = [], places: [Int] = [], positions: [Int] = [], masks: [UInt64] = [], wanted: [Int] = []
    for part in rows where !part.ids.isEmpty {
      let start = cache.lengths[part.row]
      wanted += (ids.count + part.ids.count - part.wanted)..<(ids.count + part.ids.count)
      ids += part.ids
      positions += start..<start + part.ids.count
      places += repeatElement(part.row, count: part.ids.count)
      masks += repeatElement(mask(part.adapters), count: part.ids.count)
    }
    guard !ids.isEmpty else { return try Tensor.zeros([0, configuration.vocabularySize]) }
    let logits = try program.step(
      ids: ids, rows: places, positions: positions, masks: adapterCount == 0 ? nil : masks, keys: cache.keys, values: cache.values,
      wanted: wanted)
    var counts = [Int](repeating: 0, count: cache.lengths.count)
    for part in rows { counts[part.row] += part.ids.count }
    cache.advance(by: counts)
    return logits
  }

  /// The same out of libtorch's operations; neighbouring rows with as many tokens run together.
  private func composed(_ rows: [RowTokens], in cache: KVCache) throws(EngineError) -> Tensor {
    guard let decoder else { throw EngineError("the decoder is gone") }
    var parts: [Tensor] = [], next = 0
    while next < rows.count {
      let first = rows[next]
      var end = next + 1
      while end < rows.count, rows[end].row == rows[end - 1].row + 1, rows[end].ids.count == first.ids.count,
        rows[end].wanted == first.wanted,
        rows[end].adapters == first.adapters
      { end += 1 }
      defer { next = end }
      if first.ids.isEmpty { continue }
      let use: AdapterUse
      switch first.adapters {
      case .all: use = .on
      case .none: use = .off
      case .only(0) where adapterCount == 1: use = .on
      case .only: throw EngineError("one adapter of several is chosen by row on the CPU in f32 or bf16 only")
      }
      let view = try cache.view(rows: first.row..<first.row + end - next), block = first.ids.count
      let hidden = try decoder.decode(rows[next..<end].map(\.ids), cache: view, adapters: use)
      var counts = [Int](repeating: 0, count: cache.lengths.count)
      for part in rows[next..<end] { counts[part.row] += block }
      cache.advance(by: counts)
      if first.wanted == 0 { continue }
      let places = (0..<end - next).flatMap { row in (block - first.wanted..<block).map { row * block + $0 } }
      parts.append(
        try Torch.withoutGradients { () throws(EngineError) in
          try decoder.logits(hidden.selecting(Tensor(places, device: device), axis: 0)).cast(.float32).to(.cpu)
        })
    }
    return parts.isEmpty
      ? try Tensor.zeros([0, configuration.vocabularySize]) : parts.count == 1 ? parts[0] : try Tensor.concatenated(parts, axis: 0)
  }
}

/// Lays a decoder's weights out for the kernel.
private struct DecodeLayout {
  let weights: DecodingWeights
  var bytes = 0
  private var places: [ObjectIdentifier: Int] = [:]

  init(weights: DecodingWeights) { self.weights = weights }

  mutating func program(of decoder: Decoder) throws(EngineError) -> DecodeProgram {
    if decoder.adapters.count > 64 { throw EngineError("a decoder has \(decoder.adapters.count) adapters; decoding takes 64 at most") }
    for (i, adapter) in decoder.adapters.enumerated() { for linear in adapter.linears { places[ObjectIdentifier(linear)] = i } }
    let c = decoder.configuration
    var layers: [DecodeLayer] = []
    for block in decoder.blocks {
      let a = block.attention
      layers.append(
        DecodeLayer(
          query: try linear(a.query), key: try linear(a.key), value: try linear(a.value), output: try linear(a.output),
          gate: try linear(block.mlp.gate),
          up: try linear(block.mlp.up), down: try linear(block.mlp.down), inputNorm: block.inputNorm.weight.value,
          postNorm: block.postAttentionNorm.weight.value, queryNorm: a.queryNorm?.weight.value, keyNorm: a.keyNorm?.weight.value,
          window: a.window))
    }
    let head = try matrix(decoder.head.value)
    return DecodeProgram(
      embedding: decoder.embedding.value, norm: decoder.norm.weight.value, frequencies: decoder.frequencies,
      head: DecodeLinear(weight: head.0, scale: head.1),
      layers: layers, heads: c.headCount, groups: c.keyValueHeadCount, width: c.headWidth, epsilon: c.normEpsilon)
  }

  private mutating func matrix(_ weight: Tensor) throws(EngineError) -> (Tensor, Tensor?) {
    let count = try weight.count
    if weights == .int8 {
      let (values, scales) = try weight.quantizedRows()
      bytes += count
      return (values, scales)
    }
    bytes += count * (try weight.dtype.size)
    return (weight, nil)
  }

  private mutating func linear(_ linear: Linear) throws(EngineError) -> DecodeLinear {
    let (weight, scale) = try matrix(linear.weight.value)
    var adapters: [DecodeAdapter] = []
    for adaptation in linear.adaptations {
      // DoRA's norms stay as they are while nothing trains.
      let factor = try adaptation.magnitude.map { (m: Parameter) throws(EngineError) in
        try m.value.cast(.float32) / adaptation.norms().cast(.float32)
      }
      adapters.append(
        DecodeAdapter(
          down: try Torch.withoutGradients { () throws(EngineError) in try adaptation.down() }, up: adaptation.b.value, factor: factor,
          scale: adaptation.scale, bit: places[ObjectIdentifier(adaptation)] ?? 0))
    }
    return DecodeLinear(weight: weight, scale: scale, bias: linear.bias?.value, adapters: adapters)
  }
}
