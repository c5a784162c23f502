internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastModels
package import HoldfastTraining
package import HoldfastEngine

/// How much the model's output depends on each weight: mean over examples of |∂ (mean over positions of ‖f‖²) / ∂θ|.
package enum OutputPass {
  package enum Output: String, KeyChoice {
    case logits
    case logProbabilities = "log_probabilities"
  }

  package static func preparation(_ output: Output, over facts: PreparationFacts, _ space: ImportanceSpace, _ data: PreparationData) -> Preparation {
    let names = space.names(trained: facts.trained)
    let count = facts.model.parameters.reduce(0) { $0 + (names.contains($1.name) ? $1.count : 0) }
    return Preparation(
      name: "output_gradients",
      settings: ["output": .string(output.rawValue), "parameters": .array(facts.model.parameters.map(\.name).filter(names.contains).map { .string($0) })],
      data: data, backwardPasses: 1, bytes: 4 * count
    ) { pass in try run(output, names, pass) }
  }

  package static func run(_ output: Output, _ names: Set<String>, _ pass: PreparationPass) throws -> [String: Tensor] {
    let model = pass.model
    let chosen = model.parameters.filter { names.contains($0.name) }
    try pass.setTrained { names.contains($0.name) }
    var sums: [String: Tensor] = [:]
    for parameter in chosen { sums[parameter.name] = try Tensor.zeros(parameter.shape, device: model.device) }
    sums["examples"] = try Tensor([0.0 as Float])
    try pass.fold(into: &sums) { host, _, sums in
      guard host.units > 0 else { return }
      let hidden = try model.forward(pass.batch(host)).labelledHidden
      // The head is passed 64 positions at a time, so that logits never exist whole; then once backward through the rest.
      let leaf = try hidden.detached().copy()
      try leaf.setRequiresGradient(true)
      for start in stride(from: 0, to: host.units, by: 64) {
        var f = try model.logits(leaf.sliced(axis: 0, start..<min(start + 64, host.units)))
        if output == .logProbabilities { f = try f.logSoftmax(axis: 1) }
        try ((f * f).sum() * (1 / Double(host.units))).backward()
      }
      if try hidden.requiresGradient, let slope = try leaf.takeGradient() { try (hidden * slope).sum().backward() }
      for parameter in chosen {
        guard let gradient = try parameter.value.takeGradient() else { continue }
        try sums[parameter.name]!.add(gradient.cast(.float32).abs())
      }
      try sums["examples"]!.add(Tensor([1.0 as Float]))
    }
    let examples = try sums.removeValue(forKey: "examples")!.item()
    if examples == 0 { throw EngineError("no example has a position whose output is asked for") }
    for sum in sums.values { try sum.scale(by: 1 / examples) }
    pass.facts["examples"] = .integer(Int(examples))
    return sums
  }
}
