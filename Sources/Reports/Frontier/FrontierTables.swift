public import HoldfastRecords

extension FrontierWords {
  /// Methods at each target: what they forgot, and against the reference; those that keep most first.
  public func targetTable(_ index: Int, wide: Bool = true) -> Table {
    let share = measure.arms.first?.targets[index].share ?? 0
    var columns: [Table.Column] = [
      .init("at \(Self.share(share)) of the learning", .left), .init("", .left), .init("forgotten, \(unit)"), .init("kept more than \(summary.reference)"),
      .init("95 % interval"), .init("p, Holm"),
    ]
    if wide { columns.append(.init("chosen trial", .left)) }
    var table = Table(columns: columns)
    let sorted = measure.arms.sorted { a, b in
      switch (a.targets[index].kept, b.targets[index].kept) {
      case (let x?, let y?): x.mean > y.mean
      case (_?, nil): true
      default: false
      }
    }
    for arm in sorted {
      let reading = arm.targets[index]
      guard let kept = reading.kept else {
        table.add([.init(arm.name, .strong), .init(missing(reading), .faint)])
        continue
      }
      let d = reading.difference, isReference = arm.name == summary.reference
      var row: [Table.Cell] = [
        .init(arm.name, .strong), .init(isReference ? "reference" : d?.verdict.rawValue ?? "", emphasis(d)), .init(forgotten(kept)),
        .init(isReference ? "" : d.map { signed($0.mean) } ?? "", emphasis(d)), .init(isReference ? "" : d.map(interval) ?? "", d?.low == nil ? .faint : .none),
        .init(isReference ? "" : p(d?.adjusted)),
      ]
      if wide { row.append(.init(trial(reading, arm.name), .faint)) }
      table.add(row)
    }
    return table
  }

  /// The trial and where on its way, in short.
  private func trial(_ reading: FrontierSummary.Reading, _ method: String) -> String {
    guard let trial = reading.trial else { return "" }
    guard let at = reading.at, measure.kind == .loss else { return trial }
    let place =
      switch summary.costs.first(where: { $0.method == method })?.kind {
      case .blend: "at \(Numbers.fixed(at, 2))"
      case .emulated: "β \(Numbers.fixed(at, 2))"
      default: "step \(Numbers.fixed(at, 0))"
      }
    return trial.isEmpty ? place : "\(trial), \(place)"
  }

  func emphasis(_ d: FrontierSummary.Difference?) -> Table.Emphasis {
    switch d?.verdict {
    case .more: .good
    case .less: .bad
    case nil, .some(.none), .some(.unknown): .faint
    }
  }

  /// Areas, to the reference.
  public var areaTable: Table {
    var table = Table(columns: [.init("over the common range", .left), .init("up to"), .init("kept more than \(summary.reference)"), .init("95 % interval"), .init("p, Holm"), .init("", .left)])
    for arm in measure.arms.sorted(by: { ($0.area?.mean ?? -.infinity) > ($1.area?.mean ?? -.infinity) }) where arm.name != summary.reference {
      guard let area = arm.area else {
        table.add([.init(arm.name, .strong), .init("no common range", .faint)])
        continue
      }
      table.add([
        .init(arm.name, .strong), .init(Self.share(arm.areaTo)), .init(signed(area.mean), emphasis(area)), .init(interval(area)), .init(p(area.adjusted)),
        .init(area.verdict.rawValue, emphasis(area)),
      ])
    }
    return table
  }

  /// Every pair: what the row keeps more than the column, in the mean over their common range.
  public var pairTable: Table {
    let names = measure.arms.map(\.name)
    var table = Table([""] + names)
    for row in names {
      var cells: [Table.Cell] = [.init(row, .strong)]
      for column in names {
        if row == column {
          cells.append("")
        } else if let pair = measure.pairs.first(where: { $0.first == row && $0.second == column }) {
          cells.append(cell(pair.area.mean, pair.dominant.map { $0 == row }))
        } else if let pair = measure.pairs.first(where: { $0.first == column && $0.second == row }) {
          cells.append(cell(-pair.area.mean, pair.dominant.map { $0 == row }))
        } else {
          cells.append(.init("–", .faint))
        }
      }
      table.add(cells)
    }
    return table
  }

  private func cell(_ value: Double, _ dominates: Bool?) -> Table.Cell {
    switch dominates {
    case true?: .init(signed(value) + " ▲", .good)
    case false?: .init(signed(value) + " ▼", .bad)
    case nil: .init(signed(value), .faint)
    }
  }

  public var dominances: [String] {
    measure.pairs.compactMap { pair in
      pair.dominant.map { winner in
        let loser = winner == pair.first ? pair.second : pair.first
        return "\(winner) over \(loser) (\(number(abs(pair.area.mean))), p = \(p(pair.area.adjusted)) by Holm over \(measure.pairs.count) pairs, up to \(Self.share(pair.to)))"
      }
    }
  }

  /// Numbers that papers make of the two scores.
  public var compositeTable: Table {
    var table = Table(["at the chosen trial's end", "Spec", "Vers", "Spec, relative", "Vers, relative", "Uni", "OP", "BWT"])
    for arm in measure.arms {
      guard let c = arm.composites else { continue }
      func f(_ value: Double) -> Table.Cell { .init(Numbers.fixed(value, 3)) }
      table.add([.init(arm.name, .strong), f(c.spec), f(c.vers), f(c.relativeSpec), f(c.relativeVers), f(c.uni), f(c.overall), f(c.backwardTransfer)])
    }
    return table
  }

  static let compositeNote =
    "Spec and Vers are CoFiTune's speciality and versatility, here the new and the old score (of losses the geometric mean probability of a label); relative: (Spec − base) / (the reference's best − base) and Vers / base; Uni: the mean of the two relative ones, as the paper's own formula is not known for certain. OP: mean over all tasks after tuning; BWT: mean over the old tasks of after less before, divided by their number. They are of runs that learned different amounts: a method that learns less keeps more, and these numbers do not tell the two apart. The tables above do."

  public static func costTable(_ summary: FrontierSummary) -> Table {
    var table = Table(["", "points", "trials", "trains", "before the first step", "training", "measuring", "peak memory", "result"])
    for cost in summary.costs {
      table.add([
        .init(cost.method, .strong), .init("\(cost.runs)"), .init("\(cost.trials)"), .init(cost.trained.map { Numbers.percent($0) + " %" } ?? ""),
        .init(cost.preparingSeconds.map(Numbers.duration) ?? ""), .init(cost.trainingSeconds.map(Numbers.duration) ?? ""),
        .init(cost.measuringSeconds.map(Numbers.duration) ?? ""), .init(cost.peakBytes.map(Numbers.bytes) ?? ""), .init(cost.bytes.map(Numbers.bytes) ?? ""),
      ])
    }
    return table
  }
}
