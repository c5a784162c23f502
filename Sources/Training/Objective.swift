package import HoldfastDatasets
package import HoldfastEngine
package import HoldfastModels

/// What is minimised: a sum over units, which the trainer divides once by a count taken on the host.
///
/// Fine-tuning and pretraining differ in which tokens the data marks as labels, not in the loss.
enum Objective {
  /// Units of a microbatch: its labels. Known before anything runs.
  static func units(_ batch: HostBatch) -> Int { batch.units }

  /// Sum over labels of −log p(label), each times its weight where there are weights, in f32 or better.
  static func loss(_ model: Decoder, _ forward: Forward, weights: Tensor? = nil) throws(EngineError) -> Tensor {
    try forward.labelledHidden.headLoss(model.head.value, labels: forward.batch.labels, weights: weights)
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
