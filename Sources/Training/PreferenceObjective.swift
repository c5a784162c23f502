internal import HoldfastBasics
package import HoldfastDatasets
package import HoldfastEngine
package import HoldfastModels
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Direct preference optimization: the chosen answer becomes likelier than the rejected one, measured against the model that
/// the run began with (Rafailov et al. 2023, arXiv 2305.18290).
///
/// With Δ = (log π(chosen) − log π₀(chosen)) − (log π(rejected) − log π₀(rejected)), sums over an answer's labels:
/// `sigmoid` −(1 − ε) log σ(βΔ) − ε log σ(−βΔ), conservative where ε > 0 (Mitchell 2023); `ipo` (Δ − 1/2β)² with means over an answer's
/// labels instead of sums (Azar et al. 2023, arXiv 2310.12036, as TRL has it).
///
/// The loss depends on the labels' log-probabilities through Δ alone, so its gradient is that of a weighted cross entropy whose weights
/// are the derivatives by each of them: two passes over the vocabulary, and no logits are kept.
package struct PreferenceObjective: Objective {
  let recipe: PreferenceRecipe
  /// log π₀ of each example's labels together, by example; of the held-out data too.
  let reference: [Double]
  let heldOutReference: [Double]
  package let scoreUnit = "nats a pair"

  package init(recipe: PreferenceRecipe, reference: [Double], heldOutReference: [Double] = []) {
    self.recipe = recipe
    self.reference = reference
    self.heldOutReference = heldOutReference
  }

  package func units(_ batch: HostBatch) -> Int { batch.pairs }
  package func sources(_ batch: HostBatch) -> [Int] { batch.segments.filter { $0.side == 1 }.map(\.source) }

  /// An answer's labels: how many, and log π of all together.
  private struct Answer {
    var example = 0
    var count = 0
    var logProbability = 0.0
    /// The same divided as the loss has it.
    func value(_ loss: PreferenceRecipe.Loss, _ sum: Double) -> Double { loss == .ipo ? sum / Double(max(1, count)) : sum }
  }

  private func answers(_ scores: [Double], _ host: HostBatch) -> [Answer] {
    var answers: [Answer] = [], next = 0
    for segment in host.segments {
      var answer = Answer(example: segment.example)
      let start = segment.row * host.length + segment.start
      answer.count = host.labels[start..<start + segment.length].count { $0 != ignoreIndex }
      for _ in 0..<answer.count {
        answer.logProbability += scores[next]
        next += 1
      }
      answers.append(answer)
    }
    return answers
  }

  /// A pair's loss, its derivative by Δ, and Δ.
  private func pair(_ chosen: Answer, _ rejected: Answer, _ known: [Double]) -> (loss: Double, slope: Double, delta: Double) {
    let beta = recipe.beta, loss = recipe.loss
    let delta =
      chosen.value(loss, chosen.logProbability - known[chosen.example])
      - rejected.value(loss, rejected.logProbability - known[rejected.example])
    switch loss {
    case .sigmoid:
      let epsilon = recipe.labelSmoothing, x = beta * delta
      let loss = (1 - epsilon) * Self.softplus(-x) + epsilon * Self.softplus(x)
      return (loss, beta * (epsilon * Self.sigmoid(x) - (1 - epsilon) * Self.sigmoid(-x)), delta)
    case .ipo:
      let gap = delta - 1 / (2 * beta)
      return (gap * gap, 2 * gap, delta)
    }
  }

  package func loss(_ model: Decoder, _ forward: Forward, _ host: HostBatch, _ terms: HeadTerms) throws(EngineError) -> ObjectiveLoss {
    let hidden = try forward.labelledHidden, head = model.head.value, labels = forward.batch.labels
    let scores = try hidden.detached().headScores(head, labels: labels).logProbabilities.doubles()
    let answers = answers(scores, host)
    var value = 0.0, margin = 0.0, right = 0.0, chosenReward = 0.0, weights: [Float] = []
    for at in stride(from: 0, to: answers.count, by: 2) {
      let (chosen, rejected) = (answers[at], answers[at + 1])
      let (loss, slope, delta) = pair(chosen, rejected, reference)
      value += loss
      margin += recipe.beta * delta
      right += delta > 0 ? 1 : 0
      chosenReward += recipe.beta * chosen.value(recipe.loss, chosen.logProbability - reference[chosen.example])
      for (answer, sign) in [(chosen, -1.0), (rejected, 1.0)] {
        let weight = sign * slope / (recipe.loss == .ipo ? Double(max(1, answer.count)) : 1)
        weights += [Float](repeating: Float(weight), count: answer.count)
      }
    }
    let total = try hidden.headLoss(head, labels: labels, weights: Tensor(weights, device: model.device))
    return ObjectiveLoss(total: total, value: value, terms: [("margin", margin), ("accuracy", right), ("chosen_reward", chosenReward)])
  }

  package func scores(_ model: Decoder, _ forward: Forward, _ host: HostBatch) throws(EngineError) -> [Double] {
    let scores = try forward.labelledHidden.headScores(model.head.value, labels: forward.batch.labels).logProbabilities.doubles()
    let answers = answers(scores, host)
    return stride(from: 0, to: answers.count, by: 2).map { pair(answers[$0], answers[$0 + 1], heldOutReference).loss }
  }

  /// log(1 + eˣ) without overflow.
  private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
  private static func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }

  // MARK: - What it must know

  /// log π₀ of every answer, with the rows laid as training lays them, so that Δ is exactly 0 before the first step.
  static func preparation(_ name: String, _ recipe: Recipe, _ sources: [DataSource], seed: UInt64) -> Preparation {
    var data = PreparationData(
      sources.map {
        var source = $0
        (source.share, source.examples, source.tokens) = (nil, nil, nil)
        return source
      }, sequenceLength: recipe.sequenceLength, packing: recipe.packing ? .bestFit : .none, rows: recipe.batch.rows, seed: seed)
    data.isPairs = true
    data.tooLong = name == "reference" ? recipe.tooLong : .truncate
    return Preparation(name: name, data: data, forwardPasses: 1, backwardPasses: 0, bytes: 0) { pass in
      var sums = ["log_probabilities": try Tensor.zeros([pass.exampleCount], dtype: .float64)]
      try pass.fold(into: &sums) { host, _, sums in
        let found = try Torch.withoutGradients { () throws(EngineError) -> [Double] in
          let forward = try pass.model.forward(pass.batch(host))
          return try forward.labelledHidden.headScores(pass.model.head.value, labels: forward.batch.labels).logProbabilities.doubles()
        }
        var next = 0
        for segment in host.segments {
          let start = segment.row * host.length + segment.start
          var sum = 0.0
          for label in host.labels[start..<start + segment.length] where label != ignoreIndex {
            sum += found[next]
            next += 1
          }
          let place = try sums["log_probabilities"]!.sliced(axis: 0, segment.example..<segment.example + 1)
          try place.assign(Tensor([sum], shape: [1], dtype: .float64))
        }
      }
      return sums
    }
  }
}
