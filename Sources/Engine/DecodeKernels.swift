internal import CTorch

/// A low-rank adapter of one linear layer, as decoding reads it: y += scale · up·(down·x), then y ·= factor.
package struct DecodeAdapter {
  /// [rank, in], [out, rank]
  package let down, up: Tensor
  /// f32 [out]
  package let factor: Tensor?
  package let scale: Double
  /// It acts on tokens whose mask has this bit.
  package let bit: Int

  package init(down: Tensor, up: Tensor, factor: Tensor?, scale: Double, bit: Int) {
    (self.down, self.up, self.factor, self.scale, self.bit) = (down, up, factor, scale, bit)
  }
}

/// y = W·x + b. The weight is f32, bf16, or int8 with a scale for each row.
package struct DecodeLinear {
  package let weight: Tensor
  package let scale: Tensor?
  package let bias: Tensor?
  package let adapters: [DecodeAdapter]

  package init(weight: Tensor, scale: Tensor? = nil, bias: Tensor? = nil, adapters: [DecodeAdapter] = []) {
    (self.weight, self.scale, self.bias, self.adapters) = (weight, scale, bias, adapters)
  }
}

package struct DecodeLayer {
  package let query, key, value, output, gate, up, down: DecodeLinear
  package let inputNorm, postNorm: Tensor
  package let queryNorm, keyNorm: Tensor?
  package let window: Int

  package init(
    query: DecodeLinear, key: DecodeLinear, value: DecodeLinear, output: DecodeLinear, gate: DecodeLinear, up: DecodeLinear,
    down: DecodeLinear,
    inputNorm: Tensor, postNorm: Tensor, queryNorm: Tensor?, keyNorm: Tensor?, window: Int
  ) {
    (self.query, self.key, self.value, self.output, self.gate, self.up, self.down) = (query, key, value, output, gate, up, down)
    (self.inputNorm, self.postNorm, self.queryNorm, self.keyNorm, self.window) = (inputNorm, postNorm, queryNorm, keyNorm, window)
  }
}

/// A decoder laid out for the kernel that runs a whole step in one crossing. Keeps every tensor that it names.
package final class DecodeProgram {
  private var model: ct_decode_model
  private let layers: UnsafeMutableBufferPointer<ct_decode_layer>
  private var adapters: [UnsafeMutableBufferPointer<ct_decode_adapter>] = []
  private var kept: [Tensor] = []

  /// frequencies: f32 [width / 2], radians a position.
  package init(
    embedding: Tensor, norm: Tensor, frequencies: Tensor, head: DecodeLinear, layers: [DecodeLayer], heads: Int, groups: Int, width: Int,
    epsilon: Double
  ) {
    self.layers = .allocate(capacity: layers.count)
    let none = ct_decode_linear(weight: absent, scale: absent, bias: absent, adapters: nil, adapter_count: 0)
    model = ct_decode_model(
      embedding: embedding.handle, norm: norm.handle, frequencies: frequencies.handle, head: none,
      layers: self.layers.baseAddress.map { UnsafePointer($0) },
      layer_count: Int64(layers.count), heads: Int64(heads), groups: Int64(groups), width: Int64(width), epsilon: epsilon)
    kept = [embedding, norm, frequencies]
    model.head = linear(head)
    for (i, l) in layers.enumerated() {
      kept += [l.inputNorm, l.postNorm] + [l.queryNorm, l.keyNorm].compactMap { $0 }
      self.layers.initializeElement(
        at: i,
        to: ct_decode_layer(
          query: linear(l.query), key: linear(l.key), value: linear(l.value), output: linear(l.output), gate: linear(l.gate),
          up: linear(l.up),
          down: linear(l.down), input_norm: l.inputNorm.handle, post_norm: l.postNorm.handle, query_norm: l.queryNorm?.handle ?? absent,
          key_norm: l.keyNorm?.handle ?? absent, window: Int64(l.window)))
    }
  }

  deinit {
    layers.deallocate()
    for buffer in adapters { buffer.deallocate() }
  }

  private func linear(_ l: DecodeLinear) -> ct_decode_linear {
    kept += [l.weight] + [l.scale, l.bias].compactMap { $0 }
    let buffer = UnsafeMutableBufferPointer<ct_decode_adapter>.allocate(capacity: l.adapters.count)
    adapters.append(buffer)
    for (i, a) in l.adapters.enumerated() {
      kept += [a.down, a.up] + [a.factor].compactMap { $0 }
      buffer.initializeElement(
        at: i,
        to: ct_decode_adapter(down: a.down.handle, up: a.up.handle, factor: a.factor?.handle ?? absent, scale: a.scale, bit: Int32(a.bit)))
    }
    return ct_decode_linear(
      weight: l.weight.handle, scale: l.scale?.handle ?? absent, bias: l.bias?.handle ?? absent,
      adapters: buffer.baseAddress.map { UnsafePointer($0) },
      adapter_count: Int64(l.adapters.count))
  }

  /// Runs tokens through the model, each written into its row of the caches at its position; those of a row stand together and
  /// in order. Gives the logits of the wanted tokens, f32 [wanted, vocabulary]. A row's numbers do not depend on the others'.
  package func step(
    ids: [Int], rows: [Int], positions: [Int], masks: [UInt64]?, keys: [Tensor], values: [Tensor], wanted: [Int]
  ) throws(EngineError) -> Tensor {
    let ids = ids.map(Int64.init), rows = rows.map(Int64.init), positions = positions.map(Int64.init), wanted = wanted.map(Int64.init)
    let keys = keys.map(\.handle), values = values.map(\.handle)
    var out = absent
    let status = ids.withUnsafeBufferPointer { ids in
      rows.withUnsafeBufferPointer { rows in
        positions.withUnsafeBufferPointer { positions in
          wanted.withUnsafeBufferPointer { wanted in
            keys.withUnsafeBufferPointer { keys in
              values.withUnsafeBufferPointer { values in
                withOptionalPointer(masks) { masks in
                  var call = ct_decode_call(
                    tokens: Int64(ids.count), ids: ids.baseAddress!, rows: rows.baseAddress!, positions: positions.baseAddress!,
                    adapters: masks,
                    keys: keys.baseAddress!, values: values.baseAddress!, wanted: wanted.baseAddress ?? ids.baseAddress!,
                    wanted_count: Int64(wanted.count))
                  return Torch.opened.pointee.decode_step(&model, &call, &out)
                }
              }
            }
          }
        }
      }
    }
    try Torch.check(status)
    return Tensor(out)
  }
}

private var absent: ct_tensor { ct_tensor(pointer: nil) }

private func withOptionalPointer<T, R>(_ values: [T]?, _ body: (UnsafePointer<T>?) -> R) -> R {
  guard let values else { return body(nil) }
  return values.withUnsafeBufferPointer { body($0.baseAddress) }
}

extension Tensor {
  /// int8 values and f32 scales by row, so that weight ≈ scale · values; the largest magnitude of a row becomes 127.
  package func quantizedRows() throws(EngineError) -> (values: Tensor, scales: Tensor) {
    var values = absent, scales = absent
    try run { $0.pointee.quantize_rows(handle, &values, &scales) }
    return (Tensor(values), Tensor(scales))
  }
}

/// How one position's distribution is made of several models'.
package struct Mixture {
  package enum Mode: Int32 { case reward = 0, delta = 1 }
  package var mode = Mode.reward
  package var strength = 1.0
  /// 0: none.
  package var clip = 0.0
  package var inside = 1.0
  package var baseTopP = 1.0
  package var plausible = 0.0
  /// Of the experts.
  package var weights: [Double] = []

  package init() {}
}

/// What a mixture says of a position beside its scores.
package struct MixtureFacts {
  /// log Z of the mixture's scores.
  package let logZ: Double
  /// Total variation between the mixture and what the experts say.
  package let totalVariation: Double
  /// log Σ exp of each member's logits.
  package let sums: [Double]
}

/// What chooses a token of a position.
package struct Choice {
  package var temperature = 0.0
  package var topP = 1.0
  package var minP = 0.0
  package var topK = 0
  package var penalty = 1.0
  /// Ids that the penalty meets, each once.
  package var seen: [Int] = []
  package var biases: [(id: Int, value: Double)] = []
  package var key: UInt64 = 0
  package var position = 0

  package init() {}
}

extension Tensor {
  /// Scores f32 [positions, vocabulary], whose softmax is each position's mixture. `logits`: base, experts, anti-expert, nil for who is not
  /// there; a base alone gives its logits. `places` [position][member]: the row of each one's logits. `maps`: by member an id for each
  /// of the `vocabulary` ids (−1: none), nil for the same ids. `kinds`: 0 all know an id, 1 the base alone, 2 the experts alone, 3 nobody.
  package static func mixed(
    _ mixtures: [Mixture], logits: [Tensor?], places: [[Int]], maps: [[Int64]?], kinds: [UInt8]?, vocabulary: Int
  ) throws(EngineError) -> (scores: Tensor, facts: [MixtureFacts]) {
    let members = logits.count, positions = places.count
    precondition(mixtures.count == positions && maps.count == members)
    let handles = logits.map { $0?.handle ?? absent }
    let flat = places.flatMap { $0.map(Int64.init) }
    var facts = [Double](repeating: 0, count: positions * (2 + members))
    let weights = mixtures.flatMap(\.weights)
    var out = absent
    let status = weights.withUnsafeBufferPointer { weights in
      var first = 0
      let all = mixtures.map { m in
        defer { first += m.weights.count }
        return ct_mixture(
          mode: m.mode.rawValue, strength: m.strength, clip: m.clip, inside: m.inside, base_top_p: m.baseTopP, plausible: m.plausible,
          weights: weights.baseAddress.map { $0 + first })
      }
      return withOptionalPointer(kinds) { kinds in
        withMaps(maps) { maps in
          Torch.opened.pointee.mix(all, Int64(positions), handles, Int64(members), flat, maps, kinds, Int64(vocabulary), &out, &facts)
        }
      }
    }
    try Torch.check(status)
    let width = 2 + members
    return (
      Tensor(out),
      (0..<positions).map { i in
        MixtureFacts(logZ: facts[i * width], totalVariation: facts[i * width + 1], sums: Array(facts[(i * width + 2)..<((i + 1) * width)]))
      }
    )
  }

  private static func withMaps<R>(_ maps: [[Int64]?], _ body: (UnsafePointer<UnsafePointer<Int64>?>?) -> R) -> R {
    if maps.allSatisfy({ $0 == nil }) { return body(nil) }
    var pointers: [UnsafePointer<Int64>?] = []
    func next(_ i: Int) -> R {
      if i == maps.count { return pointers.withUnsafeBufferPointer { body($0.baseAddress) } }
      return withOptionalPointer(maps[i]) { pointer in
        pointers.append(pointer)
        return next(i + 1)
      }
    }
    return next(0)
  }

  /// A token for each row of scores. With `keepsProcessed`, also what penalties, temperature and filters make of the scores.
  package func chosen(_ choices: [Choice], keepsProcessed: Bool = false) throws(EngineError) -> (tokens: [Int], processed: Tensor?) {
    var tokens = [Int64](repeating: 0, count: choices.count)
    let seen = choices.flatMap { $0.seen.map(Int64.init) }
    let ids = choices.flatMap { $0.biases.map { Int64($0.id) } }, values = choices.flatMap { $0.biases.map(\.value) }
    var processed = absent
    let status = seen.withUnsafeBufferPointer { seen in
      ids.withUnsafeBufferPointer { ids in
        values.withUnsafeBufferPointer { values in
          var firstSeen = 0, firstBias = 0
          let all = choices.map { c in
            defer { (firstSeen, firstBias) = (firstSeen + c.seen.count, firstBias + c.biases.count) }
            return ct_choice(
              temperature: c.temperature, top_p: c.topP, min_p: c.minP, top_k: Int64(c.topK), penalty: c.penalty,
              seen: seen.baseAddress.map { $0 + firstSeen }, seen_count: Int64(c.seen.count),
              bias_ids: ids.baseAddress.map { $0 + firstBias },
              biases: values.baseAddress.map { $0 + firstBias }, bias_count: Int64(c.biases.count), key: c.key, position: Int64(c.position))
          }
          if keepsProcessed { return Torch.opened.pointee.choose(handle, all, &tokens, &processed) }
          return Torch.opened.pointee.choose(handle, all, &tokens, nil)
        }
      }
    }
    try Torch.check(status)
    return (tokens.map(Int.init), keepsProcessed ? Tensor(processed) : nil)
  }

  /// The largest entries of a row of scores, falling.
  package func likeliest(_ count: Int, row: Int) throws(EngineError) -> [(id: Int, value: Double)] {
    var ids = [Int64](repeating: 0, count: count), values = [Double](repeating: 0, count: count)
    try run { $0.pointee.likeliest(handle, Int64(row), Int64(count), &ids, &values) }
    return zip(ids, values).map { (Int($0), $1) }
  }

  /// Single elements of an f32 matrix on the CPU.
  package func elements(rows: [Int], columns: [Int]) throws(EngineError) -> [Double] {
    var values = [Double](repeating: 0, count: rows.count)
    let rows = rows.map(Int64.init), columns = columns.map(Int64.init)
    try run { $0.pointee.elements(handle, rows, columns, Int64(rows.count), &values) }
    return values
  }
}
