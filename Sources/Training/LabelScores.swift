package import HoldfastDatasets
public import HoldfastEngine
package import HoldfastModels

/// What is known of a microbatch's labels, looked up when first asked for and shared by a stack. Nothing of it carries a
/// gradient.
public final class LabelScores {
  private let model: Decoder
  private let forward: Forward
  private let host: HostBatch
  private let reference: ReferenceModel
  private var own: Tensor?
  private var answers: (hidden: Tensor, head: Tensor)?
  private var theirs: Tensor?
  private var found: (sources: [Int], examples: [Int], tokens: [Int])?

  package init(_ model: Decoder, _ forward: Forward, _ host: HostBatch, _ reference: ReferenceModel) {
    self.model = model
    self.forward = forward
    self.host = host
    self.reference = reference
  }

  public var count: Int { forward.batch.labelCount }
  public var device: Device { model.device }

  /// log p of each label under the model as it is, f32 [labels], nats. Costs a pass over the vocabulary.
  public func logProbabilities() throws(EngineError) -> Tensor {
    if let own { return own }
    let scores = try forward.labelledHidden.detached().headScores(model.head.value, labels: forward.batch.labels).logProbabilities
    own = scores
    return scores
  }

  /// Entropy of each label's `count` likeliest rivals and itself, normalised among themselves, f32 [labels], nats. Costs a
  /// pass over the vocabulary.
  public func entropy(likeliest count: Int) throws(EngineError) -> Tensor {
    try forward.labelledHidden.detached().headEntropy(model.head.value, likeliest: count)
  }

  /// What the model as the stage found it makes of the labels' contexts: hidden states [labels, hidden] and its head [vocabulary, hidden]. Costs
  /// a forward pass.
  public func referenceAnswers() throws(EngineError) -> (hidden: Tensor, head: Tensor) {
    if let answers { return answers }
    let made = try reference.answers(forward.batch)
    answers = made
    return made
  }

  /// log p of each label under that model, f32 [labels], nats.
  public func referenceLogProbabilities() throws(EngineError) -> Tensor {
    if let theirs { return theirs }
    let (hidden, head) = try referenceAnswers()
    let scores = try hidden.headScores(head, labels: forward.batch.labels).logProbabilities
    theirs = scores
    return scores
  }

  /// For each label its source, in the order of the recipe; its example, among those of the run; and which token of the
  /// example it is.
  public var places: (sources: [Int], examples: [Int], tokens: [Int]) {
    if let found { return found }
    var sources: [Int] = [], examples: [Int] = [], tokens: [Int] = []
    for segment in host.segments {
      let start = segment.row * host.length + segment.start
      for i in 0..<segment.length where host.labels[start + i] != ignoreIndex {
        sources.append(segment.source)
        examples.append(segment.example)
        tokens.append(segment.offset + i + 1)
      }
    }
    found = (sources, examples, tokens)
    return (sources, examples, tokens)
  }
}

/// A pull of the model's distribution toward the reference's, label by label.
public struct Divergence {
  public var kind: DivergenceKind
  /// Strength at each label, f32 [labels].
  public var pulls: Tensor

  public init(_ kind: DivergenceKind, pulls: Tensor) {
    self.kind = kind
    self.pulls = pulls
  }
}

/// What methods ask of the vocabulary head in one microbatch.
package struct HeadTerms {
  /// Factors on the labels' losses, f32 [labels]; nil: all 1.
  package var weights: Tensor?
  /// The method that asks for it, what it asks for, and whom the model is held against.
  package var divergence: (name: String, term: Divergence, reference: (hidden: Tensor, head: Tensor))?

  package init(weights: Tensor? = nil, divergence: (name: String, term: Divergence, reference: (hidden: Tensor, head: Tensor))? = nil) {
    self.weights = weights
    self.divergence = divergence
  }
}
