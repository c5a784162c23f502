#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Values to places on the paper.
package struct Scale {
  let axis: Axis
  let low, high: Double
  /// Places of `low` and `high`.
  let start, end: Double
  /// Values that carry a grid line and a number.
  let ticks: [Double]

  /// A scale that holds all values, with some air around them.
  init(_ axis: Axis, holding values: [Double], from start: Double, to end: Double, air: Double = 0.06, ticks wanted: Int) {
    self.axis = axis
    self.start = start
    self.end = end
    let values = (values + axis.including).filter { $0.isFinite && (!axis.isLogarithmic || $0 > 0) }
    var low = values.min() ?? (axis.isLogarithmic ? 1 : 0), high = values.max() ?? (axis.isLogarithmic ? 10 : 1)
    if axis.isLogarithmic {
      if high < low * 1.2 {
        low /= 1.5
        high *= 1.5
      }
      let air = pow(high / low, air)
      self.low = low / air
      self.high = high * air
      ticks = Scale.powers(self.low, self.high, wanted)
    } else {
      if high <= low {
        let half = max(abs(low) * 0.1, axis.format == .percent ? 0.01 : 0.5)
        (low, high) = (low - half, high + half)
      }
      let air = (high - low) * air
      // A scale that begins at 0 needs no air below.
      self.low = axis.including.contains(low) ? low : low - air
      self.high = axis.including.contains(high) ? high : high + air
      ticks = Scale.nice(self.low, self.high, wanted)
    }
  }

  func callAsFunction(_ value: Double) -> Double {
    let share =
      axis.isLogarithmic ? log(max(value, low * 1e-3) / low) / log(high / low) : (value - low) / (high - low)
    return start + share * (end - start)
  }

  /// Round numbers within a range: steps of 1, 2, 2.5 or 5 times a power of ten, about as many as wanted.
  package static func nice(_ low: Double, _ high: Double, _ wanted: Int) -> [Double] {
    guard high > low, (high - low).isFinite else { return [low] }
    let rough = (high - low) / Double(max(1, wanted))
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 2.5, 5, 10].min { abs(rough / power - $0) < abs(rough / power - $1) } ?? 1)
    let first = Int((low / step).rounded(.up)), last = Int((high / step).rounded(.down))
    return first <= last ? (first...last).map { Double($0) * step } : []
  }

  /// 1, 2 and 5 times powers of ten, thinned out until there are about as many as wanted.
  package static func powers(_ low: Double, _ high: Double, _ wanted: Int) -> [Double] {
    let first = Int(floor(log10(low))), last = Int(ceil(log10(high)))
    for factors in [[1.0, 2, 5], [1.0, 3], [1.0]] {
      let ticks = (first...last).flatMap { power in factors.map { $0 * pow(10, Double(power)) } }
        .filter { $0 >= low && $0 <= high }
      if ticks.count <= wanted + 2 { return ticks.count >= 2 ? ticks : nice(low, high, wanted).filter { $0 > 0 } }
    }
    let every = (last - first) / wanted + 1
    return stride(from: first, through: last, by: every).map { pow(10, Double($0)) }.filter { $0 >= low && $0 <= high }
  }

  /// A tick's number, with as many decimals as tell it from its neighbour.
  func text(_ tick: Double) -> String {
    let factor = axis.format == .percent ? 100.0 : 1.0
    let unit = axis.format == .percent ? " %" : ""
    if axis.isLogarithmic { return Numbers.significant(tick * factor, 3) + unit }
    let step = ticks.count > 1 ? abs(ticks[1] - ticks[0]) * factor : 1
    if abs(tick * factor) >= 10_000, step >= 100 { return Numbers.trimmedCompact(tick * factor) + unit }
    var decimals = 0
    while decimals < 8, abs(step * pow(10, Double(decimals)) - (step * pow(10, Double(decimals))).rounded()) > 1e-6 { decimals += 1 }
    return Numbers.fixed(tick * factor, decimals) + unit
  }

  /// A value in a tooltip or beside a bar.
  static func value(_ value: Double, _ error: Double?, _ axis: Axis) -> String {
    axis.format == .percent ? Numbers.percent(value, error) + " %" : Numbers.plusMinus(value, error)
  }
}

extension Numbers {
  /// `20k`, `1.5M`: for the ticks of an axis.
  static func trimmedCompact(_ value: Double) -> String {
    for (size, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= size {
      return trimmed(fixed(value / size, 3)) + letter
    }
    return fixed(value, 0)
  }
}
