internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTraining

/// log p of every label of the training data under the model as the run finds it: one pass beforehand, so that no second copy of the weights
/// is needed while training.
struct StartScores {
  static let name = "start_scores"
  /// No log-probability is above 0 by more than rounding; a label of probability 1 has exactly 0.
  static let noLabel: Float = 1

  /// f32, tokens of all examples one behind another; `noLabel` where a token is none.
  private let scores: [Float]
  /// Where each example's tokens begin; one more at the end.
  private let starts: [Int]

  static func preparation(_ recipe: Recipe) -> Preparation {
    let packing: Packing = recipe.packing ? recipe.objective == .pretraining ? .wrapped : .bestFit : .none
    var data = PreparationData(
      recipe.data.map {
        var source = $0  // all of it: which part an epoch shows changes
        (source.share, source.examples, source.tokens) = (nil, nil, nil)
        return source
      }, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows)
    data.tooLong = recipe.tooLong
    return Preparation(name: name, settings: ["no_label": 1], data: data, backwardPasses: 0, bytes: 0) { pass in
      var starts = [0]
      for example in 0..<pass.exampleCount { starts.append(starts[example] + pass.tokenCount(ofExample: example)) }
      var sums = ["scores": try Tensor.full([starts.last!], Double(noLabel))]
      try pass.fold(into: &sums) { host, _, sums in
        guard host.units > 0 else { return }
        let found = try Torch.withoutGradients { () throws(EngineError) -> [Float] in
          let forward = try pass.model.forward(pass.batch(host))
          return try forward.labelledHidden.headScores(pass.model.head.value, labels: forward.batch.labels).logProbabilities.floats()
        }
        var next = 0
        for segment in host.segments {
          let from = segment.row * host.length + segment.start
          let values = (0..<segment.length).map { i -> Float in
            guard host.labels[from + i] != ignoreIndex else { return noLabel }
            next += 1
            return found[next - 1]
          }
          let place = starts[segment.example] + segment.offset + 1
          try sums["scores"]!.sliced(axis: 0, place..<place + segment.length).assign(Tensor(values))
        }
      }
      sums["starts"] = try Tensor(starts)
      return sums
    }
  }

  /// What the preparation found; nil where a run is only planned.
  static func known(_ stage: StageFacts, method: String) throws(Problems) -> StartScores? {
    guard let artifact = stage.artifact(name) else { return nil }
    do { return try StartScores(artifact) } catch { throw Problems(method, ["\(error)"]) }
  }

  init(_ artifact: Artifact) throws(EngineError) {
    scores = try artifact.tensor("scores").floats()
    starts = try artifact.tensor("starts").ints()
  }

  var exampleCount: Int { starts.count - 1 }

  /// log p of a token, nats.
  func score(example: Int, token: Int) -> Float { scores[starts[example] + token] }

  /// Mean −log p of an example's labels, nats; nil where it has none.
  func loss(of example: Int) -> Double? {
    var sum = 0.0, count = 0
    for score in scores[starts[example]..<starts[example + 1]] where score != Self.noLabel {
      sum -= Double(score)
      count += 1
    }
    return count > 0 ? sum / Double(count) : nil
  }

  /// Labels of all examples whose probability was at least `least`, and all labels.
  func count(atLeast least: Double) -> (kept: Int, all: Int) {
    let labels = scores.filter { $0 != Self.noLabel }
    return (labels.count { Double($0) >= least }, labels.count)
  }
}
