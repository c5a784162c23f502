/// How far a run is, in one line.
public struct ProgressLine: Sendable {
  /// Steps done.
  public var step: Int
  /// Steps of the whole run.
  public var steps: Int
  /// nil before the first step.
  public var loss: Double?
  /// nil where nothing was timed.
  public var tokensPerSecond: Double?
  /// How far the watched losses are from where they began, what is learned first; nil where nothing is watched.
  public var watched: (domain: Double, general: Double)?
  /// nil where it cannot be told; not shown after the last step.
  public var secondsLeft: Double?

  public init(step: Int, of steps: Int, loss: Double? = nil, tokensPerSecond: Double? = nil, watched: (domain: Double, general: Double)? = nil, secondsLeft: Double? = nil) {
    self.step = step
    self.steps = steps
    self.loss = loss
    self.tokensPerSecond = tokensPerSecond
    self.watched = watched
    self.secondsLeft = secondsLeft
  }

  /// Seconds left at the rate of the steps so far.
  public static func secondsLeft(step: Int, of steps: Int, elapsed: Double) -> Double? {
    step > 0 && step <= steps ? elapsed / Double(step) * Double(steps - step) : nil
  }

  /// The line, at most `width` columns. What varies in length comes last, so that lines one below another align; the
  /// bar is left out where it does not fit.
  public func text(width: Int = 80) -> String {
    let total = String(steps)
    let count = String(step)
    let place = "step " + String(repeating: " ", count: max(0, total.count - count.count)) + count + "/" + total
    let share = steps > 0 ? min(1, max(0, Double(step) / Double(steps))) : 0
    let percent = Numbers.fixed(share * 100, 0)
    let bar = Self.bar(share, width: 12) + " " + String(repeating: " ", count: 3 - percent.count) + percent + " %"
    var facts: [String] = []
    if let loss { facts.append("loss " + Numbers.fixed(loss, 4)) }
    if let tokensPerSecond { facts.append(Numbers.compact(tokensPerSecond) + " tok/s") }
    if let watched { facts.append("domain \(Numbers.change(watched.domain, 3)) general \(Numbers.change(watched.general, 3))") }
    if step < steps, let secondsLeft { facts.append(Numbers.duration(secondsLeft) + " left") }
    let line = ([place, bar] + facts).joined(separator: "  ")
    return line.displayWidth <= width ? line : ([place] + facts).joined(separator: "  ").cut(to: width)
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
