// The decoder that Llama, Mistral, Qwen2 and Qwen3 are; what tells them apart stands in their configuration.
internal import HoldfastBasics
public import HoldfastEngine

/// A decoder language model: token ids in, hidden states out, and a head that turns these into a distribution.
///
/// Not `Sendable`, because it owns tensors; one thread runs it at a time.
public final class Decoder {
  public let configuration: ModelConfiguration
  /// The model's own, in the order of the architecture; a tied head is the embedding and stands once.
  public let baseParameters: [Parameter]
  /// Those attached, in their order; the last one is the one that trains, if any does.
  public private(set) var adapters: [Adapter] = []
  public let dtype: DType
  public let device: Device
  /// Keep no activations inside a block; the backward pass runs it once more.
  public var recomputesBlocks = false

  let embedding: Parameter
  let blocks: [Block]
  let norm: RMSNorm
  private let separateHead: Parameter?
  let frequencies: Tensor

  /// Builds the model and fills it; all missing, misshapen and unexpected tensors are named at once.
  public init(
    _ c: ModelConfiguration, weights source: any WeightSource, subject: String = "weights", dtype: DType = .float32, device: Device = .cpu
  ) throws {
    configuration = c
    self.dtype = dtype
    self.device = device
    let loader = WeightLoader(source: source, subject: subject, dtype: dtype, device: device)
    embedding = try loader.parameter("model.embed_tokens.weight", [c.vocabularySize, c.hiddenSize])
    blocks = try (0..<c.layerCount).map { try Block(loader, "model.layers.\($0)", c, layer: $0) }
    norm = try RMSNorm(loader, "model.norm", width: c.hiddenSize, epsilon: c.normEpsilon)
    separateHead = c.tiesHead ? nil : try loader.parameter("lm_head.weight", [c.vocabularySize, c.hiddenSize])
    baseParameters = try loader.finish { name in
      name.hasSuffix("rotary_emb.inv_freq") || c.tiesHead && name == "lm_head.weight"
    }
    frequencies = try Tensor(c.rotary.frequencies(width: c.headWidth)).to(device)
  }

  /// [vocabulary, hidden]
  public var head: Parameter { separateHead ?? embedding }

  /// Tensors of the adapter that was attached last.
  public var adapterParameters: [Parameter] { adapters.last?.parameters ?? [] }

  /// The model's own, then those of the adapter that was attached last.
  public var parameters: [Parameter] { baseParameters + adapterParameters }

  public func parameter(_ name: String) -> Parameter? { parameters.first { $0.name == name } }

  /// Puts an adapter beside the model's weights; all missing, misshapen and unexpected tensors are named at once. It acts
  /// in every pass that does not switch adapters off. Earlier ones act too, and none of several may be DoRA's, which is
  /// no sum. `weights` are kept in the model's type.
  @discardableResult
  public func attach(_ configuration: AdapterConfiguration, weights: any WeightSource, subject: String = "adapter") throws -> Adapter {
    if let first = adapters.first, configuration.kind == .dora || first.configuration.kind == .dora {
      throw Problems(subject, ["DoRA scales the whole weight, so it does not add up with another adapter; merge one of them first (holdfast blend)"])
    }
    let loader = WeightLoader(source: weights, subject: subject, dtype: dtype, device: device)
    let adapter = try Adapter(configuration, linears, loader)
    for linear in linears {
      for earlier in linear.adaptations { earlier.isLast = false }
      linear.adaptations += adapter.linears.filter { $0.name == linear.name }
    }
    adapters.append(adapter)
    return adapter
  }

  private var linears: [Linear] { blocks.flatMap(\.linears) }

  /// Runs everything but the head. `observe` sees "embed", "layer.N" and "final_norm", each [rows · length, hidden]; `taps` see
  /// and change what goes on inside the layers.
  public func forward(
    _ batch: Batch, adapters: AdapterUse = .on, taps: Taps? = nil, observe: ((String, Tensor) throws(EngineError) -> Void)? = nil
  ) throws(EngineError) -> Forward {
    let sight = Sight.packed(rows: batch.rows, length: batch.length, spans: batch.spans)
    let hidden = try run(batch.ids, positions: batch.positions, sight, adapters, taps, observe: observe)
    return Forward(hidden: hidden, batch: batch)
  }

  /// Reads a block of tokens behind what a cache holds: ids [rows][block], where row r brings `counts[r]` tokens and the
  /// rest is padding on the right. Gives the hidden states of all, [rows · block, hidden].
  public func decode(_ ids: [[Int]], counts: [Int]? = nil, cache: KVCache, adapters: AdapterUse = .on) throws(EngineError) -> Tensor {
    let block = ids[0].count
    precondition(ids.allSatisfy { $0.count == block } && ids.count == cache.lengths.count)
    let positions = cache.lengths.flatMap { length in (0..<block).map { length + $0 } }
    let flat = try Tensor(ids.flatMap { $0 }, device: device)
    return try Torch.withoutGradients { () throws(EngineError) -> Tensor in
      let hidden = try run(flat, positions: Tensor(positions, device: device), .cached(cache, block: block), adapters, nil, observe: nil)
      cache.advance(by: counts ?? Array(repeating: block, count: ids.count))
      return hidden
    }
  }

  /// The final norm of hidden states [tokens, hidden]: what the head would see if the layers ended there.
  public func normalized(_ hidden: Tensor) throws(EngineError) -> Tensor { try norm(hidden) }

  /// Logits [tokens, vocabulary] of hidden states [tokens, hidden], in the model's type.
  public func logits(_ hidden: Tensor) throws(EngineError) -> Tensor { try hidden.linear(head.value) }

  private func run(
    _ ids: Tensor, positions: Tensor, _ sight: Sight, _ adapters: AdapterUse, _ taps: Taps?, observe: ((String, Tensor) throws(EngineError) -> Void)?
  ) throws(EngineError) -> Tensor {
    let pass = Pass(sight: sight, table: try RotaryTable(positions: positions, frequencies: frequencies), adapters: adapters, taps: taps)
    var x = try ids.embedded(in: embedding.value)
    try observe?("embed", x)
    for (layer, block) in blocks.enumerated() {
      // Below the lowest trained layer nothing is recorded, so there is nothing to recompute.
      let isRecorded = try recomputesBlocks && taps == nil ? x.requiresGradient ? true : block.isTrained(with: adapters) : false
      if isRecorded {
        x = try x.recomputing { (input: Tensor) throws(EngineError) -> Tensor in try block(input, pass) }
      } else {
        x = try block(x, pass)
      }
      try observe?("layer.\(layer)", x)
    }
    let hidden = try norm(x)
    try observe?("final_norm", hidden)
    return hidden
  }
}

extension Block {
  fileprivate func isTrained(with adapters: AdapterUse) throws(EngineError) -> Bool {
    for parameter in parameters where try parameter.value.requiresGradient { return true }
    if adapters == .off { return false }
    for parameter in linears.flatMap({ $0.adaptations.flatMap(\.parameters) }) where try parameter.value.requiresGradient { return true }
    return false
  }
}
