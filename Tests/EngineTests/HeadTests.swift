import HoldfastBasics
import HoldfastEngine
import Testing

/// The vocabulary head, its loss and its scores, beside log-softmax over whole logits.
@Suite struct VocabularyHead {
  @Test(arguments: [DType.float32, .bfloat16], [false, true]) func loss(dtype: DType, weighted: Bool) throws {
    var draw = try Draw(11)
    for _ in 0..<4 {
      let tokens = draw.size(1...140), width = draw.size(1...40), vocabulary = draw.size(2...500)
      let labels = try Tensor((0..<tokens).map { $0 % 5 == 3 ? -1 : draw.stream.below(vocabulary) })
      let weights = weighted ? try draw.normal([tokens]).abs().cast(.float32) : nil
      let errors = try KernelErrors(dtype, [draw.normal([tokens, width]), draw.normal([vocabulary, width], 0.5)], cotangent: Tensor.full([], 0.037)) {
        try $0[0].headLoss($0[1], labels: labels, weights: weights)
      }
      // The composed path rounds whole bf16 logits; ours may keep them in f32.
      #expect(errors.fromWide < (dtype == .float32 ? 3e-6 : 1e-2), "\(errors)")
      #expect(errors.fromComposed < (dtype == .float32 ? 1e-5 : 3e-2), "\(errors)")
    }
  }

  /// Many chunks of tokens give what the chunks give one by one.
  @Test func chunksAddUp() throws {
    let draw = try Draw(12)
    let vocabulary = 1 << 19, tokens = 130, width = 3
    let hidden = try draw.normal([tokens, width]).cast(.float32), weight = try draw.normal([vocabulary, width]).cast(.float32)
    let labels = (0..<tokens).map { ($0 * 40_009) % vocabulary }
    let whole = try Differentiated([hidden, weight]) { try $0[0].headLoss($0[1], labels: Tensor(labels)) }
    var loss = 0.0, sum: Tensor?
    for part in [0..<50, 50..<tokens] {
      let one = try Differentiated([hidden.sliced(axis: 0, part), weight]) { try $0[0].headLoss($0[1], labels: Tensor(Array(labels[part]))) }
      loss += try one.output.item()
      #expect(try relativeError(one.gradients[0]!, whole.gradients[0]!.sliced(axis: 0, part)) < 1e-6)
      sum = try sum.map { try $0 + one.gradients[1]! } ?? one.gradients[1]!
    }
    #expect(try Swift.abs(whole.output.item() - loss) < 1e-6 * loss)
    #expect(try relativeError(sum!, whole.gradients[1]!) < 1e-6)
  }

  @Test(arguments: [DType.float32, .bfloat16]) func scores(dtype: DType) throws {
    var draw = try Draw(13)
    for _ in 0..<4 {
      let tokens = draw.size(1...90), width = draw.size(1...40), vocabulary = draw.size(2...400)
      let hidden = try draw.normal([tokens, width]).cast(dtype), weight = try draw.normal([vocabulary, width], 0.5).cast(dtype)
      let labels = (0..<tokens).map { $0 % 7 == 2 ? -1 : draw.stream.below(vocabulary) }
      let (scores, best) = try hidden.headScores(weight, labels: Tensor(labels))
      let logits = try hidden.cast(.float64).linear(weight.cast(.float64))
      let exact = try logits.logSoftmax(axis: -1).gathering(Tensor(labels.map { [max(0, $0)] }.flatMap { $0 }, shape: [tokens, 1]), axis: 1).doubles()
      for (t, score) in try scores.doubles().enumerated() {
        if labels[t] < 0 { #expect(score == 0) } else { #expect(Swift.abs(score - exact[t]) < (dtype == .float32 ? 2e-5 : 0.15)) }
      }
      // The likeliest id, or one that is as likely within rounding.
      let top = try logits.gathering(best.reshaped([tokens, 1]), axis: 1).reshaped([tokens])
      let gap = try (logits.sum(axis: 1) * 0 + top).doubles()
      let all = try logits.doubles()
      for t in 0..<tokens {
        let most = all[(t * vocabulary)..<((t + 1) * vocabulary)].max()!
        #expect(most - gap[t] < (dtype == .float32 ? 1e-5 : 0.15))
      }
    }
  }

  /// A frozen side costs no product.
  @Test func frozenSidesAreNotComputed() throws {
    let draw = try Draw(14)
    let inputs = [try draw.normal([20, 8]).cast(.float32), try draw.normal([30, 8]).cast(.float32)]
    for (trained, products) in [([true, false], 0), ([false, true], 1), ([true, true], 1)] {
      let before = try Torch.weightGradientProducts
      let got = try Differentiated(inputs, trained: trained) { try $0[0].headLoss($0[1], labels: Tensor.range(0, 20)) }
      #expect(try Torch.weightGradientProducts - before == products)
      #expect(got.gradients.map { $0 != nil } == trained)
    }
  }
}
