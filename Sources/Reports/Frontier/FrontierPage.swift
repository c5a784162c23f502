public import HoldfastRecords

/// A study as a page and as Markdown.
public struct FrontierPage: Sendable {
  /// A prompt with what the models answer to it.
  public struct Sample: Sendable {
    public var task: String
    public var prompt: String
    public var expected: String
    /// The base first.
    public var answers: [(model: String, text: String)]

    public init(task: String, prompt: String, expected: String, answers: [(model: String, text: String)]) {
      self.task = task
      self.prompt = prompt
      self.expected = expected
      self.answers = answers
    }
  }

  /// The way of a method's chosen trial, means over seeds.
  public struct Course: Sendable {
    public var method: String
    public var steps: [Double]
    /// More is better.
    public var new: [Double]
    public var old: [Double]

    public init(method: String, steps: [Double], new: [Double], old: [Double]) {
      self.method = method
      self.steps = steps
      self.new = new
      self.old = old
    }
  }

  /// One task where a method has reached the first target.
  public struct Ability: Sendable {
    public var task: String
    /// Change from the base; more is better.
    public var change: [(method: String, mean: Double, half: Double?)]

    public init(task: String, change: [(method: String, mean: Double, half: Double?)]) {
      self.task = task
      self.change = change
    }
  }

  public var summary: FrontierSummary
  public var courses: [Course] = []
  public var abilities: [Ability] = []
  public var samples: [Sample] = []
  public var map: RegionMap?
  public var provenance: [Page.KeyValue] = []
  public var warnings: [String] = []
  public var recipe: String?
  public var footer = ""

  public init(_ summary: FrontierSummary) { self.summary = summary }

  private func words(_ measure: FrontierSummary.Measure) -> FrontierWords { FrontierWords(summary, measure) }

  public var page: Page {
    guard let lead = summary.measures.first else { return Page(summary.name, sections: []) }
    var sections = [front(lead)]
    sections.append(contentsOf: compared(lead))
    for other in summary.measures.dropFirst() {
      sections.append(
        Page.Section(
          other.kind == .score ? "By answers at the ends of the runs" : "By losses along the runs",
          [.plot(frontier(other))] + (forest(other, 0).map { [.plot($0)] } ?? [])
            + [.table(words(other).targetTable(0)), .note(other.kind == .score ? Self.scoreNote : Self.lossNote)] + words(other).conclusion.map { .text($0) }))
    }
    if !courses.isEmpty { sections.append(learning(lead)) }
    if !abilities.isEmpty { sections.append(abilitySection(lead)) }
    if !samples.isEmpty { sections.append(sampleSection) }
    if let map { sections.append(Page.Section("Who trains", [.plot(.regions(map))])) }
    sections.append(
      Page.Section("What it took", [.table(FrontierWords.costTable(summary)), .note("Means of a run: training without measuring; the most memory that the process held during it. A blend trains nothing; it takes a run that is there. An emulated model decodes the base beside experts; what training these took is not counted.")]))
    sections.append(Page.Section("The papers' composites", [.table(words(lead).compositeTable), .note(FrontierWords.compositeNote)]))
    sections.append(Page.Section("Where it comes from", [.keyValues(provenance)] + warnings.map { .note("Warning: \($0)") }))
    let state = summary.done < summary.planned ? "\(summary.done) of \(summary.planned) points so far" : "\(summary.planned) points"
    return Page(
      summary.name, subtitle: "\(lead.arms.count) methods, \(state), \(summary.seeds.count) \(summary.seeds.count == 1 ? "seed" : "seeds"): what does each keep where it has learned the same?",
      footer: footer, sections: sections)
  }

  private func front(_ measure: FrontierSummary.Measure) -> Page.Section {
    let words = words(measure)
    var blocks: [Page.Block] = [.plot(frontier(measure))]
    blocks.append(.note(
      "To the right: how much of the most that \(summary.reference) learns of \(words.newWords). Upwards: what is left of \(words.oldWords), as a change from the base in \(words.unit). A curve above another keeps more at the same learning. Each is a method's best trial at that level, chosen on validation and read off on test, the mean over seeds\(bandWords(measure)); it ends where not every seed reaches."))
    blocks += words.conclusion.map { .text($0) }
    if let recipe { blocks.append(.details("The recommended recipe", [.code(recipe)])) }
    return Page.Section("", blocks)
  }

  private static let lossNote = "Losses are taken along the runs: a method's curve is that of a run, from its first step on."

  private static let scoreNote =
    "Scores are taken at the ends of runs: a method's curve leads from the base over its rates, lowest first, and is read off between them."

  private func compared(_ measure: FrontierSummary.Measure) -> [Page.Section] {
    let words = words(measure)
    var out: [Page.Section] = []
    for index in (measure.arms.first?.targets ?? []).indices {
      let share = FrontierWords.share(measure.arms[0].targets[index].share)
      var blocks: [Page.Block] = forest(measure, index).map { [.plot($0)] } ?? []
      blocks.append(.table(words.targetTable(index)))
      if index == 0 {
        var note = "Forgotten: what was lost of the base's old score at that level, ± half of the 95 % t interval over seeds. The difference is paired: the same seed, the same data order. Holm's correction counts every method that is compared with \(summary.reference) here. A target that not every seed reaches is not reached; nothing is extrapolated."
        if let noise = measure.noise { note += " Noise: \(summary.reference) itself varies from seed to seed by a standard deviation of \(words.number(noise)) \(words.unit)." }
        if let power = measure.power { note += " Power: \(power)." }
        blocks.append(.note(note))
      }
      out.append(Page.Section("At \(share) of the learning", blocks))
    }
    var blocks: [Page.Block] = [.table(words.areaTable)]
    let dominances = words.dominances
    blocks.append(.text(dominances.isEmpty ? "No method dominates another beyond noise." : "Above at every level, and beyond noise in the area: " + dominances.joined(separator: "; ") + "."))
    blocks.append(.details("Every pair", [.table(words.pairTable), .note("What the row keeps more than the column, in the mean over the range that both reach; ▲ it dominates, ▼ it is dominated.")]))
    out.append(Page.Section("Over the whole range", blocks))
    return out
  }

  private func bandWords(_ measure: FrontierSummary.Measure) -> String {
    banded(measure).isEmpty ? "" : "; bands are 95 % t intervals" + (banded(measure).count < measure.arms.count ? " (of \(banded(measure).joined(separator: " and ")); the tables have all)" : "")
  }

  /// Many bands over one another hide what they are about: then only those of the reference and of the best.
  private func banded(_ measure: FrontierSummary.Measure) -> [String] {
    let known = measure.arms.filter { $0.curve.contains { $0.kept?.half != nil } }
    if known.count <= 4 { return known.map(\.name) }
    let best = known.filter { $0.name != summary.reference }.max { ($0.targets.first?.kept?.mean ?? -.infinity) < ($1.targets.first?.kept?.mean ?? -.infinity) }
    return known.map(\.name).filter { $0 == summary.reference || $0 == best?.name }
  }

  private func frontier(_ measure: FrontierSummary.Measure) -> Plot {
    let words = words(measure), banded = banded(measure)
    let lines = measure.arms.filter { !$0.curve.isEmpty }.map { arm in
      Lines.Line(
        arm.name, xs: [0] + arm.curve.map(\.share), ys: [0] + arm.curve.map { ($0.kept!.mean - measure.baseOld) * words.scale },
        errors: banded.contains(arm.name) ? [0] + arm.curve.map { ($0.kept!.half ?? 0) * words.scale } : nil)
    }
    return .lines(
      Lines(
        "What is kept at what is learned", x: Axis("learned, share of what \(summary.reference) learns →", .percent),
        y: Axis("↑ kept: change from the base, \(words.unit)"), lines: lines))
  }

  private func forest(_ measure: FrontierSummary.Measure, _ index: Int) -> Plot? {
    let words = words(measure)
    let bars = measure.arms.compactMap { arm -> Bars.Bar? in
      guard let d = arm.targets[index].difference else { return nil }
      return Bars.Bar(arm.name, d.mean * words.scale, error: d.high.map { ($0 - d.mean) * words.scale })
    }
    guard !bars.isEmpty else { return nil }
    return .bars(
      Bars(
        "Kept more (right) or less (left) than \(summary.reference), at the same learning", axis: Axis(words.unit + (bars.contains { $0.error != nil } ? ", 95 % interval over seeds" : ", one seed")),
        groups: [.init("", bars.sorted { $0.value > $1.value })]))
  }

  private func learning(_ measure: FrontierSummary.Measure) -> Page.Section {
    let words = words(measure)
    func plot(_ title: String, _ axis: String, _ values: (Course) -> [Double], _ base: Double) -> Page.Block {
      .plot(.lines(Lines(title, x: Axis("steps"), y: Axis(axis), lines: courses.map { Lines.Line($0.method, xs: $0.steps, ys: values($0).map { ($0 - base) * words.scale }) })))
    }
    return Page.Section("Learning and forgetting", [
      plot("Learned: \(words.newWords)", "change from the base, \(words.unit)", { $0.new }, measure.baseNew),
      plot("Kept: \(words.oldWords)", "change from the base, \(words.unit)", { $0.old }, measure.baseOld),
      .note("The trial that is chosen at the first target, on test, mean over seeds. Read alone, the second picture misleads: who learns slowly forgets slowly."),
    ])
  }

  private func abilitySection(_ measure: FrontierSummary.Measure) -> Page.Section {
    let words = words(measure)
    return Page.Section("Ability by ability", [
      .plot(.bars(Bars(
        "Change from the base at \(FrontierWords.share(measure.arms.first?.targets.first?.share ?? 0)) of the learning", axis: Axis(words.unit),
        groups: abilities.map { ability in
          .init(ability.task, ability.change.map { .init($0.method, $0.mean * words.scale, error: $0.half.map { $0 * words.scale }) })
        }))),
      .note("Less than 0: forgotten." + (summary.seeds.count > 1 ? " Whiskers are 95 % t intervals over seeds." : "")),
    ])
  }

  private var sampleSection: Page.Section {
    var table = Table(columns: [.init("", .left), .init("", .left, wraps: true)])
    for (index, sample) in samples.enumerated() {
      if index > 0 { table.addRule() }
      table.add([.init(sample.task, .faint), .init(sample.prompt, .strong)])
      table.add([.init("right", .faint), .init(sample.expected.isEmpty ? "a program judges" : sample.expected, sample.expected.isEmpty ? .faint : .none)])
      for answer in sample.answers {
        table.add([.init(answer.model), .init(answer.text.isEmpty ? "(nothing)" : answer.text, sample.expected.isEmpty ? .none : answer.text == sample.expected ? .good : .bad)])
      }
    }
    let blocks: [Page.Block] = [
      .table(table), .note("Greedy answers of the base and of each method's chosen trial, first seed, at its end."),
    ]
    return Page.Section("Answers before and after", blocks)
  }

  /// The same in Markdown, without pictures.
  public var markdown: String {
    guard let lead = summary.measures.first else { return "# \(summary.name)\n" }
    var out = "# \(summary.name)\n\n"
    for measure in summary.measures {
      let words = words(measure)
      out += measure == lead ? "" : "## \(measure.kind == .score ? "By answers at the ends of the runs" : "By losses along the runs")\n\n"
      out += words.conclusion.joined(separator: "\n\n") + "\n\n"
      for index in (measure.arms.first?.targets ?? []).indices { out += words.targetTable(index).markdown + "\n" }
      out += words.areaTable.markdown + "\n"
      let dominances = words.dominances
      if !dominances.isEmpty { out += "Above at every level, and beyond noise in the area: " + dominances.joined(separator: "; ") + ".\n\n" }
      if let noise = measure.noise { out += "Noise: \(summary.reference) varies from seed to seed by a standard deviation of \(words.number(noise)) \(words.unit)." + (measure.power.map { " Power: \($0)." } ?? "") + "\n\n" }
    }
    out += "## What it took\n\n" + FrontierWords.costTable(summary).markdown + "\n"
    out += "## The papers' composites\n\n" + words(lead).compositeTable.markdown + "\n" + FrontierWords.compositeNote + "\n\n"
    out += "## Where it comes from\n\n" + provenance.map { "- \($0.key): \($0.value)\n" }.joined()
    return out
  }
}
