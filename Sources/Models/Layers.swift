// The parts that the families share.
// B rows, T tokens a row, N = B·T, H hidden, A query heads, G key/value heads, D head width, F intermediate.
internal import HoldfastBasics
internal import HoldfastEngine

/// y = W·x + b, and what adapters add to it.
final class Linear {
  /// Such as `model.layers.0.self_attn.q_proj`.
  let name: String
  let weight: Parameter
  let bias: Parameter?
  /// In the order in which they were attached; where there are several, none of them is DoRA's.
  var adaptations: [AdaptedLinear] = []

  init(_ loader: WeightLoader, _ name: String, from input: Int, to output: Int, bias: Bool) throws {
    self.name = name
    weight = try loader.parameter(name + ".weight", [output, input])
    self.bias = bias ? try loader.parameter(name + ".bias", [output]) : nil
  }

  func callAsFunction(_ x: Tensor, _ pass: Pass) throws(EngineError) -> Tensor {
    let acting = pass.adapters == .off ? [] : pass.adapters == .below ? adaptations.filter { !$0.isLast } : adaptations
    guard let first = acting.first else { return try x.linear(weight.value, bias: bias?.value) }
    var y = try first.adapted(x, bias: bias?.value, pass.adapters)
    for adaptation in acting.dropFirst() { y = try adaptation.add(to: y, x, pass.adapters) }
    return y
  }
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

/// What a forward pass carries through the layers.
struct Pass {
  let sight: Sight
  let table: RotaryTable
  let adapters: AdapterUse
  let taps: Taps?

  /// What goes on where a tap may be open.
  func tapped(_ place: Taps.Place, _ layer: Int, _ x: Tensor) throws(EngineError) -> Tensor { try taps?(place, layer, x) ?? x }
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
  func callAsFunction(_ x: Tensor, _ pass: Pass) throws(EngineError) -> Tensor {
    let tokens = try x.shape[0], table = pass.table
    var q = try query(x, pass).reshaped([tokens, headCount, width])
    var k = try key(x, pass).reshaped([tokens, groupCount, width])
    let v = try value(x, pass).reshaped([tokens, groupCount, width])
    if let queryNorm, let keyNorm {
      q = try queryNorm(q)
      k = try keyNorm(k)
    }
    q = try q.rotated(cosine: table.cosine, sine: table.sine)
    k = try k.rotated(cosine: table.cosine, sine: table.sine)
    let scale = 1 / Double(width).squareRoot()
    let context: Tensor
    switch pass.sight {
    case .packed(let rows, let length, let spans):
      q = try q.reshaped([rows, length, headCount, width])
      k = try k.reshaped([rows, length, groupCount, width])
      let v = try v.reshaped([rows, length, groupCount, width])
      if let taps = pass.taps, taps.dropout > 0 {
        context = try taps.attention(query: q, key: k, value: v, spans: spans, window: window, scale: scale, layer: layer)
      } else {
        context = try Tensor.attention(query: q, key: k, value: v, spans: spans, window: window, scale: scale)
      }
    case .cached(let cache, let block):
      let rows = tokens / block
      let (keys, values) = try cache.extend(
        layer: layer, keys: k.reshaped([rows, block, groupCount, width]).transposed(1, 2),
        values: v.reshaped([rows, block, groupCount, width]).transposed(1, 2))
      context = try Tensor.cachedAttention(
        query: q.reshaped([rows, block, headCount, width]), key: keys, value: values, lengths: cache.lengths, window: window, scale: scale)
    }
    return try output(pass.tapped(.context, layer, context.reshaped([tokens, headCount * width])), pass)
  }
}

struct MLP {
  let gate, up, down: Linear
  let layer: Int

  init(_ loader: WeightLoader, _ name: String, _ c: ModelConfiguration, layer: Int) throws {
    self.layer = layer
    gate = try Linear(loader, name + ".gate_proj", from: c.hiddenSize, to: c.intermediateSize, bias: c.mlpBias)
    up = try Linear(loader, name + ".up_proj", from: c.hiddenSize, to: c.intermediateSize, bias: c.mlpBias)
    down = try Linear(loader, name + ".down_proj", from: c.intermediateSize, to: c.hiddenSize, bias: c.mlpBias)
  }

  /// x [N, H] → [N, H]
  func callAsFunction(_ x: Tensor, _ pass: Pass) throws(EngineError) -> Tensor {
    guard let taps = pass.taps else { return try down(gate(x, pass).swiglu(up(x, pass)), pass) }
    let product = try taps(.product, layer, gate(x, pass).swiglu(taps(.up, layer, up(x, pass))))
    return try taps.dropped(taps(.down, layer, down(product, pass)), "down", layer)
  }
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
    mlp = try MLP(loader, name + ".mlp", c, layer: layer)
    parameters = Array(loader.parameters[before...])
  }

  /// x [N, H] → [N, H]
  func callAsFunction(_ x: Tensor, _ pass: Pass) throws(EngineError) -> Tensor {
    let attended = try x + attention(pass.tapped(.attentionInput, mlp.layer, inputNorm(x)), pass)
    return try attended + mlp(pass.tapped(.mlpInput, mlp.layer, postAttentionNorm(attended)), pass)
  }

  /// Its linear layers in the order of the architecture.
  var linears: [Linear] { [attention.query, attention.key, attention.value, attention.output, mlp.gate, mlp.up, mlp.down] }
}
