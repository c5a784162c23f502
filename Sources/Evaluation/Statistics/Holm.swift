/// Caution for many comparisons: Holm's step-down method (1979) keeps the chance of even one false finding below the level.
public enum Holm {
  /// p values as they may be compared with the level one by one, in the order given. One that is not a number, as where a
  /// single seed stands behind it, counts as a comparison that finds nothing.
  public static func adjusted(_ pValues: [Double]) -> [Double] {
    let known = pValues.map { $0.isNaN ? 1 : $0 }
    let order = known.indices.sorted { (known[$0], $0) < (known[$1], $1) }
    var result = known, least = 0.0
    for (rank, i) in order.enumerated() {
      least = max(least, min(1, Double(known.count - rank) * known[i]))
      result[i] = least
    }
    return result
  }
}
