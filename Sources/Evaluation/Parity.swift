internal import HoldfastBasics
internal import HoldfastDecoding
internal import HoldfastEngine
public import HoldfastModels

/// One number of a reference file beside ours.
public struct ParityLine: Sendable, Hashable {
  /// As the reference file names it.
  public let name: String
  /// Largest absolute difference; for tokens the number of those that differ.
  public let difference: Double
  /// The largest `difference` that is agreement.
  public let bound: Double
  /// Whether the difference is within the bound.
  public var agrees: Bool { difference <= bound }
}

/// Compares a model with the numbers another framework gave for it: logits, hidden states, loss, padded rows, every
/// gradient and greedy tokens. The file's form is that of `Scripts/parity_reference.py`.
///
/// Bounds, f32 on a CPU: logits and hidden states 5e-5, loss 1e-5, a gradient 1e-5 + 1e-4 · its largest entry, tokens equal.
public func parity(of model: Decoder, reference path: String) throws -> [ParityLine] {
  let file = try SafetensorsFile(path: path)
  return try Parity(model: model, file: file).run()
}

private final class Parity {
  let model: Decoder
  let file: SafetensorsFile
  var lines: [ParityLine] = []

  init(model: Decoder, file: SafetensorsFile) {
    self.model = model
    self.file = file
  }

  func run() throws -> [ParityLine] {
    try forwardAndGradients()
    try paddedRows()
    try greedyTokens()
    return lines
  }

  /// A tensor of the reference on the CPU; nil where the file has none.
  func reference(_ name: String) throws -> Tensor? {
    guard let entry = file.entry(name) else { return nil }
    return try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype)
  }

  func needed(_ name: String) throws -> Tensor {
    if let found = try reference(name) { return found }
    throw EngineError("\(file.path) holds no tensor \(name): it is no reference file in the form of Scripts/parity_reference.py")
  }

  func compare(_ name: String, _ ours: Tensor, bound: Double, relative: Double = 0) throws {
    guard let theirs = try reference(name) else { return }
    let shaped = try ours.to(.cpu).reshaped(theirs.shape)
    let largest = try relative > 0 ? theirs.abs().max().item() : 0
    lines.append(ParityLine(name: name, difference: try shaped.largestDifference(to: theirs), bound: bound + relative * largest))
  }

  /// Rows of ids and labels in Transformers' convention (label t belongs to the logits at t − 1) as a batch.
  func batch(ids: Tensor, labels: Tensor, lengths: [Int]?) throws -> Batch {
    let shape = try ids.shape, rows = shape[0], length = shape[1]
    let theirs = try labels.ints()
    var shifted = [Int](repeating: -1, count: rows * length), positions = shifted
    for row in 0..<rows {
      for t in 0..<length {
        positions[row * length + t] = t
        if t + 1 < length { shifted[row * length + t] = theirs[row * length + t + 1] }
      }
    }
    let spans = (0..<rows).map { Span(row: $0, start: 0, length: lengths?[$0] ?? length) }
    return try Batch(
      rows: rows, length: length, ids: ids.ints(), labels: shifted, positions: positions, spans: spans, device: model.device)
  }

  func meanLoss(_ forward: Forward) throws -> Tensor {
    try forward.labelledHidden.headLoss(model.head.value, labels: forward.batch.labels) * (1 / Double(max(1, forward.batch.labelCount)))
  }

  func forwardAndGradients() throws {
    let batch = try batch(ids: needed("input_ids"), labels: needed("labels"), lengths: nil)
    for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
    defer { for parameter in model.parameters { try? parameter.value.setRequiresGradient(false) } }
    var states: [(String, Tensor)] = []
    let forward = try model.forward(batch) { (name: String, state: Tensor) throws(EngineError) in states.append((name, try state.detached())) }
    try compare("logits", model.logits(forward.hidden.detached()), bound: 5e-5)
    for (name, state) in states { try compare("hidden.\(name)", state, bound: 5e-5) }
    let loss = try meanLoss(forward)
    try compare("loss", loss.detached(), bound: 1e-5)
    try loss.backward()
    for parameter in model.parameters {
      guard let gradient = try parameter.value.takeGradient() else {
        lines.append(ParityLine(name: "grad.\(parameter.name)", difference: .infinity, bound: 0))
        continue
      }
      try compare("grad.\(parameter.name)", gradient, bound: 1e-5, relative: 1e-4)
    }
  }

  func paddedRows() throws {
    guard let ids = try reference("padded.input_ids") else { return }
    let mask = try needed("padded.attention_mask"), labels = try needed("padded.labels")
    let lengths = try mask.sum(axis: 1).ints()
    let batch = try batch(ids: ids, labels: labels, lengths: lengths)
    try Torch.withoutGradients {
      let forward = try model.forward(batch)
      let theirs = try needed("padded.logits")
      let shape = try theirs.shape
      let seen = try mask.cast(.float32).reshaped([shape[0], shape[1], 1])
      let ours = try model.logits(forward.hidden).to(.cpu).reshaped(shape)
      let difference = try (ours * seen).largestDifference(to: theirs * seen)
      lines.append(ParityLine(name: "padded.logits", difference: difference, bound: 5e-5))
      try compare("padded.loss", meanLoss(forward), bound: 1e-5)
    }
  }

  /// Each prompt alone, then all in one ragged batch.
  func greedyTokens() throws {
    var requests: [GenerationRequest] = [], expected: [[Int]] = []
    while let prompt = try reference("generate.\(requests.count).prompt"), let tokens = try reference("generate.\(requests.count).tokens") {
      expected.append(try tokens.ints())
      requests.append(GenerationRequest(prompt: try prompt.ints(), maximumTokens: expected.last!.count))
    }
    guard !requests.isEmpty else { return }
    let together = try model.generate(requests)
    for (i, request) in requests.enumerated() {
      let alone = try model.generate([request])[0]
      for (label, ours) in [("tokens", alone), ("tokens (one batch)", together[i])] {
        let wrong = zip(ours, expected[i]).count { $0 != $1 } + abs(ours.count - expected[i].count)
        lines.append(ParityLine(name: "generate.\(i).\(label)", difference: Double(wrong), bound: 0))
      }
    }
  }
}
