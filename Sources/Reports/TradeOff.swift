public import HoldfastRecords

/// What a model learned and what it kept: one row and one point for each way of tuning.
public struct TradeOff: Sendable {
  /// One way of tuning with what came of it.
  public struct Entry: Sendable {
    /// The row's title.
    public var name: String
    /// At its point in the plot, where a group's colour already says what it is; nil: the name.
    public var label: String?
    /// Ways of one group differ in strength only.
    public var group: String
    /// The score on what was taught.
    public var speciality: ScoreRecord
    /// The score on what the base could do before.
    public var versatility: ScoreRecord
    /// Further scores of the table, by their column.
    public var others: [ScoreRecord]
    /// Share of the parameters that trained; nil where nothing did.
    public var trained: Double?

    public init(
      _ name: String, label: String? = nil, group: String? = nil, speciality: ScoreRecord, versatility: ScoreRecord, others: [ScoreRecord] = [],
      trained: Double? = nil
    ) {
      self.name = name
      self.label = label
      self.group = group ?? name
      self.speciality = speciality
      self.versatility = versatility
      self.others = others
      self.trained = trained
    }
  }

  /// The model before tuning.
  public var base: Entry
  /// In the order of the table's rows.
  public var entries: [Entry]
  /// Whether scores are shares, shown in percent.
  public var isShare: Bool

  public init(base: Entry, entries: [Entry], isShare: Bool = true) {
    self.base = base
    self.entries = entries
    self.isShare = isShare
  }

  /// A row for each way: scores with standard errors, and the change of versatility where it exceeds twice its
  /// standard error in one colour or the other, else faint. The two scores are taken as independent, which is wide
  /// where the same items were asked.
  public var table: Table {
    var titles = ["", "speciality", "versatility", "change"]
    let hasTrained = entries.contains { $0.trained != nil }
    if hasTrained { titles.append("trained") }
    titles += base.others.map(\.name)
    var table = Table(titles)
    for (index, entry) in ([base] + entries).enumerated() {
      if index == 1 { table.addRule() }
      var row: [Table.Cell] = [
        Table.Cell(entry.name, .strong), Table.Cell(text(entry.speciality)), Table.Cell(text(entry.versatility)),
        index == 0 ? "" : change(entry),
      ]
      if hasTrained { row.append(Table.Cell(entry.trained.map { Numbers.percent($0) + " %" } ?? "")) }
      for column in base.others {
        row.append(Table.Cell(entry.others.first { $0.name == column.name }.map(text) ?? ""))
      }
      table.add(row)
    }
    return table
  }

  private func text(_ score: ScoreRecord) -> String {
    isShare ? Numbers.percent(score.value, score.standardError) : Numbers.plusMinus(score.value, score.standardError)
  }

  private func change(_ entry: Entry) -> Table.Cell {
    let difference = entry.versatility.value - base.versatility.value
    let a = entry.versatility.standardError ?? 0, b = base.versatility.standardError ?? 0
    let error = (a * a + b * b).squareRoot()
    let shown = isShare ? Numbers.fixed(difference * 100, 1) : Numbers.significant(difference, 3)
    let signed = difference > 0 ? "+" + shown : shown
    return Table.Cell(signed, abs(difference) <= 2 * error ? .faint : difference < 0 ? .bad : .good)
  }

  /// Speciality upwards, versatility to the right: up and right is better.
  public func plot(title: String = "What was learned against what was kept") -> Plot {
    func point(_ entry: Entry) -> Scatter.Point {
      Scatter.Point(
        entry.label ?? entry.name, x: entry.versatility.value, y: entry.speciality.value, xError: entry.versatility.standardError,
        yError: entry.speciality.standardError, group: entry.group)
    }
    let format: Axis.Format = isShare ? .percent : .number
    return .scatter(
      Scatter(
        title, x: Axis("versatility →", format), y: Axis("↑ speciality", format), points: entries.map(point),
        base: point(base)))
  }
}
