public import HoldfastBasics

/// R[t][i]: the score on task i after stage t, and what is made of it. Scores are shares of items, where more is better.
public struct StageMatrix: Sendable, Hashable {
  public let tasks: [String]
  /// Before any stage; nil where there was no model yet.
  public let before: [ScoreRecord]?
  /// By stage, then by task; a stage that is not done yet is missing at the end.
  public let after: [[ScoreRecord]]
  /// Beside the tasks: what should be kept, before and after each stage.
  public let general: [String]
  public let generalBefore: [ScoreRecord]?
  public let generalAfter: [[ScoreRecord]]
  public let stages: [String]
  /// Which task each stage taught; nil: one that is not tested.
  public let taught: [Int?]

  public init(
    stages: [String], taught: [Int?], tasks: [String], before: [ScoreRecord]?, after: [[ScoreRecord]], general: [String] = [],
    generalBefore: [ScoreRecord]? = nil, generalAfter: [[ScoreRecord]] = []
  ) {
    self.stages = stages
    self.taught = taught
    self.tasks = tasks
    self.before = before
    self.after = after
    self.general = general
    self.generalBefore = generalBefore
    self.generalAfter = generalAfter
  }

  /// Numbers over a sequence of T tasks. nil where one is not defined, or not yet.
  public struct Summary: Sendable, Hashable {
    /// (1/T) Σ_i R[T][i], the mean over all tasks after the last stage.
    public var averagePerformance: Double?
    /// Σ_i (R[T][i] − R[i][i]) over the tasks taught before the last stage, T − 1 where every stage has one (Lopez-Paz and Ranzato 2017).
    public var backwardTransfer: Double?
    /// The same over T, as TRACE has it.
    public var backwardTransferOverAll: Double?
    /// Σ_i (R[i−1][i] − R[0][i]) over the tasks taught after the first stage, R[0] being the model before any stage and not a random one.
    public var forwardTransfer: Double?
    /// Σ_i (max over stages from i's own to the last but one of R[t][i] − R[T][i]) over the tasks taught before the last
    /// stage (Chaudhry et al. 2018).
    public var forgetting: Double?
    /// Mean over general tests after the last stage less before any.
    public var generalChange: Double?
    /// Tasks taught before the last stage, and after the first one.
    public var older = 0, newer = 0
  }

  public var summary: Summary {
    var summary = Summary()
    let last = after.count - 1
    // The stage that taught each task.
    let rows = tasks.indices.compactMap { task in taught.firstIndex { $0 == task } }
    guard !stages.isEmpty, after.count == stages.count, rows.count == tasks.count else { return summary }
    let older = tasks.indices.filter { rows[$0] < last }, newer = tasks.indices.filter { rows[$0] > 0 }
    (summary.older, summary.newer) = (older.count, newer.count)
    func score(_ t: Int, _ i: Int) -> Double { after[t][i].value }
    if !tasks.isEmpty {
      summary.averagePerformance = tasks.indices.reduce(0) { $0 + score(last, $1) } / Double(tasks.count)
    }
    if !older.isEmpty {
      let change = older.reduce(0) { $0 + score(last, $1) - score(rows[$1], $1) }
      summary.backwardTransfer = change / Double(older.count)
      summary.backwardTransferOverAll = change / Double(tasks.count)
      var lost = 0.0
      for i in older { lost += (rows[i]..<last).map { score($0, i) }.max()! - score(last, i) }
      summary.forgetting = lost / Double(older.count)
    }
    if let before, !newer.isEmpty {
      summary.forwardTransfer = newer.reduce(0) { $0 + score(rows[$1] - 1, $1) - before[$1].value } / Double(newer.count)
    }
    if let start = generalBefore, let end = generalAfter.last, !general.isEmpty, generalAfter.count == stages.count {
      summary.generalChange = zip(start, end).reduce(0) { $0 + $1.1.value - $1.0.value } / Double(general.count)
    }
    return summary
  }

  public var json: JSON {
    func row(_ scores: [ScoreRecord]) -> JSON { .array(scores.map(\.json)) }
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    let s = summary
    return [
      "format": 1, "stages": .array(stages.map { .string($0) }), "taught": .array(taught.map { $0.map { .integer($0) } ?? .null }),
      "tasks": .array(tasks.map { .string($0) }), "before": before.map(row) ?? .null, "after": .array(after.map(row)),
      "general": .array(general.map { .string($0) }), "general_before": generalBefore.map(row) ?? .null, "general_after": .array(generalAfter.map(row)),
      "average_performance": number(s.averagePerformance), "backward_transfer": number(s.backwardTransfer),
      "backward_transfer_over_all": number(s.backwardTransferOverAll), "forward_transfer": number(s.forwardTransfer),
      "forgetting": number(s.forgetting), "older": .integer(s.older), "newer": .integer(s.newer), "general_change": number(s.generalChange),
    ]
  }
}
