package import HoldfastBasics
internal import HoldfastDatasets
package import HoldfastEngine
package import HoldfastModels
package import HoldfastTraining

/// The diagonal of the Fisher information, example by example: F_i = mean over examples of (∂ℓ/∂θ_i)².
///
/// Only gradients of single examples are squared: the square of a batch's mean gradient is about 1/B of the truth for
/// gradients of zero mean, and scaled by B it counts a common mean up to B times.
package enum FisherPass {
  /// Whose labels, which loss, where the squares are summed.
  package enum Kind: String, KeyChoice {
    /// ℓ = log p of the data's labels, summed over the example.
    case empirical
    /// The true Fisher: the same with labels drawn from the model behind the data's own context.
    case sampled
    /// As EWCLoRA's code does it: ℓ is the mean over the example's labels, every parameter of the model counts, and each
    /// gradient is copied to the host, squared and summed there.
    case asCoded = "as_coded"
    /// ℓ as there, for the parameters that train only, on the device.
    case targetOnly = "target_only"

    var isMean: Bool { self == .asCoded || self == .targetOnly }
  }

  package static func preparation(_ kind: Kind, over facts: PreparationFacts, _ space: ImportanceSpace, _ data: PreparationData, seed: Int) -> Preparation {
    let names = kind == .asCoded ? Set(facts.model.parameters.filter { $0.adapterPart == nil }.map(\.name)) : space.names(trained: facts.trained)
    let count = facts.model.parameters.reduce(0) { $0 + (names.contains($1.name) ? $1.count : 0) }
    return Preparation(
      name: "fisher",
      settings: ["kind": .string(kind.rawValue), "seed": .integer(seed), "parameters": .array(facts.model.parameters.map(\.name).filter(names.contains).map { .string($0) })],
      data: data, forwardPasses: kind == .sampled ? 2 : 1, backwardPasses: 1, bytes: 4 * count
    ) { pass in try run(kind, names, pass) }
  }

  package static func run(_ kind: Kind, _ names: Set<String>, _ pass: PreparationPass) throws -> [String: Tensor] {
    let model = pass.model
    let chosen = model.parameters.filter { names.contains($0.name) }
    try pass.setTrained { names.contains($0.name) }
    let place: Device = kind == .asCoded ? .cpu : model.device
    var sums: [String: Tensor] = [:]
    for parameter in chosen { sums[parameter.name] = try Tensor.zeros(parameter.shape, device: place) }
    sums["examples"] = try Tensor([0.0 as Float])
    try pass.fold(into: &sums) { host, number, sums in
      precondition(host.rows == 1, "a Fisher pass needs gradients of single examples")
      guard host.units > 0 else { return }
      let batch = try pass.batch(host)
      let forward = try model.forward(batch)
      let hidden = try forward.labelledHidden
      var labels = batch.labels
      if kind == .sampled { labels = try sample(model, hidden.detached(), seed: CounterGenerator(seed: pass.seed, "labels", number)) }
      var loss = try hidden.headLoss(model.head.value, labels: labels)
      if kind.isMean { loss = try loss * (1 / Double(host.units)) }
      try loss.backward()
      for parameter in chosen {
        guard let gradient = try parameter.value.takeGradient() else { continue }
        let moved = try gradient.cast(.float32).to(place)
        try sums[parameter.name]!.add(moved * moved)
      }
      try sums["examples"]!.add(Tensor([1.0 as Float]))
    }
    let examples = try sums.removeValue(forKey: "examples")!.item()
    if examples == 0 { throw EngineError("no example of the Fisher pass has a label") }
    for sum in sums.values { try sum.scale(by: 1 / examples) }
    pass.facts["examples"] = .integer(Int(examples))
    return sums
  }

  /// A label for each hidden state, drawn from the model: i64 [labels]. The largest of log p + Gumbel noise, 64 rows at a time.
  package static func sample(_ model: Decoder, _ hidden: Tensor, seed stream: CounterGenerator) throws -> Tensor {
    var stream = stream
    let generator = try Generator(seed: stream.next(), device: model.device)
    let count = try hidden.shape[0]
    return try Torch.withoutGradients {
      var parts: [Tensor] = []
      for start in stride(from: 0, to: count, by: 64) {
        let logits = try model.logits(hidden.sliced(axis: 0, start..<min(start + 64, count))).cast(.float32)
        // A draw of 0 gives −∞, which is never the largest.
        let noise = try -((-(generator.uniform(logits.shape).log())).log())
        parts.append(try (logits + noise).argmax(axis: 1))
      }
      return parts.count == 1 ? parts[0] : try Tensor.concatenated(parts, axis: 0)
    }
  }
}
