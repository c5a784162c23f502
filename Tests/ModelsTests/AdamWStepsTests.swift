import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

/// Ten steps of torch.optim.AdamW on a small Llama, with clipping and a cosine rate.
@Suite struct AdamWSteps {
  @Test(.enabled(if: Cases.isShared, "../shared/parity is not there")) func tenStepsFollowTorch() throws {
    let folder = Cases.shared + "/adamw10"
    let json = try MappedFile(path: folder + "/steps.json").json()
    let plan = try #require(json["plan"]), steps = try #require(json["steps"]?.array)
    func number(_ json: JSON?) throws -> Double { try #require(json?.double) }
    func file(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: "\(folder)/\(name).safetensors") }
    func read(_ file: SafetensorsFile, _ name: String) throws -> Tensor {
      let entry = try #require(file.entry(name))
      return try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype)
    }

    let model = try ModelFolder(Cases.shared + "/llama-gqa-tied").load()
    try model.train()
    let batches = try file("batches"), ids = try read(batches, "input_ids"), labels = try read(batches, "labels")
    let rows = try ids.shape[1], length = try ids.shape[2]
    let first = try model.parameters.map { try Tensor.zeros($0.shape) }, second = try model.parameters.map { try Tensor.zeros($0.shape) }

    for (k, expected) in steps.enumerated() {
      let one = try ids.sliced(axis: 0, k..<k + 1).ints(), theirs = try labels.sliced(axis: 0, k..<k + 1).ints()
      var shifted = theirs
      for i in shifted.indices { shifted[i] = i % length + 1 < length ? theirs[i + 1] : -1 }
      let batch = try Batch(
        rows: rows, length: length, ids: one, labels: shifted, positions: (0..<rows * length).map { $0 % length },
        spans: (0..<rows).map { Span(row: $0, start: 0, length: length) })
      #expect(batch.labelCount == expected["label_count"]?.int)
      let loss = try model.loss(batch) * (1 / Double(batch.labelCount))
      #expect(try Swift.abs(loss.item() - number(expected["loss"])) < 1e-4, "step \(k)")
      try loss.backward()
      let collected = try model.takeGradients()
      let gradients = try model.parameters.map { try #require(collected[$0.name]) }
      let norm = try Tensor.squaredNorm(of: gradients).squareRoot()
      #expect(try Swift.abs(norm - number(expected["grad_norm"])) < 1e-3, "step \(k)")
      var settings = AdamWStep(rate: try number(expected["lr"]), step: k + 1)
      settings.beta1 = try number(plan["betas"]?[0])
      settings.beta2 = try number(plan["betas"]?[1])
      settings.epsilon = try number(plan["eps"])
      settings.decay = try number(plan["weight_decay"])
      settings.gradientScale = min(1, try number(plan["clip"]) / (norm + 1e-6))
      for (i, p) in model.parameters.enumerated() {
        try p.value.adamW(gradient: gradients[i], first: first[i], second: second[i], settings)
      }
      let snapshot = k == 1 || k == 4 ? "after-step-\(k)" : k == steps.count - 1 ? "final" : nil
      if let snapshot {
        let weights = try file(snapshot)
        for p in model.parameters { #expect(try p.value.largestDifference(to: read(weights, p.name)) < 1e-4, "\(snapshot) \(p.name)") }
      }
    }
    let moments = try file("moments")
    for (i, p) in model.parameters.enumerated() {
      for (name, ours) in [("exp_avg", first[i]), ("exp_avg_sq", second[i])] {
        let theirs = try read(moments, "\(name).\(p.name)")
        #expect(try ours.largestDifference(to: theirs) < 1e-4 * theirs.abs().max().item(), "\(name).\(p.name)")
      }
    }
  }
}
