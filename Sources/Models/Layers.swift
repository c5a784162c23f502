// The parts that the families share.
// B rows, T tokens a row, N = B·T, H hidden, A query heads, G key/value heads, D head width, F intermediate.
internal import HoldfastBasics
internal import HoldfastEngine

struct Linear {
  let weight: Parameter
  let bias: Parameter?

  init(_ loader: WeightLoader, _ name: String, from input: Int, to output: Int, bias: Bool) throws {
    weight = try loader.parameter(name + ".weight", [output, input])
    self.bias = bias ? try loader.parameter(name + ".bias", [output]) : nil
  }

  func callAsFunction(_ x: Tensor) throws(EngineError) -> Tensor { try x.linear(weight.value, bias: bias?.value) }
}

struct RMSNorm {
  let weight: Parameter
  let epsilon: Double

  init(_ loader: WeightLoader, _ name: String, width: Int, epsilon: Double) throws {
    weight = try loader.parameter(name + ".weight", [width])
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: Tensor) throws(EngineError) -> Tensor { try x.rmsNorm(weight.value, epsilon: epsilon) }
}

/// How attention sees a batch: packed spans while training and scoring, caches while decoding.
enum Sight {
  case packed(rows: Int, length: Int, spans: [Span])
  case cached(KVCache, block: Int)
}

struct Attention {
  let query, key, value, output: Linear
  let queryNorm, keyNorm: RMSNorm?
  let headCount, groupCount, width, window: Int
  let layer: Int

  init(_ loader: WeightLoader, _ name: String, _ c: ModelConfiguration, layer: Int) throws {
    headCount = c.headCount
    groupCount = c.keyValueHeadCount
    width = c.headWidth
    window = c.windows[layer]
    self.layer = layer
    query = try Linear(loader, name + ".q_proj", from: c.hiddenSize, to: headCount * width, bias: c.queryKeyValueBias)
    key = try Linear(loader, name + ".k_proj", from: c.hiddenSize, to: groupCount * width, bias: c.queryKeyValueBias)
    value = try Linear(loader, name + ".v_proj", from: c.hiddenSize, to: groupCount * width, bias: c.queryKeyValueBias)
    output = try Linear(loader, name + ".o_proj", from: headCount * width, to: c.hiddenSize, bias: c.outputBias)
    queryNorm = c.queryKeyNorm ? try RMSNorm(loader, name + ".q_norm", width: width, epsilon: c.normEpsilon) : nil
    keyNorm = c.queryKeyNorm ? try RMSNorm(loader, name + ".k_norm", width: width, epsilon: c.normEpsilon) : nil
  }

  /// x [N, H] → [N, H]
  func callAsFunction(_ x: Tensor, _ sight: Sight, _ table: RotaryTable) throws(EngineError) -> Tensor {
    let tokens = try x.shape[0]
    var q = try query(x).reshaped([tokens, headCount, width])
    var k = try key(x).reshaped([tokens, groupCount, width])
    let v = try value(x).reshaped([tokens, groupCount, width])
    if let queryNorm, let keyNorm {
      q = try queryNorm(q)
      k = try keyNorm(k)
    }
    q = try q.rotated(cosine: table.cosine, sine: table.sine)
    k = try k.rotated(cosine: table.cosine, sine: table.sine)
    let scale = 1 / Double(width).squareRoot()
    let context: Tensor
    switch sight {
    case .packed(let rows, let length, let spans):
      context = try Tensor.attention(
        query: q.reshaped([rows, length, headCount, width]), key: k.reshaped([rows, length, groupCount, width]),
        value: v.reshaped([rows, length, groupCount, width]), spans: spans, window: window, scale: scale)
    case .cached(let cache, let block):
      let rows = tokens / block
      let (keys, values) = try cache.extend(
        layer: layer, keys: k.reshaped([rows, block, groupCount, width]).transposed(1, 2),
        values: v.reshaped([rows, block, groupCount, width]).transposed(1, 2))
      context = try Tensor.cachedAttention(
        query: q.reshaped([rows, block, headCount, width]), key: keys, value: values, lengths: cache.lengths, window: window, scale: scale)
    }
    return try output(context.reshaped([tokens, headCount * width]))
  }
}

struct MLP {
  let gate, up, down: Linear

  init(_ loader: WeightLoader, _ name: String, _ c: ModelConfiguration) throws {
    gate = try Linear(loader, name + ".gate_proj", from: c.hiddenSize, to: c.intermediateSize, bias: c.mlpBias)
    up = try Linear(loader, name + ".up_proj", from: c.hiddenSize, to: c.intermediateSize, bias: c.mlpBias)
    down = try Linear(loader, name + ".down_proj", from: c.intermediateSize, to: c.hiddenSize, bias: c.mlpBias)
  }

  /// x [N, H] → [N, H]
  func callAsFunction(_ x: Tensor) throws(EngineError) -> Tensor { try down(gate(x).swiglu(up(x))) }
}

struct Block {
  let attention: Attention
  let mlp: MLP
  let inputNorm, postAttentionNorm: RMSNorm
  /// Every parameter of the block.
  let parameters: [Parameter]

  init(_ loader: WeightLoader, _ name: String, _ c: ModelConfiguration, layer: Int) throws {
    let before = loader.parameters.count
    inputNorm = try RMSNorm(loader, name + ".input_layernorm", width: c.hiddenSize, epsilon: c.normEpsilon)
    attention = try Attention(loader, name + ".self_attn", c, layer: layer)
    postAttentionNorm = try RMSNorm(loader, name + ".post_attention_layernorm", width: c.hiddenSize, epsilon: c.normEpsilon)
    mlp = try MLP(loader, name + ".mlp", c)
    parameters = Array(loader.parameters[before...])
  }

  /// x [N, H] → [N, H]
  func callAsFunction(_ x: Tensor, _ sight: Sight, _ table: RotaryTable) throws(EngineError) -> Tensor {
    let attended = try x + attention(inputNorm(x), sight, table)
    return try attended + mlp(postAttentionNorm(attended))
  }
}
