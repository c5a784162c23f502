import HoldfastBasics
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import Testing

/// Logits, hidden states, loss, padded rows, every gradient and greedy tokens beside Transformers'.
@Suite struct Parity {
  private func check(_ one: Case) throws {
    let model = try ModelFolder(one.folder, configurationFile: one.folder + "/" + one.configuration).load()
    let lines = try parity(of: model, reference: one.folder + "/reference.safetensors")
    for line in lines where !line.agrees { Issue.record("\(one): \(line.name) is off by \(line.difference), more than \(line.bound)") }
    // Nothing was left out: a gradient for every weight, hidden states for every layer, both prompts in both ways.
    #expect(lines.count { $0.name.hasPrefix("grad.") } == model.parameters.count)
    #expect(lines.count { $0.name.hasPrefix("hidden.") } == model.configuration.layerCount + 2)
    for name in ["logits", "loss", "padded.logits", "padded.loss"] { #expect(lines.contains { $0.name == name }) }
    #expect(lines.count { $0.name.hasPrefix("generate.") } == 4)
  }

  @Test(arguments: Cases.all(in: Cases.tests + "/Fixtures/models")) func ownCases(one: Case) throws { try check(one) }

  @Test func ownCasesCoverTheFamilies() throws {
    let cases = Cases.all(in: Cases.tests + "/Fixtures/models")
    let found = try Set(cases.map { try ModelFolder($0.folder).configuration.family })
    #expect(found == Set(Cases.families) && cases.count >= 14)
  }

  @Test(.enabled(if: Cases.isShared, "../shared/parity is not there"), arguments: Cases.all(in: Cases.shared))
  func sharedCases(one: Case) throws { try check(one) }

  @Test(.enabled(if: Cases.isShared, "../shared/parity is not there")) func sharedCasesAreAllThere() {
    #expect(
      Set(Cases.all(in: Cases.shared).map(\.name)) == [
        "llama", "llama-gqa-tied", "llama-llama3-rope", "llama-bias", "llama-bf16-sharded", "mistral-window", "qwen2", "qwen3",
      ])
  }

  /// The kernels of a CPU in bf16 stay near the f32 model: rounding of weights and activations, nothing more.
  @Test(arguments: ["llama", "qwen3", "mistral-window"]) func bfloat16StaysNear(name: String) throws {
    let folder = try ModelFolder(Cases.tests + "/Fixtures/models/" + name)
    var stream = CounterGenerator(seed: 1, "near")
    let batch = try Batch(texts: randomTexts(4, lengths: 5...30, vocabulary: folder.configuration.vocabularySize, &stream))
    let exact = try folder.load(), rounded = try folder.load(dtype: .bfloat16)
    for model in [exact, rounded] {
      try model.train()
      try model.loss(batch).backward()
    }
    let theirs = try exact.takeGradients(), ours = try rounded.takeGradients()
    #expect(Set(ours.keys) == Set(theirs.keys))
    for (name, gradient) in theirs {
      let difference = try Tensor.squaredNorm(of: [ours[name]!.cast(.float32) - gradient]).squareRoot()
      #expect(try difference < 0.06 * Tensor.squaredNorm(of: [gradient]).squareRoot(), "\(name)")
    }
  }
}
