package import HoldfastRecords

/// Which point to take.
package enum FrontierAdvice {
  /// At the first target: of the methods that keep more than the reference beyond noise the one that keeps most; where none does, the
  /// reference, which is the simpler one. nil where nobody reaches the target.
  package static func of(_ measure: FrontierSummary.Measure, reference: String) -> FrontierSummary.Recommendation? {
    let reached = measure.arms.compactMap { arm -> (name: String, reading: FrontierSummary.Reading)? in
      guard let reading = arm.targets.first, reading.kept != nil, reading.trial != nil else { return nil }
      return (arm.name, reading)
    }
    guard let most = reached.max(by: { $0.reading.kept!.mean < $1.reading.kept!.mean }) else { return nil }
    func advice(_ found: (name: String, reading: FrontierSummary.Reading), _ reason: String) -> FrontierSummary.Recommendation {
      FrontierSummary.Recommendation(
        method: found.name, trial: found.reading.trial ?? "", at: found.reading.at ?? 0, share: found.reading.share, reason: reason)
    }
    let better = reached.filter { $0.reading.difference?.verdict == .more }
    if let best = better.max(by: { $0.reading.kept!.mean < $1.reading.kept!.mean }) {
      let equals = reached.count { $0.reading.kept!.mean > best.reading.kept!.mean }
      return advice(
        best, "keeps more than \(reference) beyond noise, and of those that do it keeps most"
          + (equals > 0 ? "; \(equals) kept more in the mean, but no more than noise explains" : ""))
    }
    guard let simple = reached.first(where: { $0.name == reference }) else {
      return advice(most, "\(reference) does not reach this score; of those that do it keeps most in the mean, which no comparison with \(reference) supports")
    }
    if most.name == reference { return advice(simple, "nobody keeps more in the mean") }
    let isKnown = reached.contains { $0.reading.difference?.verdict == FrontierSummary.Verdict.none }
    return advice(
      simple, isKnown
        ? "nobody keeps more beyond noise, so the simplest stands; \(most.name) keeps most in the mean"
        : "one seed says nothing of the spread, so the simplest stands; \(most.name) keeps most in the mean")
  }
}
