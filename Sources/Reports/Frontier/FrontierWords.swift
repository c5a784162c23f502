public import HoldfastRecords

/// Numbers of a study as they are shown, and what they say in plain words.
public struct FrontierWords: Sendable {
  let summary: FrontierSummary
  let measure: FrontierSummary.Measure

  public init(_ summary: FrontierSummary, _ measure: FrontierSummary.Measure) {
    self.summary = summary
    self.measure = measure
  }

  private var isLoss: Bool { measure.kind == .loss }
  var unit: String { measure.isShare ? "points" : measure.unit }
  /// From what is kept in the records to what is shown.
  var scale: Double { measure.isShare ? 100 : 1 }

  func number(_ value: Double, _ half: Double? = nil) -> String {
    Numbers.plusMinus(value * scale, half.map { $0 * scale }, decimals: measure.isShare ? 1 : 3)
  }

  func signed(_ value: Double) -> String {
    let text = number(value)
    return value > 0 && text.contains(where: { $0 != "0" && $0 != "." }) ? "+" + text : text
  }

  /// What was lost of the old score, as a number above 0 where something was.
  func forgotten(_ kept: FrontierSummary.Spread) -> String { number(measure.baseOld - kept.mean, kept.half) }

  func interval(_ d: FrontierSummary.Difference) -> String {
    guard let low = d.low, let high = d.high else { return "one seed" }
    return "\(signed(low)) to \(signed(high))"
  }

  static func share(_ share: Double) -> String { Numbers.trimmed(Numbers.fixed(share * 100, 1)) + " %" }

  func p(_ value: Double?) -> String {
    guard let value else { return "" }
    return value < 0.001 ? "< 0.001" : Numbers.fixed(value, 3)
  }

  /// What a reading says where it has no number.
  func missing(_ reading: FrontierSummary.Reading) -> String {
    reading.seeds == 0 ? "not run" : reading.reached == 0 ? "not reached" : "not reached by \(reading.seeds - reading.reached) of \(reading.seeds) seeds"
  }

  /// The old score is the mean of these.
  var oldWords: String { measure.oldTasks.joined(separator: ", ") }
  var newWords: String { measure.newTasks.joined(separator: ", ") }

  private func list(_ names: [String]) -> String {
    names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + names.last!
  }

  /// What the study found, a sentence or two each.
  public var conclusion: [String] {
    guard let target = measure.arms.first?.targets.first else { return [] }
    let others = measure.arms.filter { $0.name != summary.reference }
    func named(_ verdict: FrontierSummary.Verdict) -> [FrontierSummary.Arm] {
      others.filter { $0.targets.first?.difference?.verdict == verdict }.sorted { $0.targets[0].difference!.mean > $1.targets[0].difference!.mean }
    }
    let more = named(.more), less = named(.less), none = named(.none), unknown = named(.unknown)
    let unreached = others.filter { $0.targets.first?.kept == nil }
    var out: [String] = []
    let base = summary.reference
    if let reference = measure.arms.first(where: { $0.name == base }), let kept = reference.targets.first?.kept {
      out.append(
        "Where \(base) has learned \(Self.share(target.share)) of the most that it learns of \(newWords), it has forgotten \(number(measure.baseOld - kept.mean)) \(unit) of \(oldWords) (mean over \(kept.values.count) \(kept.values.count == 1 ? "seed" : "seeds")).")
    } else {
      out.append("\(base) does not reach \(Self.share(target.share)) of the most that it learns in every seed, so nothing is compared with it there.")
    }
    if !more.isEmpty {
      let words = more.map { "\($0.name) (\(signed($0.targets[0].difference!.mean)))" }
      out.append("At the same new score \(list(words)) \(more.count == 1 ? "keeps" : "keep") more than \(base), beyond noise.")
    }
    if !less.isEmpty {
      let words = less.map { "\($0.name) (\(signed($0.targets[0].difference!.mean)))" }
      out.append("\(list(words)) \(less.count == 1 ? "keeps" : "keep") less.")
    }
    if !none.isEmpty {
      out.append("Of \(list(none.map(\.name))) no difference to \(base) is seen with \(summary.seeds.count) seeds; that is not to say that there is none.")
    }
    if !unknown.isEmpty { out.append("Of \(list(unknown.map(\.name))) nothing can be said: one seed tells nothing of the spread.") }
    if !unreached.isEmpty {
      out.append("\(list(unreached.map(\.name))) \(unreached.count == 1 ? "does" : "do") not reach this new score in every seed; nothing is read off beyond what was reached.")
    }
    if let r = summary.recommendation, measure == summary.measures.first {
      let place = at(r.at, r.method)
      out.append("Recommended: \(r.method)\(r.trial.isEmpty ? "" : " with \(r.trial)")\(place.isEmpty ? "" : ", \(place)"): \(r.reason).")
    }
    return out
  }

  /// A place on a method's way.
  func at(_ place: Double, _ method: String) -> String {
    switch summary.costs.first(where: { $0.method == method })?.kind {
    case .blend: return "\(Numbers.fixed(place, 2)) of the way from the base"
    case .emulated: return "β \(Numbers.fixed(place, 2))"
    default: break
    }
    return isLoss ? "stopped after about \(Numbers.fixed(place, 0)) steps" : "at a rate of about \(Numbers.significant(place, 2))"
  }
}
