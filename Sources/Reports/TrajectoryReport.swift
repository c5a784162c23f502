/// What a run's checkpoints could do: how much of each file's items was right, and how much of the training items' answers was known by heart.
public struct TrajectoryReport: Sendable {
  /// Items of a file along the run.
  public struct Curve: Sendable {
    public let name: String
    /// Share of right answers at each checkpoint, and its standard error over items.
    public let accuracies: [(value: Double, error: Double?)]
    /// Geometric mean perplexity of the right answers at each checkpoint.
    public let perplexities: [Double]

    public init(_ name: String, accuracies: [(value: Double, error: Double?)], perplexities: [Double]) {
      self.name = name
      self.accuracies = accuracies
      self.perplexities = perplexities
    }
  }

  /// The reading of the training items at one threshold.
  public struct Reading: Sendable {
    /// An answer is known by heart at a perplexity of so much or less.
    public let threshold: Double
    /// Share of the training items known by heart at each checkpoint.
    public let memorized: [Double]
    public let preMemorization: (value: Double, error: Double?)

    public init(threshold: Double, memorized: [Double], preMemorization: (value: Double, error: Double?)) {
      self.threshold = threshold
      self.memorized = memorized
      self.preMemorization = preMemorization
    }
  }

  public let run: String
  public let steps: [Int]
  /// What the last of the models is, in words: the run's end, or its last checkpoint.
  public let result: String
  public let training: Curve
  public let readings: [Reading]
  /// Of the training items' kind.
  public let unseen: [Curve]
  /// Of other kinds.
  public let others: [Curve]

  public init(run: String, steps: [Int], result: String, training: Curve, readings: [Reading], unseen: [Curve], others: [Curve]) {
    self.run = run
    self.steps = steps
    self.result = result
    self.training = training
    self.readings = readings
    self.unseen = unseen
    self.others = others
  }

  private var curves: [Curve] { [training] + unseen + others }

  private func table(_ cell: (Curve, Int) -> String) -> Table {
    var table = Table(["step"] + curves.map(\.name))
    for (i, step) in steps.enumerated() { table.add([.init(Numbers.grouped(step))] + curves.map { .init(cell($0, i)) }) }
    return table
  }

  /// Each with what it shows.
  public var tables: [(title: String, table: Table)] {
    [
      ("Right answers, percent of items ± standard error", table { Numbers.percent($0.accuracies[$1].value, $0.accuracies[$1].error) }),
      ("Perplexity of the right answers, geometric mean", table { Numbers.significant($0.perplexities[$1]) }),
      ("\(training.name): known by heart, percent of items, by the perplexity at which an answer counts so", memorization),
    ]
  }

  private var memorization: Table {
    var table = Table(["step"] + readings.map { "≤ \(Numbers.significant($0.threshold))" })
    for (i, step) in steps.enumerated() {
      table.add([.init(Numbers.grouped(step))] + readings.map { .init(Numbers.percent($0.memorized[i])) })
    }
    table.addRule()
    table.add([.init("right before", .strong)] + readings.map { .init(Numbers.percent($0.preMemorization.value, $0.preMemorization.error), .strong) })
    return table
  }

  /// What the last row is to be held against.
  public var words: String {
    let scored = unseen.compactMap { curve in curve.accuracies.last.map { "\(curve.name) scores \(Numbers.percent($0.value, $0.error)) % \(result)" } }
    return "Right before it was known by heart is what unseen items of the same kind may be expected to score (arXiv 2411.07681)"
      + (scored.isEmpty ? "; --unseen names some to hold against it." : ": \(scored.joined(separator: ", ")).")
  }

  public var page: Page {
    let xs = steps.map(Double.init)
    let right = Lines(
      "Right answers", x: Axis("step"), y: Axis("share of items", .percent, including: [0, 1]),
      lines: curves.map { curve in
        Lines.Line(curve.name, xs: xs, ys: curve.accuracies.map(\.value), errors: curve.accuracies.map { $0.error ?? 0 })
      })
    let known = Lines(
      "\(training.name): known by heart", x: Axis("step"), y: Axis("share of items", .percent, including: [0, 1]),
      lines: readings.map { Lines.Line("perplexity ≤ \(Numbers.significant($0.threshold))", xs: xs, ys: $0.memorized) })
    let perplexity = Lines(
      "Perplexity of the right answers", x: Axis("step"), y: Axis("perplexity, geometric mean", isLogarithmic: true),
      lines: curves.map { Lines.Line($0.name, xs: xs, ys: $0.perplexities) })
    let isDrawable = curves.allSatisfy { $0.perplexities.allSatisfy(\.isFinite) }
    return Page(
      "Learning, keeping, memorizing", subtitle: "\(run): \(steps.count) models, the start among them",
      sections: [
        .init("What each checkpoint could do", [
          .plot(.lines(right)), .note("Greedy answers, exactly as expected; bands are one standard error over items. Items of one run say nothing of another seed."),
          isDrawable ? .plot(.lines(perplexity)) : .note("Perplexities are not drawn: at a checkpoint an answer has none, as where a run diverged."),
          .details("In numbers", tables.prefix(2).flatMap { [.text($0.title), .table($0.table)] }),
        ]),
        .init("Known by heart", [
          .plot(.lines(known)), .table(memorization), .text(words),
          .note(
            "An answer is called known by heart where its perplexity lies at the threshold or below, which is a choice: hence several. Right before is, for each training item, the best it scored at a checkpoint where it was not yet known by heart, and never more than it scores \(result)."),
        ]),
      ])
  }
}
