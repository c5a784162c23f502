import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

/// Adapters as PEFT wrote them, and PEFT's numbers for them (Scripts/make_adapter_fixtures.py).
@Suite struct AdapterParityTests {
  private static let folder = Cases.tests + "/Fixtures/adapters"
  private static let kinds = ["lora", "rslora", "dora", "adalora"]

  private func base() throws -> Decoder { try ModelFolder(Cases.tests + "/Fixtures/models/qwen2").load() }

  private func reference(_ name: String) throws -> [String: Tensor] {
    let file = try SafetensorsFile(path: "\(Self.folder)/\(name)/reference.safetensors")
    return try Dictionary(uniqueKeysWithValues: file.names.map {
      ($0, try Tensor(bytes: file.bytes($0), shape: file.entry($0)!.shape, dtype: file.entry($0)!.dtype))
    })
  }

  private func batch(_ reference: [String: Tensor]) throws -> Batch {
    let ids = reference["input_ids"]!, shape = try ids.shape, length = shape[1]
    let flat = try ids.ints(), given = try reference["labels"]!.ints()
    // Ours is the label of the next token.
    let labels = flat.indices.map { $0 % length + 1 < length ? given[$0 + 1] : -100 }
    return try Batch(
      rows: shape[0], length: length, ids: flat, labels: labels, positions: flat.indices.map { $0 % length },
      spans: (0..<shape[0]).map { Span(row: $0, start: 0, length: length) })
  }

  private func gradients(_ model: Decoder, _ batch: Batch, of isTrained: (String) -> Bool) throws -> (loss: Double, gradients: [String: Tensor]) {
    try model.train(isTrained)
    let loss = try model.loss(batch) * (1 / Double(batch.labelCount))
    try loss.backward()
    return (try loss.item(), try model.takeGradients())
  }

  private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try a.largestDifference(to: b) / max(1e-6, b.abs().max().item()) }

  @Test(arguments: kinds) func logitsLossAndGradientsAgree(kind: String) throws {
    let reference = try reference(kind), batch = try batch(reference), model = try base()
    let adapter = try AdapterFolder("\(Self.folder)/\(kind)")
    try model.attach(adapter.configuration, weights: adapter.weights)
    let logits = try model.logits(model.forward(batch).hidden).sliced(axis: 0, 0..<batch.length)
    #expect(try distance(logits, reference["logits"]!) < 2e-5)
    let ours = try gradients(model, batch) { $0.contains("lora_") }
    #expect(try abs(ours.loss - reference["loss"]!.item()) < 1e-5)
    let theirs = reference.filter { $0.key.hasPrefix("grad.") }
    #expect(Set(theirs.keys) == Set(ours.gradients.keys.map { "grad." + $0 }))
    for (name, gradient) in ours.gradients { #expect(try distance(gradient, theirs["grad." + name]!) < 5e-5, "\(name)") }
    let off = try model.forward(batch, adapters: .off).hidden
    #expect(try off.hasSameBits(as: base().forward(batch).hidden))
  }

  @Test(arguments: kinds) func mergedWeightsAgree(kind: String) throws {
    let reference = try reference(kind), model = try base(), adapter = try AdapterFolder("\(Self.folder)/\(kind)")
    let linears = try adapter.configuration.adapter(of: model.configuration, weights: adapter.weights).linears
    var seen = 0
    for linear in linears {
      guard let theirs = reference["merged." + linear.base.name] else { continue }
      let start = model.parameter(linear.base.name)!.value
      #expect(try distance(linear.merged(into: start), theirs) < 2e-6, "\(linear.name)")
      #expect(try distance(start, theirs) > 0.01)
      seen += 1
    }
    #expect(seen == 2)
  }

  @Test func configurationsSayWhatPEFTMeant() throws {
    let plain = try AdapterFolder(Self.folder + "/rslora").configuration
    // alpha 6 / √4, and by the patterns 3 / √4 and 6 / √2.
    #expect(plain.scale(of: "model.layers.1.self_attn.q_proj") == 1.5)
    #expect(abs(plain.scale(of: "model.layers.1.mlp.gate_proj") - 6 / 2.0.squareRoot()) < 1e-12)
    let adaptive = try AdapterFolder(Self.folder + "/adalora").configuration
    // Two of five ranks are gone; the scale is that of the five.
    #expect(adaptive.ranks["model.layers.0.self_attn.v_proj"] == 3 && abs(adaptive.scale(of: "model.layers.0.self_attn.v_proj") - 7 / 5.00001) < 1e-12)
  }

  /// BitFit as PEFT has it: `bias: all` beside an adapter that adds nothing yet.
  @Test func biasGradientsAgree() throws {
    let reference = try reference("bitfit"), ours = try gradients(base(), batch(reference)) { $0.hasSuffix(".bias") }
    #expect(try abs(ours.loss - reference["loss"]!.item()) < 1e-5)
    #expect(ours.gradients.count == 6 && Set(ours.gradients.keys.map { "grad." + $0 }) == Set(reference.keys.filter { $0.hasPrefix("grad.") }))
    // A key's bias moves all of a query's scores alike, so its gradient is zero but for rounding: measured against the query's.
    let unit = try reference["grad.model.layers.0.self_attn.q_proj.bias"]!.abs().max().item()
    for (name, gradient) in ours.gradients {
      let theirs = reference["grad." + name]!
      #expect(try gradient.largestDifference(to: theirs) < 5e-5 * max(unit, theirs.abs().max().item()), "\(name)")
    }
  }
}
