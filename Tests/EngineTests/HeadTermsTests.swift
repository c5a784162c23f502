import HoldfastBasics
import HoldfastEngine
import Testing

/// Cross entropy and divergence of the vocabulary head in one pass.
@Suite struct HeadTerms {
  private static let kinds = [
    DivergenceKind(.forward), DivergenceKind(.reverse), DivergenceKind(.forward, temperature: 2), DivergenceKind(.reverse, temperature: 0.7),
    DivergenceKind(.forward, masksLabel: true), DivergenceKind(.reverse, masksLabel: true, temperature: 1.5),
  ]

  /// The other model's hidden states and head, in the type of `like`.
  private func other(_ draw: Draw, _ tokens: Int, _ width: Int, _ vocabulary: Int) throws -> (hidden: Tensor, head: Tensor) {
    (try draw.normal([tokens, width]), try draw.normal([vocabulary, width], 0.5))
  }

  @Test(arguments: [DType.float32, .bfloat16], kinds) func kernel(dtype: DType, kind: DivergenceKind) throws {
    var draw = try Draw(31)
    for _ in 0..<3 {
      let tokens = draw.size(1...120), width = draw.size(1...30), vocabulary = draw.size(3...400)
      let labels = try Tensor((0..<tokens).map { _ in draw.stream.below(vocabulary) })
      let weights = try draw.normal([tokens]).abs().cast(.float32), pulls = try draw.normal([tokens]).abs().cast(.float32)
      let theirs = try other(draw, tokens, width + 3, vocabulary)
      let hidden = try draw.normal([tokens, width]), head = try draw.normal([vocabulary, width], 0.5)
      let errors = try KernelErrors(dtype, [hidden, head], cotangent: Tensor.full([], 0.037)) {
        // The same rounded numbers of the other model for every path.
        let kind2 = try $0[0].dtype
        let rounded = (hidden: try theirs.hidden.cast(dtype).cast(kind2), head: try theirs.head.cast(dtype).cast(kind2))
        return try $0[0].headTerms($0[1], labels: labels, weights: weights, other: rounded, pulls: pulls, kind).total
      }
      #expect(errors.fromWide < (dtype == .float32 ? 1e-5 : 1.5e-2), "\(errors)")
      #expect(errors.fromComposed < (dtype == .float32 ? 2e-5 : 4e-2), "\(errors)")
    }
  }

  @Test(arguments: kinds) func finiteDifferences(kind: DivergenceKind) throws {
    let draw = try Draw(32)
    let labels = try Tensor([4, 1, 0, 10, 4, 7]), weights = try Tensor([1, 1, 0.5, 2, 0, 1] as [Float])
    let pulls = try Tensor([0.3, 1, 0, 2, 1, 0.1] as [Float])
    let theirs = try other(draw, 6, 4, 11), hidden = try draw.normal([6, 5]), head = try draw.normal([11, 5])
    func value(_ h: Tensor, _ w: Tensor) throws -> Tensor {
      try h.headTerms(w, labels: labels, weights: weights, other: theirs, pulls: pulls, kind).total
    }
    let got = try Differentiated([hidden, head]) { try value($0[0], $0[1]) }
    for (i, shape) in [[6, 5], [11, 5]].enumerated() {
      for _ in 0..<3 {
        let direction = try draw.normal(shape) * 1e-5
        func moved(_ sign: Double) throws -> Double {
          try value(i == 0 ? hidden + direction * sign : hidden, i == 1 ? head + direction * sign : head).item()
        }
        let numeric = (try moved(1) - moved(-1)) / 2, analytic = try (got.gradients[i]! * direction).sum().item()
        #expect(Swift.abs(numeric - analytic) < 1e-7 * max(1e-5, Swift.abs(analytic)) * 1e2, "\(numeric) \(analytic)")
      }
    }
  }

  /// Parts are told apart, and each is what the definition says.
  @Test(arguments: kinds) func parts(kind: DivergenceKind) throws {
    let draw = try Draw(33)
    let tokens = 7, vocabulary = 19, labels = [3, 0, 18, 7, 7, 2, 11]
    let hidden = try draw.normal([tokens, 6]).cast(.float32), head = try draw.normal([vocabulary, 6]).cast(.float32)
    let theirs = try other(draw, tokens, 4, vocabulary)
    let got = try hidden.headTerms(
      head, labels: Tensor(labels), other: (theirs.hidden.cast(.float32), theirs.head.cast(.float32)), pulls: Tensor.full([tokens], 0.5), kind)
    let plain = try hidden.headLoss(head, labels: Tensor(labels)).item()
    #expect(Swift.abs(try got.crossEntropy.item() - plain) < 1e-5 * plain)
    let own = try hidden.linear(head).doubles(), other = try theirs.hidden.cast(.float32).linear(theirs.head.cast(.float32)).doubles()
    var expected = 0.0
    for t in 0..<tokens {
      let kept = (0..<vocabulary).filter { !kind.masksLabel || $0 != labels[t] }
      func distribution(_ logits: [Double]) -> [Double] {
        let e = kept.map { Double.exponential(logits[t * vocabulary + $0] / kind.temperature) }
        return e.map { $0 / e.reduce(0, +) }
      }
      var (p, q) = (distribution(own), distribution(other))
      if kind.direction == .forward { swap(&p, &q) }
      expected += zip(p, q).reduce(0) { $0 + $1.0 * Double.logarithm($1.0 / $1.1) }
    }
    expected *= 0.5 * kind.temperature * kind.temperature
    #expect(Swift.abs(try got.divergence.item() - expected) < 2e-5 * max(1, expected))
    #expect(Swift.abs(try got.total.item() - plain - expected) < 5e-5 * (plain + expected))
  }

  /// Held against itself a model diverges by exactly nothing, and what is left of the gradient is that of the cross entropy.
  @Test(arguments: kinds, [DType.float32, .bfloat16]) func itself(kind: DivergenceKind, dtype: DType) throws {
    let draw = try Draw(34)
    let hidden = try draw.normal([9, 6]).cast(dtype), head = try draw.normal([23, 6]).cast(dtype), labels = try Tensor.range(2, 11)
    let pulls = try Tensor.full([9], 3)
    #expect(try hidden.headTerms(head, labels: labels, other: (hidden, head), pulls: pulls, kind).divergence.item() == 0)
    let both = try Differentiated([hidden, head]) { try $0[0].headTerms($0[1], labels: labels, other: (hidden, head), pulls: pulls, kind).total }
    let plain = try Differentiated([hidden, head]) { try $0[0].headLoss($0[1], labels: labels) }
    for (a, b) in zip(both.gradients, plain.gradients) { #expect(try relativeError(a!, b!) < (dtype == .float32 ? 1e-5 : 1e-2)) }
  }

  /// With the label taken out nothing pulls at its logit: the head is the identity, so hidden states are logits.
  @Test(arguments: [DivergenceKind.Direction.forward, .reverse]) func theMaskedLabelIsFree(direction: DivergenceKind.Direction) throws {
    let draw = try Draw(35)
    let logits = try draw.normal([4, 6]), identity = try Tensor((0..<36).map { $0 % 7 == 0 ? 1.0 : 0 }, shape: [6, 6], dtype: .float64)
    let labels = [2, 5, 0, 3]
    for dtype in [DType.float32, .float64] {
      let other = (hidden: try draw.normal([4, 6]).cast(dtype), head: try identity.cast(dtype))
      func gradient(_ masks: Bool) throws -> [Double] {
        try Differentiated([logits.cast(dtype)]) {
          try $0[0].headTerms(
            identity.cast(dtype), labels: Tensor(labels), weights: Tensor.zeros([4]), other: other, pulls: Tensor.full([4], 1),
            DivergenceKind(direction, masksLabel: masks)).total
        }.gradients[0]!.doubles()
      }
      let masked = try gradient(true), plain = try gradient(false)
      for (t, label) in labels.enumerated() {
        #expect(masked[t * 6 + label] == 0)
        #expect(Swift.abs(plain[t * 6 + label]) > 1e-3)
      }
      #expect(masked.contains { Swift.abs($0) > 1e-3 })
    }
  }

  @Test func entropy() throws {
    // Flat: ln k; one-hot: 0; and the definition.
    let identity = try Tensor((0..<36).map { $0 % 7 == 0 ? 1.0 : 0 }, shape: [6, 6], dtype: .float64).cast(.float32)
    let logits: [Float] = [0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 1, 3, 2, -1, -50, -60]
    let found = try Tensor(logits, shape: [3, 6]).headEntropy(identity, likeliest: 3).doubles()
    #expect(Swift.abs(found[0] - Double.logarithm(3)) < 1e-6 && Swift.abs(found[1]) < 1e-6)
    let e = [1.0, 3, 2].map { Double.exponential($0) }, sum = e.reduce(0, +)
    #expect(Swift.abs(found[2] + e.reduce(0) { $0 + $1 / sum * Double.logarithm($1 / sum) }) < 1e-6)
  }
}

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension Double {
  static func exponential(_ x: Double) -> Double { exp(x) }
  static func logarithm(_ x: Double) -> Double { log(x) }
}
