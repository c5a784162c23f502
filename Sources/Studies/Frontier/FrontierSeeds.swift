internal import HoldfastEvaluation
internal import HoldfastRecords

/// Numbers of several seeds.
enum Seeds {
  /// Mean and half of the 95 % t interval.
  static func spread(_ values: [Double]) -> FrontierSummary.Spread {
    let interval = Interval.studentT(values)
    return FrontierSummary.Spread(
      mean: values.reduce(0, +) / Double(max(1, values.count)), half: interval.map { ($0.high - $0.low) / 2 }, values: values)
  }

  /// What the second keeps more than the first, seed by seed.
  static func difference(_ first: [Double], _ second: [Double], resolution: Double) -> FrontierSummary.Difference {
    let found = Comparison.seeds(first, second, resolution: resolution)
    return FrontierSummary.Difference(
      mean: found.difference.value, low: found.interval?.low, high: found.interval?.high, p: found.pValue.isNaN ? nil : found.pValue,
      seeds: first.count)
  }

  /// Judges comparisons that were made together, by Holm, at 5 %.
  static func judge(_ differences: inout [FrontierSummary.Difference]) {
    let adjusted = Holm.adjusted(differences.map { $0.p ?? .nan })
    for i in differences.indices {
      guard differences[i].p != nil else {
        differences[i].verdict = .unknown
        continue
      }
      differences[i].adjusted = adjusted[i]
      differences[i].verdict = adjusted[i] >= 0.05 ? .none : differences[i].mean > 0 ? .more : .less
    }
  }
}
