public import HoldfastRecords
internal import HoldfastBasics

/// The page of a run: what trained, how the loss fell, what was measured, and everything needed to do it again.
public struct RunReport: Sendable {
  /// The page's heading; the run's folder, as a rule.
  public var name: String
  /// What the run was made of.
  public var manifest: Manifest
  /// From the first step on.
  public var steps: [StepRecord]
  /// As many as `steps`, or more where the run was resumed.
  public var timing: [TimingRecord]
  /// Measured during the run and after it.
  public var scores: [ScoreRecord]

  /// How far each module of each layer moved, relative to its size.
  public struct Moved: Sendable {
    /// From top to bottom.
    public var modules: [String]
    /// By module, then by layer.
    public var cells: [[Double]]
    /// Groups of weights, such as a layer, with their distance.
    public var groups: [(name: String, relative: Double)]

    public init(modules: [String], cells: [[Double]], groups: [(name: String, relative: Double)]) {
      self.modules = modules
      self.cells = cells
      self.groups = groups
    }
  }
  /// nil: not measured.
  public var moved: Moved?

  public init(name: String, manifest: Manifest, steps: [StepRecord], timing: [TimingRecord], scores: [ScoreRecord]) {
    self.name = name
    self.manifest = manifest
    self.steps = steps
    self.timing = timing
    self.scores = scores
  }

  /// The page; parts that nothing was recorded for are left out.
  public var page: Page {
    var sections = [Page.Section("", [.figures(figures)])]
    if let plot = lossPlot {
      var blocks: [Page.Block] = [.plot(plot)]
      if steps.count >= 40 { blocks.append(.note("Faint: the loss of each step. Strong: its mean over the steps around.")) }
      sections.append(Page.Section("Loss", blocks))
    }
    if let curve = watchCurve { sections.append(Page.Section("Learned and kept", blocks(curve))) }
    if !scores.isEmpty {
      let latest = unique(scores.map(\.name)).compactMap { name in scores.last { $0.name == name } }
      var blocks: [Page.Block] = [.table(scoreTable(latest)), .note("± is one standard error.")]
      if latest.count < scores.count { blocks.append(.details("All measurements", [.table(scoreTable(scores))])) }
      sections.append(Page.Section("Scores", blocks))
    }
    if !manifest.trained.isEmpty { sections.append(Page.Section("Who trained", [.table(trainedTable)])) }
    if let moved { sections.append(Page.Section("How far it moved", blocks(moved))) }
    if let plot = ratePlot { sections.append(Page.Section("Learning rate", [.plot(plot)])) }
    sections.append(
      Page.Section(
        "To do it again",
        [
          .keyValues([
            .init("Holdfast", manifest.code), .init("libtorch", manifest.libtorch),
            .init("device", "\(manifest.device), \(manifest.processor)"), .init("threads", "\(manifest.threads)"),
            .init("seeds", manifest.seeds.map { "\($0.name) \($0.seed)" }.joined(separator: ", ")),
          ]),
          .details("Recipe, every default written out", [.code(JSON.object(manifest.recipe).text(.pretty))]),
          .details("Files that were read, with SHA-256", [.table(fileTable)]),
        ]))
    return Page(name, subtitle: subtitle, footer: "Everything on this page is in the run's folder as JSON.", sections: sections)
  }

  private var subtitle: String {
    let units = steps.reduce(0) { $0 + $1.units }
    return "\(Numbers.grouped(steps.count)) steps over \(Numbers.grouped(units)) labels"
  }

  private var figures: [Page.Figure] {
    var figures: [Page.Figure] = []
    if let first = steps.first, let last = smoothed.last {
      figures.append(.init("loss", Numbers.fixed(last, 3), note: "from \(Numbers.fixed(first.loss, 3)), nats a label"))
    }
    figures.append(.init("trained", Numbers.percent(manifest.trainedFraction) + " %", note: "of all parameters"))
    if let last = timing.last {
      let rates = timing.map(\.tokensPerSecond).sorted()
      figures.append(.init("speed", Numbers.compact(rates[rates.count / 2]), note: "tokens a second, median"))
      figures.append(.init("time", Numbers.duration(last.seconds), note: "peak \(Numbers.bytes(timing.map(\.peakBytes).max() ?? 0))"))
    }
    return figures
  }

  /// The mean loss over a window of about a twentieth of the run.
  private var smoothed: [Double] {
    let half = steps.count / 40
    return steps.indices.map { index in
      // At the start, where the loss falls fast, the window stays around its middle; at the end it is cut.
      let reach = min(half, index)
      let window = steps[index - reach...min(index + reach, steps.count - 1)].map(\.loss).filter(\.isFinite)
      return window.isEmpty ? .nan : window.reduce(0, +) / Double(window.count)
    }
  }

  private var lossPlot: Plot? {
    guard steps.count > 1 else { return nil }
    let xs = steps.map { Double($0.step) }
    var lines: [Lines.Line] = []
    if steps.count >= 40 { lines.append(.init("", xs: xs, ys: steps.map(\.loss), isFaint: true)) }
    lines.append(.init("training", xs: xs, ys: smoothed))
    let heldOut = scores.filter { $0.step != nil && $0.unit == "nats a label" && !$0.name.hasPrefix("watch.") }
    for name in unique(heldOut.map(\.name)) {
      let points = heldOut.filter { $0.name == name }
      let errors = points.compactMap(\.standardError)
      lines.append(
        .init(
          name, xs: points.map { Double($0.step ?? 0) }, ys: points.map(\.value),
          errors: errors.count == points.count ? errors : nil))
    }
    return .lines(Lines("Loss", x: Axis("step", including: [0]), y: Axis("nats a label"), lines: lines))
  }

  /// What was watched, judged as the recipe says.
  private var watchCurve: WatchCurve? {
    guard let recipe = manifest.recipe["watch"], let tradeOff = recipe["trade_off"]?.double else { return nil }
    return WatchCurve(scores, rule: WatchRule(tradeOff: tradeOff, forgettingBudget: recipe["forgetting_budget"]?.double))
  }

  private func blocks(_ curve: WatchCurve) -> [Page.Block] {
    let xs = curve.points.map { Double($0.step) }, start = curve.start
    var lines = [
      Lines.Line("domain", xs: xs, ys: curve.points.map { $0.domain - start.domain }), .init("general", xs: xs, ys: curve.points.map { $0.general - start.general }),
    ]
    if let budget = curve.rule.forgettingBudget, let last = xs.last, last > 0 { lines.append(.init("budget", xs: [0, last], ys: [budget, budget])) }
    let plot = Lines(
      "Losses since the start", x: Axis("step", including: [0]), y: Axis("change in nats a label", including: [0]), lines: lines)
    var table = Table(["step", "domain", "general", "learned", "forgotten", "gain"])
    table.columns[0].alignment = .right
    let best = curve.best
    for point in curve.points {
      let isBest = point == best, isOver = curve.rule.isOverBudget(point, since: start)
      func change(_ value: Double) -> String { point == start ? "" : Numbers.change(value, 3) }
      table.add([
        .init("\(point.step)", isBest ? .strong : .none), .init(Numbers.significant(point.domain)), .init(Numbers.significant(point.general)),
        .init(change(curve.rule.learned(point, since: start))), .init(change(curve.rule.forgetting(point, since: start)), isOver ? .bad : .none),
        .init(change(curve.rule.gain(point, since: start)), isBest ? .strong : .none),
      ])
    }
    let keeps = manifest.recipe["watch"]?["keep"]?.string == "best"
    var words = "Gain: \(Numbers.significant(1 - curve.rule.tradeOff)) × learned − \(Numbers.significant(curve.rule.tradeOff)) × forgotten, nats a label on the same items each time."
    words += best.map { " Best after step \($0.step)" + (keeps ? ", whose weights were exported." : ".") } ?? ""
    if let last = timing.last, let seconds = last.watchSeconds, last.seconds > 0 {
      words += " Watching took \(Numbers.percent(seconds / last.seconds)) % of the time."
    }
    let most = 12
    return [.plot(.lines(plot))] + (curve.points.count <= most ? [.table(table)] : [.details("All \(curve.points.count) points", [.table(table)])]) + [.note(words)]
  }

  private var ratePlot: Plot? {
    guard steps.count > 1 else { return nil }
    return .lines(
      Lines(
        "Learning rate", x: Axis("step", including: [0]), y: Axis("learning rate", including: [0]),
        lines: [.init("", xs: steps.map { Double($0.step) }, ys: steps.map(\.learningRate))]))
  }

  private func scoreTable(_ scores: [ScoreRecord]) -> Table {
    var table = Table(columns: [.init("score", .left), .init("step"), .init("value"), .init("items"), .init("unit", .left)])
    for score in scores {
      table.add([
        Table.Cell(score.name, .strong), Table.Cell(score.step.map { "\($0)" } ?? "end"),
        Table.Cell(Numbers.plusMinus(score.value, score.standardError)), Table.Cell(Numbers.grouped(score.count)),
        Table.Cell(score.unit, .faint),
      ])
    }
    return table
  }

  private var trainedTable: Table {
    var table = Table(["part", "trained", "of", "share"])
    for part in manifest.trained {
      table.add([
        Table.Cell(part.part), Table.Cell(Numbers.grouped(part.trained)), Table.Cell(Numbers.grouped(part.total)),
        Table.Cell(Numbers.percent(part.fraction) + " %"),
      ])
    }
    table.addRule()
    table.add([
      Table.Cell("all", .strong), Table.Cell(Numbers.grouped(manifest.trained.reduce(0) { $0 + $1.trained }), .strong),
      Table.Cell(Numbers.grouped(manifest.trained.reduce(0) { $0 + $1.total }), .strong),
      Table.Cell(Numbers.percent(manifest.trainedFraction) + " %", .strong),
    ])
    return table
  }

  private func blocks(_ moved: Moved) -> [Page.Block] {
    let most = moved.cells.flatMap { $0 }.max() ?? 0
    var table = Table(["part", "distance / size"])
    for group in moved.groups { table.add([Table.Cell(group.name), Table.Cell(Numbers.significant(group.relative, 3))]) }
    let map = RegionMap(
      "Layers and modules", modules: moved.modules,
      panels: [.init("", lines: ["full: \(Numbers.significant(most, 3))"], cells: moved.cells.map { $0.map { most > 0 ? $0 / most : 0 } }, group: "moved")])
    return [
      .plot(.regions(map)), .table(table),
      .note("‖θ − θ⁰‖ / ‖θ⁰‖ from the start of the run; a cell is filled up to its share of the largest. `holdfast distance` shows several runs side by side."),
    ]
  }

  private var fileTable: Table {
    var table = Table(columns: [.init("file", .left), .init("bytes"), .init("SHA-256", .left)])
    for file in manifest.data + manifest.model {
      table.add([Table.Cell(file.path), Table.Cell(Numbers.grouped(file.bytes)), Table.Cell(file.sha256, .faint)])
    }
    return table
  }
}

/// Elements without repetition, in the order in which they first come.
func unique(_ elements: [String]) -> [String] {
  var seen: Set<String> = []
  return elements.filter { seen.insert($0).inserted }
}
