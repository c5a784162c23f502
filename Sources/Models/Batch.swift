public import HoldfastEngine

/// What a model eats: the one door from host to device, for training, evaluation and scoring alike.
public struct Batch {
  public let rows: Int
  /// Tokens a row, padding included.
  public let length: Int
  /// i64 [rows · length]
  public let ids: Tensor
  /// i64 [rows · length]; restarts with every span.
  public let positions: Tensor
  public let spans: [Span]
  /// Indices of the tokens that have a label, i64 [labels]; nil where all have one.
  public let labelled: Tensor?
  /// The next token of each, i64 [labels].
  public let labels: Tensor
  public let labelCount: Int
  /// Factors on the labels' losses, f32 [labels]; nil where all are 1.
  public let weights: Tensor?

  /// Row-major host arrays of rows · length; a label below 0 is none.
  public init(
    rows: Int, length: Int, ids: [Int], labels: [Int], positions: [Int], spans: [Span], weights: [Float]? = nil,
    device: Device = .cpu
  ) throws(EngineError) {
    precondition(ids.count == rows * length && labels.count == ids.count && positions.count == ids.count)
    self.rows = rows
    self.length = length
    self.spans = spans
    self.ids = try Tensor(ids, device: device)
    self.positions = try Tensor(positions, device: device)
    let places = labels.indices.filter { labels[$0] >= 0 }
    labelCount = places.count
    labelled = places.count == labels.count ? nil : try Tensor(places, device: device)
    self.labels = try Tensor(places.count == labels.count ? labels : places.map { labels[$0] }, device: device)
    self.weights = try weights.map { (weights: [Float]) throws(EngineError) in try Tensor(places.map { weights[$0] }, device: device) }
  }

  /// Texts one a row, padded on the right; every token but a row's first is the label of the one before.
  public init(texts: [[Int]], device: Device = .cpu) throws(EngineError) {
    let length = max(1, texts.map(\.count).max() ?? 1)
    var ids = [Int](repeating: 0, count: texts.count * length), labels = [Int](repeating: -1, count: texts.count * length)
    var positions = ids
    var spans: [Span] = []
    for (row, text) in texts.enumerated() where !text.isEmpty {
      for (t, id) in text.enumerated() {
        ids[row * length + t] = id
        positions[row * length + t] = t
        if t + 1 < text.count { labels[row * length + t] = text[t + 1] }
      }
      spans.append(Span(row: row, start: 0, length: text.count))
    }
    try self.init(rows: texts.count, length: length, ids: ids, labels: labels, positions: positions, spans: spans, device: device)
  }
}

/// A forward pass: the vocabulary head has not run.
public struct Forward {
  /// What the head sees, [rows · length, hidden].
  public let hidden: Tensor
  public let batch: Batch

  /// Hidden states of the tokens that have a label, [labels, hidden].
  public var labelledHidden: Tensor {
    get throws(EngineError) {
      guard let labelled = batch.labelled else { return hidden }
      return try hidden.selecting(labelled, axis: 0)
    }
  }
}
