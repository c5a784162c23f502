internal import CTorch

/// A stretch of a row whose tokens see one another and nothing else.
public struct Span: Sendable, Hashable {
  public let row: Int
  public let start: Int
  public let length: Int

  public init(row: Int, start: Int, length: Int) {
    self.row = row
    self.start = start
    self.length = length
  }
}

private var absent: ct_tensor { ct_tensor(pointer: nil) }

extension Tensor {
  /// x · Wᵀ + b. self [..., in], weight [out, in], bias [out]; gives [..., out].
  public func linear(_ weight: Tensor, bias: Tensor? = nil) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.linear(handle, weight.handle, bias?.handle ?? absent, $1) }
  }

  /// x · Wᵀ + b + scale · (x · Aᵀ) · Bᵀ, a linear layer with a low-rank adapter: down A [rank, in], up B [out, rank]. B · A is never
  /// made; the input is kept for the backward pass only where W or A asks for a gradient.
  public func linear(_ weight: Tensor, bias: Tensor? = nil, down: Tensor, up: Tensor, scale: Double) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.adapted_linear(handle, weight.handle, bias?.handle ?? absent, down.handle, up.handle, scale, $1) }
  }

  /// Rows of a table. self: i64 ids [...]; weight [vocabulary, width]; gives [..., width].
  public func embedded(in weight: Tensor) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.embedding(weight.handle, handle, $1) }
  }

  /// Root mean square norm over the last axis (Zhang and Sennrich 2019). weight [width].
  public func rmsNorm(_ weight: Tensor, epsilon: Double) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.rms_norm(handle, weight.handle, epsilon, $1) }
  }

  /// Rotary position embedding. self [tokens, heads, width]; cosine and sine f32 [tokens, width / 2].
  public func rotated(cosine: Tensor, sine: Tensor) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.rotary(handle, cosine.handle, sine.handle, $1) }
  }

  /// silu(self) · up (Shazeer 2020).
  public func swiglu(_ up: Tensor) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.swiglu(handle, up.handle, $1) }
  }

  /// Causal attention inside each span. query [rows, length, heads, width], key and value [rows, length, KV heads, width].
  /// window > 0: a token sees itself and the window − 1 before it. Tokens of no span give zeros.
  public static func attention(
    query: Tensor, key: Tensor, value: Tensor, spans: [Span], window: Int = 0, scale: Double
  ) throws(EngineError) -> Tensor {
    let segments = spans.map { ct_segment(row: Int64($0.row), start: Int64($0.start), length: Int64($0.length)) }
    return try segments.withUnsafeBufferPointer { buffer throws(EngineError) -> Tensor in
      guard let base = buffer.baseAddress, !buffer.isEmpty else { throw EngineError("attention over no spans") }
      return try derive {
        $0.pointee.attention(query.handle, key.handle, value.handle, base, Int64(segments.count), Int64(window), scale, $1)
      }
    }
  }

  /// Attention of new tokens against caches. query [rows, block, heads, width], caches [rows, KV heads, capacity, width];
  /// row r's block begins at `lengths[r]` and is in the cache already. No gradient.
  public static func cachedAttention(
    query: Tensor, key: Tensor, value: Tensor, lengths: [Int], window: Int = 0, scale: Double
  ) throws(EngineError) -> Tensor {
    let starts = lengths.map(Int64.init)
    return try derive { $0.pointee.cached_attention(query.handle, key.handle, value.handle, starts, Int64(window), scale, $1) }
  }

  /// Writes `source` [rows, KV heads, block, width] into a cache at each row's own length.
  public func write(_ source: Tensor, at lengths: [Int]) throws(EngineError) {
    let starts = lengths.map(Int64.init)
    try run { $0.pointee.write_cache(handle, source.handle, starts) }
  }

  /// Sum over labels of −log p(label), optionally weighted. self: hidden [tokens, width]; weight [vocabulary, width];
  /// labels i64 [tokens], negative for none; weights f32 [tokens]. Gives a scalar in f32 (f64 for f64). Nats.
  public func headLoss(_ weight: Tensor, labels: Tensor, weights: Tensor? = nil) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.head_loss(handle, weight.handle, labels.handle, weights?.handle ?? absent, $1) }
  }

  /// log p(label) per token in f32 (0 where there is no label; nats), and the likeliest id. No gradient.
  public func headScores(_ weight: Tensor, labels: Tensor) throws(EngineError) -> (logProbabilities: Tensor, best: Tensor) {
    var scores = absent
    var best = absent
    try run { $0.pointee.head_scores(handle, weight.handle, labels.handle, &scores, &best) }
    return (Tensor(scores), Tensor(best))
  }
}

/// How the model's distribution p is held against another model's q, token by token, at a temperature T; the value is multiplied by T²,
/// so that the strength of its gradient does not depend on T (Hinton et al. 2015).
public struct DivergenceKind: Sendable, Hashable {
  public enum Direction: String, Sendable, Hashable, CaseIterable {
    /// KL(q ‖ p): p has to cover what q may say.
    case forward
    /// KL(p ‖ q): p must not say what q would not.
    case reverse
  }
  public var direction: Direction
  /// The label is taken out of both distributions, which are normalised again: nothing pulls at the label's logit.
  public var masksLabel: Bool
  public var temperature: Double

  public init(_ direction: Direction = .forward, masksLabel: Bool = false, temperature: Double = 1) {
    self.direction = direction
    self.masksLabel = masksLabel
    self.temperature = temperature
  }
}

extension Tensor {
  /// Two losses of the vocabulary head in one pass, logits never whole: Σ weights · −log p(label), and Σ pulls · divergence from what another model
  /// says of the same tokens. self: hidden [tokens, width]; weight [vocabulary, width]; labels i64 [tokens], one for each; weights (nil: all 1) and
  /// pulls f32 [tokens]; the other's hidden states [tokens, w] and head [vocabulary, w]. Scalars in f32 (f64 for f64), nats; `total` is the
  /// sum of both and alone has a gradient.
  public func headTerms(
    _ weight: Tensor, labels: Tensor, weights: Tensor? = nil, other: (hidden: Tensor, head: Tensor), pulls: Tensor, _ kind: DivergenceKind
  ) throws(EngineError) -> (total: Tensor, crossEntropy: Tensor, divergence: Tensor) {
    let settings = ct_divergence(
      reverse: kind.direction == .reverse ? 1 : 0, masked: kind.masksLabel ? 1 : 0, temperature: kind.temperature)
    var total = absent, ce = absent, kl = absent
    try run {
      $0.pointee.head_terms(
        handle, weight.handle, labels.handle, weights?.handle ?? absent, other.hidden.handle, other.head.handle, pulls.handle, settings,
        &total, &ce, &kl)
    }
    return (Tensor(total), Tensor(ce), Tensor(kl))
  }

  /// Entropy of the `count` likeliest continuations of each token, normalised among themselves: f32 [tokens], 0 … log count nats. self: hidden
  /// [tokens, width]; weight [vocabulary, width]. No gradient.
  public func headEntropy(_ weight: Tensor, likeliest count: Int) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.head_entropy(handle, weight.handle, Int64(count), $1) }
  }
}

/// What becomes of the update that the optimizer proposes for one tensor. The default lets it through whole.
public struct UpdateRule {
  /// f32 [rows]: the update of a row is scaled; 1 takes it whole and 0 keeps the row's bits.
  public var rowScale: Tensor?
  /// f32 [columns].
  public var columnScale: Tensor?
  /// u8, shape of the tensor: 0 keeps an element's bits.
  public var mask: Tensor?
  /// Pulled toward this (f32 or bf16, shape of the tensor), decoupled from the moments: p −= rate · pull · (p − reference).
  public var reference: Tensor?
  public var pull: Double

  public init(rowScale: Tensor? = nil, columnScale: Tensor? = nil, mask: Tensor? = nil, reference: Tensor? = nil, pull: Double = 0) {
    self.rowScale = rowScale
    self.columnScale = columnScale
    self.mask = mask
    self.reference = reference
    self.pull = pull
  }
}

/// The numbers of one AdamW step (Loshchilov and Hutter 2019).
public struct AdamWStep: Sendable {
  /// Learning rate of this step.
  public var rate: Double
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon = 1e-8
  /// Decoupled weight decay.
  public var decay = 0.0
  /// The gradient is multiplied by this first: clipping.
  public var gradientScale = 1.0
  /// Steps this tensor has been given, this one included; from 1.
  public var step: Int

  public init(rate: Double, step: Int) {
    self.rate = rate
    self.step = step
  }
}

extension Tensor {
  /// One AdamW step in place. self: the f32 (or f64) master; image: its rounded copy in bf16, rewritten; first, second:
  /// moments in the master's type.
  public func adamW(
    gradient: Tensor, first: Tensor, second: Tensor, image: Tensor? = nil, _ s: AdamWStep, rule: UpdateRule = UpdateRule()
  ) throws(EngineError) {
    let settings = ct_adamw(
      rate: s.rate, beta1: s.beta1, beta2: s.beta2, epsilon: s.epsilon, decay: s.decay, gradient_scale: s.gradientScale,
      step: Int64(s.step))
    let rules = ct_update_rule(
      row_scale: rule.rowScale?.handle ?? absent, column_scale: rule.columnScale?.handle ?? absent, mask: rule.mask?.handle ?? absent,
      reference: rule.reference?.handle ?? absent, pull: rule.pull)
    try run { $0.pointee.adamw(handle, image?.handle ?? absent, gradient.handle, first.handle, second.handle, settings, rules) }
  }
}
