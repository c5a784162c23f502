internal import HoldfastBasics
internal import HoldfastRecords

/// How the watching of a run stands; part of a checkpoint.
struct WatchState: Hashable {
  /// What was measured before the first step.
  private(set) var start: WatchPoint?
  /// Steps that were done at the best point so far; 0: there is none.
  private(set) var bestStep = 0
  private(set) var bestGain = -Double.infinity
  /// How far the general loss had risen at a point that was over the budget.
  private(set) var excess: Double?
  /// nil where the recipe says how often.
  var cadence: WatchCadence?

  init(_ recipe: WatchRecipe) { cadence = recipe.every == .auto ? WatchCadence() : nil }

  /// Takes a new point; true when it is the best so far.
  mutating func take(_ point: WatchPoint, _ rule: WatchRule) -> Bool {
    guard let start else {
      self.start = point
      return false
    }
    if rule.isOverBudget(point, since: start) {
      excess = rule.forgetting(point, since: start)
      return false
    }
    let gain = rule.gain(point, since: start)
    guard gain.isFinite, gain > bestGain else { return false }
    (bestGain, bestStep) = (gain, point.step)
    return true
  }

  var json: JSON {
    var object: JSONObject = [
      "general": start.map { .number($0.general) } ?? .null, "domain": start.map { .number($0.domain) } ?? .null, "best_step": .integer(bestStep),
      "best_gain": bestGain.isFinite ? .number(bestGain) : .null,
    ]
    if let excess { object["excess"] = .number(excess) }
    if let cadence { object["cadence"] = cadence.json }
    return .object(object)
  }

  init?(_ json: JSON) {
    guard let step = json["best_step"]?.int else { return nil }
    bestStep = step
    bestGain = json["best_gain"]?.double ?? -.infinity
    if let general = json["general"]?.double, let domain = json["domain"]?.double { start = WatchPoint(step: 0, general: general, domain: domain) }
    excess = json["excess"]?.double
    cadence = json["cadence"].flatMap(WatchCadence.init)
  }
}
