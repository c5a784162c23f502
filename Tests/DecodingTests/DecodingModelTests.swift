import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

@Suite("Decoding steps") struct DecodingModelTests {
  /// Texts of one row each, read in blocks of the given sizes; logits of every token.
  private func logits(_ model: DecodingModel, _ texts: [[Int]], blocks: [Int], adapters: [AdapterChoice]? = nil) throws -> [[Float]] {
    let cache = try model.cache(rows: texts.count, capacity: 96)
    var result = [[Float]](repeating: [], count: texts.count), at = [Int](repeating: 0, count: texts.count), turn = 0
    let width = model.configuration.vocabularySize
    while texts.indices.contains(where: { at[$0] < texts[$0].count }) {
      var parts: [RowTokens] = []
      for row in texts.indices where at[row] < texts[row].count {
        let size = min(blocks[(turn + row) % blocks.count], texts[row].count - at[row])
        parts.append(RowTokens(row: row, ids: Array(texts[row][at[row]..<at[row] + size]), wanted: size, adapters: adapters?[row] ?? .all))
      }
      let values = try model.advance(parts, in: cache).floats()
      var first = 0
      for part in parts {
        result[part.row] += values[first * width..<(first + part.wanted) * width]
        first += part.wanted
        at[part.row] += part.ids.count
      }
      turn += 1
    }
    return result
  }

  private let texts = Toy.prompts(16, vocabulary: 29, longest: 60, seed: 8)

  @Test("a row's logits are the same to the bit, whatever shares the call", arguments: [DType.float32, .bfloat16])
  func invariance(_ dtype: DType) throws {
    for decoder in [try Toy.oddModel(seed: 1, dtype: dtype), try Toy.model(seed: 1, vocabulary: 29, dtype: dtype)] {
      for weights in DecodingWeights.allCases {
        let model = try DecodingModel(decoder, weights: weights)
        #expect(model.isRowInvariant)
        let alone = try texts.map { try logits(model, [$0], blocks: [1])[0] }
        #expect(try logits(model, texts, blocks: [1]) == alone)
        #expect(try logits(model, texts, blocks: [3, 1, 16, 2, 7]) == alone)
        #expect(try logits(model, texts, blocks: [64]) == alone)
      }
    }
  }

  @Test("threads change no bit")
  func threads() throws {
    let model = try DecodingModel(Toy.oddModel(seed: 2, dtype: .bfloat16)), before = try Torch.threads
    defer { try? Torch.setThreads(before) }
    try Torch.setThreads(1)
    let one = try logits(model, texts, blocks: [4])
    try Torch.setThreads(3)
    #expect(try logits(model, texts, blocks: [4]) == one)
  }

  @Test("steps equal a forward pass over the whole text")
  func parity() throws {
    for decoder in [try Toy.oddModel(seed: 3), try Toy.model(seed: 3, vocabulary: 29)] {
      let model = try DecodingModel(decoder), ours = try logits(model, texts, blocks: [5, 2])
      for (text, steps) in zip(texts, ours) {
        let whole = try decoder.logits(decoder.forward(Batch(texts: [text])).hidden).floats()
        let difference = zip(steps, whole).map { abs($0 - $1) }.max()!
        #expect(difference < 2e-4, "\(difference)")
      }
    }
  }

  @Test("the composed path gives the same within rounding, and crops and copies rows alike")
  func composed() throws {
    let wide = try DecodingModel(Toy.oddModel(seed: 4, dtype: .float64)), model = try DecodingModel(Toy.oddModel(seed: 4))
    #expect(!wide.isRowInvariant)
    let a = try logits(wide, texts, blocks: [3, 1]), b = try logits(model, texts, blocks: [3, 1])
    for (x, y) in zip(a, b) { #expect(zip(x, y).map { abs($0 - $1) }.max()! < 2e-4) }
    let cache = try model.cache(rows: 2, capacity: 32)
    let text = Array(texts.first { $0.count > 20 }!.prefix(20))
    let whole = try model.advance([RowTokens(row: 0, ids: text, wanted: 1)], in: cache).floats()
    cache.crop(row: 0, to: 12)
    try cache.copyPrefix(of: 0, count: 9, to: 1)
    #expect(try model.advance([RowTokens(row: 1, ids: Array(text[9...]), wanted: 1)], in: cache).floats() == whole)
    #expect(try model.advance([RowTokens(row: 0, ids: Array(text[12...]), wanted: 1)], in: cache).floats() == whole)
    #expect(throws: EngineError.self) { try model.advance([RowTokens(row: 0, ids: text, wanted: 1)], in: cache) }
    #expect(throws: EngineError.self) { try model.advance([RowTokens(row: 0, ids: [99], wanted: 1)], in: cache) }
  }

  @Test("adapters are chosen row by row", arguments: [AdapterConfiguration.Kind.lora, .dora, .adalora])
  func adapters(_ kind: AdapterConfiguration.Kind) throws {
    let decoder = try Toy.model(seed: 5, vocabulary: 29), plain = try Toy.model(seed: 5, vocabulary: 29)
    let adapted = try decoder.attach(AdapterConfiguration(kind, rank: 3, alpha: 6), weights: NoisyWeights(seed: 6))
    _ = adapted
    let model = try DecodingModel(decoder), base = try DecodingModel(plain)
    let rows = Array(texts.prefix(6)), choices: [AdapterChoice] = [.all, .none, .only(0), .none, .all, .none]
    let mixed = try logits(model, rows, blocks: [2, 5], adapters: choices)
    for (row, text) in rows.enumerated() {
      if choices[row] == .none {
        #expect(try logits(base, [text], blocks: [1])[0] == mixed[row])
      } else {
        let whole = try decoder.logits(decoder.forward(Batch(texts: [text])).hidden).floats()
        #expect(zip(mixed[row], whole).map { abs($0 - $1) }.max()! < 5e-4)
      }
    }
  }

  @Test("int8 weights stay near")
  func int8() throws {
    let decoder = try Toy.model(seed: 7, vocabulary: 29, deviation: 0.2)
    let a = try logits(DecodingModel(decoder), texts, blocks: [4]),
      b = try logits(DecodingModel(decoder, weights: .int8), texts, blocks: [4])
    var worst: Float = 0, size: Float = 0
    for (x, y) in zip(a, b) { for (p, q) in zip(x, y) { (worst, size) = (max(worst, abs(p - q)), max(size, abs(p))) } }
    #expect(worst < 0.05 * size && worst > 0, "\(worst) of \(size)")
  }
}
