public import HoldfastBasics
public import HoldfastEvaluation

/// Whether a candidate may take its base's place: what it lost of each general task, item by item, against a budget.
public struct Gate: Sendable {
  public enum Verdict: String, Sendable, Hashable {
    /// The whole interval of the drop lies within the budget.
    case within
    /// The whole interval lies beyond it.
    case beyond
    /// The budget lies inside the interval: too few items to tell.
    case unclear
  }

  /// One task, or what the domain gained.
  public struct Finding: Sendable, Hashable {
    public let task: String
    public let base: Double
    public let candidate: Double
    /// Of a general task what was lost, of the domain what was gained, in its unit.
    public let change: Double
    /// Ends of its interval; nil where one item or identical differences tell nothing of the spread.
    public let low: Double?
    public let high: Double?
    public let items: Int
    public let unit: String
    public let isShare: Bool
    public let verdict: Verdict
    /// About how many items would tell; nil where they are enough, or no number would do.
    public let needed: Int?
  }

  /// General tasks, in the suite's order.
  public let lost: [Finding]
  /// What the domain had to gain; empty where nothing was asked of it.
  public let gained: [Finding]
  public let budget: Double
  public let gain: Double?
  /// Of each interval, such that all of them hold together with 95 %.
  public let level: Double

  /// - Parameters:
  ///   - budget: what each general task may lose, in its unit: 0.02 is two points of a share.
  ///   - gain: what the mean over the domain's tasks must gain at least; nil: nothing is asked.
  /// - Throws: `Problems` where the suite has no general task, or results are not of the same tasks.
  public init(base: SuiteResult, candidate: SuiteResult, budget: Double, gain: Double? = nil) throws(Problems) {
    self.budget = budget
    self.gain = gain
    let general = base.members(.general), domain = gain == nil ? [] : base.members(.domain)
    if general.isEmpty { throw Problems(base.name, ["it has no task of role general: nothing could be forgotten"]) }
    if gain != nil, domain.isEmpty { throw Problems(base.name, ["it has no task of role domain, but a gain is asked for"]) }
    let level = 1 - 0.05 / Double(general.count + domain.count)
    self.level = level
    func find(_ task: TaskResult, limit: Double, isGain: Bool) throws(Problems) -> Finding {
      guard let other = candidate[task.name] else { throw Problems(task.name, ["the candidate was not asked it"]) }
      let found = try other.compared(with: task, level: level)
      // What counts upwards: a drop for general tasks, a gain for the domain.
      let sign: Double = (found.higherIsBetter ? 1 : -1) * (isGain ? 1 : -1), change = sign * found.difference.value
      let ends = Self.changed(task.perItem, other.perItem, level: level).map { [sign * $0.low, sign * $0.high].sorted() }
        ?? found.interval.map { [sign * $0.low, sign * $0.high].sorted() }
      var verdict = Verdict.unclear
      if let ends {
        if ends[1] <= limit { verdict = .within } else if ends[0] > limit { verdict = .beyond }
        if isGain, ends[0] >= limit { verdict = .beyond }
      }
      var needed: Int?
      if verdict == .unclear, let ends, change != limit {
        let half = (ends[1] - ends[0]) / 2, ratio = half / abs(change - limit)
        if ratio < 100 { needed = Int((Double(task.perItem.count) * ratio * ratio).rounded(.up)) }
      }
      return Finding(
        task: task.name, base: task.estimate.value, candidate: other.estimate.value, change: change, low: ends?[0], high: ends?[1],
        items: task.perItem.count, unit: task.unit, isShare: task.metric.isShare, verdict: verdict, needed: needed)
    }
    var lost: [Finding] = [], gained: [Finding] = []
    for task in general { lost.append(try find(task, limit: budget, isGain: false)) }
    for task in domain { gained.append(try find(task, limit: gain ?? 0, isGain: true)) }
    self.lost = lost
    self.gained = gained
  }

  /// Of items that are right or wrong, where few of them differ between the models: a bootstrap of what never varies has no width, and a
  /// handful of items no certainty. The difference of the two Wilson intervals is wider than needed and never too sure. nil for others.
  private static func changed(_ base: [Double], _ candidate: [Double], level: Double) -> Interval? {
    guard (base + candidate).allSatisfy({ $0 == 0 || $0 == 1 }) else { return nil }
    let lost = zip(base, candidate).count { $0 > $1 }, won = zip(base, candidate).count { $0 < $1 }
    guard min(lost + won, 2 * base.count - lost - won) < 10 || lost + won == base.count else { return nil }
    let down = Interval.wilson(Double(lost), of: base.count, level: level), up = Interval.wilson(Double(won), of: base.count, level: level)
    return Interval(low: up.low - down.high, high: up.high - down.low, level: level)
  }

  /// Tasks that lost more than the budget, beyond noise.
  public var failures: [Finding] { lost.filter { $0.verdict == .beyond } }
  /// Domain tasks that gained less than was asked, beyond noise.
  public var shortfalls: [Finding] { gained.filter { $0.verdict == .within } }
  /// Tasks that too few items were asked of.
  public var unclear: [Finding] { (lost + gained).filter { $0.verdict == .unclear } }

  /// Whether the candidate passes; `isStrict`: what cannot be told does not pass.
  public func passes(isStrict: Bool) -> Bool { failures.isEmpty && shortfalls.isEmpty && (!isStrict || unclear.isEmpty) }

  public func json(isStrict: Bool) -> JSON {
    func list(_ findings: [Finding]) -> JSON {
      .array(findings.map {
        [
          "task": .string($0.task), "base": .number($0.base), "candidate": .number($0.candidate), "change": .number($0.change),
          "low": $0.low.map { .number($0) } ?? .null, "high": $0.high.map { .number($0) } ?? .null, "items": .integer($0.items),
          "unit": .string($0.unit), "verdict": .string($0.verdict.rawValue), "needed": $0.needed.map { .integer($0) } ?? .null,
        ]
      })
    }
    return [
      "passes": .bool(passes(isStrict: isStrict)), "strict": .bool(isStrict), "budget": .number(budget), "gain": gain.map { .number($0) } ?? .null,
      "level": .number(level), "lost": list(lost), "gained": list(gained),
    ]
  }
}
