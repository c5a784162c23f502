import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// The Fisher pass against gradients taken one by one and sums over the whole vocabulary.
struct FisherTests {
  private func names(_ model: Decoder) -> Set<String> { Set(model.parameters.map(\.name)) }

  private func close(_ a: [String: Tensor], _ b: [String: Tensor], _ bound: Double) throws {
    #expect(Set(a.keys) == Set(b.keys))
    for (name, tensor) in a {
      let size = try Tensor.squaredNorm(of: [tensor]).squareRoot()
      #expect(try Tensor.squaredNorm(of: [tensor - b[name]!]).squareRoot() <= bound * size, "\(name)")
    }
  }

  @Test(arguments: [FisherPass.Kind.empirical, .asCoded, .targetOnly])
  func squaresTheGradientsOfSingleExamples(kind: FisherPass.Kind) throws {
    let scratch = try Scratch(), model = try tinyDecoder(), texts = randomTexts(6)
    var expected: [String: Tensor] = [:]
    for text in texts {
      for (name, g) in try model.gradients(of: text, scale: kind == .empirical ? 1 : 1 / Double(text.count - 1)) {
        let square = try g * g * (1 / Double(texts.count))
        expected[name] = try expected[name].map { try $0 + square } ?? square
      }
    }
    for p in model.parameters { try p.value.setRequiresGradient(false) }
    let found = try FisherPass.run(kind, names(model), pass(model, texts, store: scratch.path))
    try close(expected, found, 1e-5)
  }

  /// E over y ~ p of (∂ log p(y))², summed over positions: labels drawn position by position are independent, so cross terms vanish.
  @Test func drawnLabelsGiveTheTrueFisher() throws {
    let scratch = try Scratch(), model = try tinyDecoder(layers: 1, vocabulary: 7), text = [3, 1, 5]
    for p in model.parameters { try p.value.setRequiresGradient(true) }
    var exact: [String: Tensor] = [:]
    let batch = try Batch(texts: [text])
    for position in 0..<2 {
      let p = try Torch.withoutGradients { try model.logits(model.forward(batch).labelledHidden).softmax(axis: 1).doubles() }
      for label in 0..<7 {
        let hidden = try model.forward(batch).labelledHidden
        try hidden.headLoss(model.head.value, labels: Tensor(position == 0 ? [label, -1] : [-1, label])).backward()
        for parameter in model.parameters {
          let g = try parameter.value.takeGradient()!
          let part = try g * g * p[position * 7 + label]
          exact[parameter.name] = try exact[parameter.name].map { try $0 + part } ?? part
        }
      }
    }
    for p in model.parameters { try p.value.setRequiresGradient(false) }
    let draws = 3000
    let found = try FisherPass.run(.sampled, names(model), pass(model, Array(repeating: text, count: draws), store: scratch.path))
    // Six standard errors at a coefficient of variation of 3 for a single draw.
    try close(exact, found, 6 * 3 / Double(draws).squareRoot())
    let data = try FisherPass.run(.empirical, names(model), pass(model, [text], store: scratch.path + "/2"))
    #expect(throws: (any Error).self) { try requireClose(exact, data) }
  }

  private struct Far: Error {}
  /// Throws where the traces differ by more than a tenth.
  private func requireClose(_ a: [String: Tensor], _ b: [String: Tensor]) throws {
    let x = try a.values.reduce(0) { try $0 + $1.sum().item() }, y = try b.values.reduce(0) { try $0 + $1.sum().item() }
    if abs(x - y) > 0.1 * x { throw Far() }
  }

  /// Why a pass never squares a batch: with a common mean, (B · mean)² counts it B times.
  @Test func squaringABatchOvercountsItsMean() throws {
    let model = try tinyDecoder(), texts = randomTexts(16, lengths: 8...8, vocabulary: 4)
    var single = 0.0, sum: [String: Tensor] = [:]
    for text in texts {
      let g = try model.gradients(of: text)
      single += try Tensor.squaredNorm(of: Array(g.values))
      for (name, tensor) in g { sum[name] = try sum[name].map { try $0 + tensor } ?? tensor }
    }
    let whole = try Tensor.squaredNorm(of: Array(sum.values))
    // Random texts and random weights: a common mean remains, and the ratio is far from 1.
    #expect(whole / single > 1.5, "\(whole / single)")
  }

  @Test func aKillInTheMiddleChangesNoBit() throws {
    let scratch = try Scratch(), model = try tinyDecoder(), texts = randomTexts(9)
    for kind in [FisherPass.Kind.empirical, .sampled] {
      let whole = try FisherPass.run(kind, names(model), pass(model, texts, store: scratch.path + "/whole\(kind)"))
      var stops = 0
      for stop in [2, 7] {
        #expect(throws: (any Error).self) {
          _ = try FisherPass.run(kind, names(model), pass(model, texts, store: scratch.path + "/\(kind)") { done, _ in done < stop })
        }
        stops += 1
      }
      let again = try FisherPass.run(kind, names(model), pass(model, texts, store: scratch.path + "/\(kind)"))
      for (name, tensor) in whole { #expect(try again[name]!.hasSameBits(as: tensor), "\(kind) \(name) after \(stops) stops") }
    }
  }
}
