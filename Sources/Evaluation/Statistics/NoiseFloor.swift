/// How far scores differ where nothing differs but the seed, or the wording of the prompts.
public struct NoiseFloor: Sendable, Hashable {
  /// Standard deviation between repetitions of one arm.
  public let deviation: Double
  /// What stands behind it: repetitions less arms.
  public let degrees: Int

  /// Pooled over arms, each a list of repetitions of the same thing, such as one method's seeds or one model's scores
  /// under each prompt format; nil where no arm was repeated.
  public init?(_ arms: [[Double]]) {
    var squares = 0.0, degrees = 0
    for arm in arms where arm.count > 1 {
      let mean = arm.reduce(0, +) / Double(arm.count)
      squares += arm.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      degrees += arm.count - 1
    }
    guard degrees > 0 else { return nil }
    deviation = (squares / Double(degrees)).squareRoot()
    self.degrees = degrees
  }

  /// What two arms of so many repetitions each differ by less than, at the stated level, where nothing differs:
  /// t · s · √(2/n).
  public func smallestDifference(repetitions: Int, level: Double = 0.95) -> Double {
    StudentT(degrees: Double(degrees)).quantile(0.5 + level / 2) * deviation * (2 / Double(repetitions)).squareRoot()
  }
}
