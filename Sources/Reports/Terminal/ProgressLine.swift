/// How far a run is, in one line.
public struct ProgressLine: Sendable, Hashable {
  /// Steps done.
  public var step: Int
  public var steps: Int
  /// nil before the first step.
  public var loss: Double?
  public var tokensPerSecond: Double?
  public var secondsLeft: Double?

  public init(step: Int, of steps: Int, loss: Double? = nil, tokensPerSecond: Double? = nil, secondsLeft: Double? = nil) {
    self.step = step
    self.steps = steps
    self.loss = loss
    self.tokensPerSecond = tokensPerSecond
    self.secondsLeft = secondsLeft
  }

  /// Seconds left at the rate of the steps so far.
  public static func secondsLeft(step: Int, of steps: Int, elapsed: Double) -> Double? {
    step > 0 && step <= steps ? elapsed / Double(step) * Double(steps - step) : nil
  }

  /// The line, at most `width` columns; the bar takes what is left and goes first when that is little.
  public func text(width: Int = 80) -> String {
    let total = String(steps)
    let count = String(step)
    var parts = ["step " + String(repeating: " ", count: max(0, total.count - count.count)) + count + "/" + total]
    if let loss { parts.append("loss " + Numbers.fixed(loss, 4)) }
    if let tokensPerSecond { parts.append(Numbers.compact(tokensPerSecond) + " tok/s") }
    if step < steps, let secondsLeft { parts.append(Numbers.duration(secondsLeft) + " left") }
    let share = steps > 0 ? min(1, max(0, Double(step) / Double(steps))) : 0
    let percent = Numbers.fixed(share * 100, 0)
    let words = parts.joined(separator: "  ")
    let room = width - words.displayWidth - 9
    guard room >= 6 else { return words.cut(to: width) }
    return words + "  " + Self.bar(share, width: min(room, 30)) + " " + String(repeating: " ", count: 3 - percent.count) + percent + " %"
  }

  /// A bar in eighths of a column.
  public static func bar(_ share: Double, width: Int) -> String {
    let eighths = Int((min(1, max(0, share)) * Double(width * 8)).rounded(.down))
    let full = eighths / 8, part = eighths % 8
    let ends: [Character] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    var out = String(repeating: "█", count: full)
    if part > 0 { out.append(ends[part]) }
    return out + String(repeating: "·", count: width - out.count)
  }
}

/// A curve in one line of blocks: each column is the mean of its part of the values.
public func sparkline(_ values: [Double], width: Int = 40) -> String {
  let width = min(width, values.count)
  guard width > 0 else { return "" }
  let columns: [Double] = (0..<width).map { column in
    let part = values[column * values.count / width..<(column + 1) * values.count / width].filter(\.isFinite)
    return part.isEmpty ? .nan : part.reduce(0, +) / Double(part.count)
  }
  let finite = columns.filter(\.isFinite)
  guard let low = finite.min(), let high = finite.max() else { return String(repeating: "?", count: width) }
  let blocks = Array("▁▂▃▄▅▆▇█")
  return String(
    columns.map { value in
      guard value.isFinite else { return "?" }
      return high > low ? blocks[Int(((value - low) / (high - low) * 7).rounded())] : blocks[3]
    })
}
