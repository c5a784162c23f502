extension Comparison {
  /// The verdict in a sentence, with its numbers.
  ///
  /// - Parameters:
  ///   - first, second: what was compared.
  ///   - scale: from the score's unit to the printed one; 100 prints a share in points.
  ///   - unit: printed behind the difference, such as "points".
  public func sentence(first: String, second: String, scale: Double = 1, unit: String = "") -> String {
    let unit = unit.isEmpty ? "" : " " + unit
    func number(_ value: Double) -> String { Self.text(value * scale, like: (difference.standardError ?? abs(difference.value)) * scale) }
    let found = "\(number(difference.value))\(unit)"
    guard let interval, pValue.isFinite else {
      let why = difference.count < 2 ? "one seed says nothing of the spread" : "all differences agree, which says nothing of their spread"
      return "\(second) against \(first): no verdict; the difference is \(found), but \(why)"
    }
    let words =
      switch verdict {
      case .better: "\(second) is better than \(first)"
      case .worse: "\(second) is worse than \(first)"
      case .noDifference: "no difference between \(second) and \(first)"
      }
    let p = adjusted.map { "p = \(Self.probability(pValue)), \(Self.probability($0)) among all comparisons" } ?? "p = \(Self.probability(pValue))"
    let level = Self.text(interval.level * 100, like: interval.level == (interval.level * 100).rounded() / 100 ? 10 : 1)
    return "\(words): \(found), \(level) % interval \(number(interval.low)) to \(number(interval.high)) (\(test), \(p))"
  }

  /// As many decimals as show two digits of `error`, four at most.
  static func text(_ value: Double, like error: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "?" : value > 0 ? "∞" : "−∞" }
    var decimals = 0, unit = 1.0
    while abs(error) * unit < 9.5, decimals < 4, error != 0 {
      decimals += 1
      unit *= 10
    }
    let scaled = (abs(value) * unit).rounded()
    guard scaled < 0x1p53 else { return "\(value)" }
    var digits = String(Int(scaled))
    if decimals > 0 {
      digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
    }
    return (value < 0 && scaled > 0 ? "−" : "") + digits
  }

  static func probability(_ p: Double) -> String { p < 0.0001 ? "under 0.0001" : text(p, like: p < 0.01 ? 0.001 : 0.01) }
}
