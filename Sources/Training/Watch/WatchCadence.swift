package import HoldfastBasics

/// When to look next, so that looking takes a stated share of the run's time.
///
/// It is told what the clock said and has none itself. What can be afforded in the whole run, the look after the last step included, is spread
/// evenly over the steps that are left, and reckoned anew after every look. Only the look before the first step is paid in advance.
package struct WatchCadence: Sendable, Hashable {
  /// Seconds of training so far, in all parts of the run.
  package private(set) var training = 0.0
  /// Seconds of looking so far, the look before the first step included.
  package private(set) var watching = 0.0
  /// Seconds of that first look.
  private var first = 0.0
  /// Looks behind the first.
  private var count = 0
  /// Steps that shall be done at the next look; nil: not reckoned yet.
  package private(set) var next: Int?

  package init() {}

  /// What a look takes.
  private var cost: Double { count == 0 ? first : (watching - first) / Double(count) }

  /// Looks that can still be afforded, one now and the last one included.
  private func affordable(after done: Int, of total: Int, share: Double) -> Int {
    let whole = training / Double(max(1, done)) * Double(total)
    let left = whole * share / (1 - share) - watching
    guard cost > 0 else { return total - done + 1 }
    return Int(min(Double(total - done + 1), max(0, (left / cost).rounded(.down))))
  }

  /// Whether to look now that `done` steps are done, which took `training` seconds in all.
  package mutating func isDue(after done: Int, of total: Int, training seconds: Double, share: Double) -> Bool {
    training = seconds
    if done >= total { return true }
    // Where only the last look could be afforded so far, steps that take longer than thought may pay for another.
    if next == nil || next == total { plan(after: done, of: total, share: share) }
    guard let next, done >= next else { return false }
    // What was reckoned ahead may have been wrong: it must be earned by now, and the last look must still be there.
    let isEarned = watching - first + cost <= training * share / (1 - share)
    return isEarned && affordable(after: done, of: total, share: share) >= 2
  }

  /// Takes in what a look cost.
  package mutating func looked(_ seconds: Double, after done: Int, of total: Int, share: Double) {
    watching += seconds
    if done == 0 {
      first += seconds
      return
    }
    count += 1
    plan(after: done, of: total, share: share)
  }

  /// Takes in what the last look led to: the checkpoint of a best point.
  package mutating func saved(_ seconds: Double, after done: Int, of total: Int, share: Double) {
    watching += seconds
    plan(after: done, of: total, share: share)
  }

  private mutating func plan(after done: Int, of total: Int, share: Double) {
    let looks = min(total - done, affordable(after: done, of: total, share: share))
    next = looks < 2 ? total : done + (total - done + looks - 1) / looks
  }

  package var json: JSON {
    [
      "next": next.map { .integer($0) } ?? .null, "training_seconds": .number(training), "watching_seconds": .number(watching),
      "first_seconds": .number(first), "looks": .integer(count),
    ]
  }

  package init?(_ json: JSON) {
    guard let training = json["training_seconds"]?.double, let watching = json["watching_seconds"]?.double, let first = json["first_seconds"]?.double,
      let count = json["looks"]?.int
    else { return nil }
    (self.training, self.watching, self.first, self.count) = (training, watching, first, count)
    next = json["next"]?.int
  }
}
