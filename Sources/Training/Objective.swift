internal import HoldfastBasics
package import HoldfastDatasets
package import HoldfastEngine
package import HoldfastModels

/// What is minimised: a sum over units, which the trainer divides once by a count taken on the host.
package protocol Objective {
  /// Units of a microbatch, known before anything runs.
  func units(_ batch: HostBatch) -> Int
  /// What a held-out score is in.
  var scoreUnit: String { get }
  /// The loss of a microbatch, its head's pass included.
  func loss(_ model: Decoder, _ forward: Forward, _ host: HostBatch, _ terms: HeadTerms) throws(EngineError) -> ObjectiveLoss
  /// For each unit of a microbatch its source.
  func sources(_ batch: HostBatch) -> [Int]
  /// The loss of each unit of held-out data, nats, without gradient.
  func scores(_ model: Decoder, _ forward: Forward, _ host: HostBatch) throws(EngineError) -> [Double]
}

/// What a microbatch came to.
package struct ObjectiveLoss {
  /// The sum that is minimised; carries the gradient.
  package let total: Tensor
  /// The objective's own part of it.
  package let value: Double
  /// Other parts, and what is worth knowing, by name: sums over units.
  package var terms: [(name: String, value: Double)] = []
}

/// The sum over labels of −log p(label), each times its weight where there are weights, in f32 or better.
///
/// Fine-tuning and pretraining differ in which tokens the data marks as labels, not in the loss.
package struct LabelObjective: Objective {
  package init() {}

  package let scoreUnit = "nats a label"

  package func units(_ batch: HostBatch) -> Int { batch.units }

  package func sources(_ batch: HostBatch) -> [Int] {
    batch.segments.flatMap { segment in
      let start = segment.row * batch.length + segment.start
      return [Int](repeating: segment.source, count: batch.labels[start..<start + segment.length].count { $0 != ignoreIndex })
    }
  }

  package func loss(_ model: Decoder, _ forward: Forward, _ host: HostBatch, _ terms: HeadTerms) throws(EngineError) -> ObjectiveLoss {
    let hidden = try forward.labelledHidden, head = model.head.value, labels = forward.batch.labels
    guard let (name, term, reference) = terms.divergence else {
      let total = try hidden.headLoss(head, labels: labels, weights: terms.weights)
      return ObjectiveLoss(total: total, value: try total.item())
    }
    let (total, crossEntropy, divergence) = try hidden.headTerms(
      head, labels: labels, weights: terms.weights, other: reference, pulls: term.pulls, term.kind)
    return ObjectiveLoss(total: total, value: try crossEntropy.item(), terms: [(name, try divergence.item())])
  }

  package func scores(_ model: Decoder, _ forward: Forward, _ host: HostBatch) throws(EngineError) -> [Double] {
    try forward.labelledHidden.headScores(model.head.value, labels: forward.batch.labels).logProbabilities.doubles().map { -$0 }
  }
}

extension Batch {
  /// A microbatch on a device.
  package init(_ host: HostBatch, device: Device) throws(EngineError) {
    try self.init(
      rows: host.rows, length: host.length, ids: host.ids, labels: host.labels, positions: host.positions,
      spans: host.segments.map { Span(row: $0.row, start: $0.start, length: $0.length) }, weights: host.weights, device: device)
  }
}
