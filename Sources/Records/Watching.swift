/// One look at the slices that a run watches: nats a label on what it should keep and on what it learns.
public struct WatchPoint: Sendable, Hashable {
  /// Names of the two in `metrics.jsonl`.
  public static let generalName = "watch.general.loss"
  public static let domainName = "watch.domain.loss"

  /// Steps that were done; 0 before the first.
  public let step: Int
  public let general: Double
  public let domain: Double

  public init(step: Int, general: Double, domain: Double) {
    self.step = step
    self.general = general
    self.domain = domain
  }
}

/// How a run weighs what it keeps against what it learns.
public struct WatchRule: Sendable, Hashable {
  /// Weight of what is kept, 0 to 1; that of what is learned is the rest.
  public let tradeOff: Double
  /// How much the general loss may rise, nats a label; nil: as much as it does.
  public let forgettingBudget: Double?

  public init(tradeOff: Double, forgettingBudget: Double?) {
    self.tradeOff = tradeOff
    self.forgettingBudget = forgettingBudget
  }

  /// Nats a label by which the general loss has risen since the start.
  public func forgetting(_ point: WatchPoint, since start: WatchPoint) -> Double { point.general - start.general }

  /// Nats a label by which the domain loss has fallen since the start.
  public func learned(_ point: WatchPoint, since start: WatchPoint) -> Double { start.domain - point.domain }

  /// What was gained since the start: the fall of the domain loss less the rise of the general one, each with its weight.
  public func gain(_ point: WatchPoint, since start: WatchPoint) -> Double {
    (1 - tradeOff) * learned(point, since: start) - tradeOff * forgetting(point, since: start)
  }

  public func isOverBudget(_ point: WatchPoint, since start: WatchPoint) -> Bool {
    forgettingBudget.map { forgetting(point, since: start) > $0 } ?? false
  }
}

/// Everything that a run watched, in order.
public struct WatchCurve: Sendable, Hashable {
  public let points: [WatchPoint]
  public let rule: WatchRule

  /// Points where both losses stand among a run's scores; nil where nothing was watched.
  public init?(_ scores: [ScoreRecord], rule: WatchRule) {
    var general: [Int: Double] = [:], points: [WatchPoint] = []
    for score in scores {
      guard let step = score.step else { continue }
      if score.name == WatchPoint.generalName { general[step] = score.value }
      if score.name == WatchPoint.domainName, let kept = general[step] { points.append(WatchPoint(step: step, general: kept, domain: score.value)) }
    }
    guard !points.isEmpty else { return nil }
    self.points = points
    self.rule = rule
  }

  public var start: WatchPoint { points[0] }

  /// The point behind the start that gained most within the budget, the first of equals; nil where none is within.
  public var best: WatchPoint? {
    var best: (point: WatchPoint, gain: Double)?
    for point in points.dropFirst() where !rule.isOverBudget(point, since: start) {
      let gain = rule.gain(point, since: start)
      if gain.isFinite, gain > best?.gain ?? -.infinity { best = (point, gain) }
    }
    return best?.point
  }
}
