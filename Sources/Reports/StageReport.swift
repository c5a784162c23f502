public import HoldfastRecords

/// The page of a sequence of stages.
public struct StageReport {
  public let matrix: StageMatrix
  public let name: String

  public init(_ matrix: StageMatrix, name: String) {
    self.matrix = matrix
    self.name = name
  }

  /// R[t][i] in percent with standard errors; the task that a stage taught stands out.
  public var table: Table {
    var table = Table(["after stage"] + matrix.tasks + matrix.general)
    func row(_ name: String, _ scores: [ScoreRecord], taught: Int? = nil) -> [Table.Cell] {
      [Table.Cell(name)] + scores.enumerated().map { Table.Cell(Numbers.percent($1.value, $1.standardError), $0 == taught ? .strong : .none) }
    }
    if let before = matrix.before, let general = matrix.generalBefore {
      table.add(row("none", before + general))
      table.addRule()
    }
    for (t, scores) in matrix.after.enumerated() {
      table.add(row("\(t + 1) \(matrix.stages[t])", scores + matrix.generalAfter[t], taught: matrix.taught[t]))
    }
    return table
  }

  /// Each with what it is divided by.
  public var summary: Table {
    var table = Table(columns: [.init("over the sequence", .left), .init("points"), .init("is", .left, wraps: true)])
    let s = matrix.summary, count = matrix.tasks.count
    func add(_ name: String, _ value: Double?, _ words: String) {
      table.add([.init(name), .init(value.map { Numbers.fixed($0 * 100, 1) } ?? "–"), .init(words)])
    }
    add("average performance", s.averagePerformance, "mean of the \(count) tasks after the last stage")
    add("backward transfer", s.backwardTransfer, "change since a task was taught, over the \(s.older) taught before the last stage")
    add("backward transfer", s.backwardTransferOverAll, "the same over all \(count), as TRACE has it")
    add("forward transfer", s.forwardTransfer, "change of a task before it is taught, against the model before any stage, over the \(s.newer) taught after the first")
    add("forgetting", s.forgetting, "best earlier score less the last one, over the \(s.older) taught before the last stage")
    if !matrix.general.isEmpty { add("general change", s.generalChange, "mean of the \(matrix.general.count) general tests, last less first") }
    return table
  }

  public var page: Page {
    Page(
      name, subtitle: "\(matrix.after.count) of \(matrix.stages.count) stages",
      sections: [
        Page.Section("Scores after each stage", [
          .table(table), .note("Percent of items, ± one standard error over items. The task that a stage taught stands out. Errors over items of one run say nothing of another seed."),
        ]),
        Page.Section("Over the sequence", [.table(summary)]),
      ])
  }
}
