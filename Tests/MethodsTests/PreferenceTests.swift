import HoldfastBasics
import HoldfastDatasets
import HoldfastEngine
import HoldfastModels
import HoldfastTokenizers
import HoldfastTraining
import Testing

/// Losses and gradients of preference pairs beside TRL's (Scripts/make_dpo_fixtures.py).
struct PreferenceTests {
  private static let fixtures = Files.folder(of: Files.folder(of: #filePath)) + "/Fixtures"

  @Test(arguments: 0..<4) func asTRL(number: Int) throws {
    let json = try MappedFile(path: Self.fixtures + "/dpo/cases.json").json()
    let pairs = try #require(json["pairs"]?.array), wanted = try #require(json["cases"]?.array?[number])
    func ids(_ pair: JSON, _ key: String) -> [Int] { (pair[key]?.array ?? []).compactMap(\.int) }
    var examples: [Example] = [], reference: [Double] = []
    for (i, pair) in pairs.enumerated() {
      for side in ["chosen", "rejected"] {
        let prompt = ids(pair, "prompt_ids"), answer = ids(pair, side + "_ids")
        examples.append(Example(
          rendering: Rendering(ids: prompt + answer, isTrained: prompt.map { _ in false } + answer.map { _ in true }), line: i + 1))
        reference.append(try #require(pair["ref_\(side)_logps"]?.double))
      }
    }
    let knobs: JSONObject = [
      "beta": wanted["beta"]!, "loss": wanted["loss"]!, "label_smoothing": wanted["loss"] == "ipo" ? .null : wanted["label_smoothing"]!,
    ]
    let recipe = try KeyReader.read(KeySource(subject: "dpo", object: knobs)) { PreferenceRecipe($0) }.0
    let objective = PreferenceObjective(recipe: recipe, reference: reference)
    let model = try ModelFolder(Self.fixtures + "/models/llama").load()
    for p in model.parameters { try p.value.setRequiresGradient(true) }
    // Two pairs a row and three rows, or all one by one: it is the same sum.
    for (rows, length) in [(3, 14), (5, 40), (1, 16)] {
      let plan = try DataPlan(Dataset(pairs: examples), .init(seed: 1, sequenceLength: length, rows: rows))
      var loss = 0.0, margin = 0.0, count = 0
      for step in 0..<plan.stepsPerEpoch(0) {
        for batch in plan.step(step).microbatches {
          let found = try objective.loss(model, model.forward(Batch(batch, device: .cpu)), batch, HeadTerms())
          try (found.total * (1 / Double(pairs.count))).backward()
          loss += found.value / Double(pairs.count)
          margin += found.terms.first { $0.name == "margin" }!.value
          count += objective.units(batch)
        }
      }
      #expect(count == pairs.count && margin != 0)
      let mean = try #require(wanted["mean"]?.double)
      #expect(abs(loss - mean) < 1e-5 * mean, "\(loss), TRL \(mean)")
      let gradients = try SafetensorsFile(path: Self.fixtures + "/dpo/gradients.safetensors")
      for name in gradients.names where name.hasPrefix("\(number).") {
        let entry = try #require(gradients.entry(name))
        let theirs = try Tensor(bytes: gradients.bytes(name), shape: entry.shape, dtype: entry.dtype)
        let ours = try #require(try model.parameter(String(name.dropFirst(2)))?.value.takeGradient())
        let gap = try Tensor.squaredNorm(of: [ours - theirs]).squareRoot(), size = try Tensor.squaredNorm(of: [theirs]).squareRoot()
        #expect(gap < 2e-5 * size && size > 1e-4, "\(name): \(gap) of \(size)")
      }
      for p in model.parameters { _ = try p.value.takeGradient() }
    }
  }

  @Test func pairsStayTogether() throws {
    var stream = CounterGenerator(seed: 3, "pairs")
    let pairs = (0..<60).map { i in
      let ids = [Int](repeating: i, count: 3 + stream.below(8))
      return Example(rendering: Rendering(ids: ids, isTrained: ids.map { _ in true }), line: i / 2 + 1)
    }
    for packing in [Packing.bestFit, .none] {
      let plan = try DataPlan(Dataset(pairs: pairs), .init(seed: 2, sequenceLength: 10, packing: packing, rows: 3, accumulate: 2))
      var seen: [Int] = []
      for step in 0..<plan.stepsPerEpoch(0) {
        for batch in plan.step(step).microbatches {
          #expect(batch.segments.count == 2 * batch.pairs && batch.length <= 20)
          for at in stride(from: 0, to: batch.segments.count, by: 2) {
            let (a, b) = (batch.segments[at], batch.segments[at + 1])
            #expect(a.example + 1 == b.example && a.example % 2 == 0 && a.side == 0 && b.side == 1 && a.row == b.row)
            seen.append(a.example / 2)
          }
        }
        #expect(plan.step(step).sources[0].examples == plan.step(step).microbatches.reduce(0) { $0 + $1.pairs })
      }
      #expect(seen.sorted() == Array(0..<30) && seen != seen.sorted())
    }
  }
}
