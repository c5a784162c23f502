/// Looks for stop strings in text as it comes. What could be the beginning of one is held back; the stop string itself is never given out.
public struct StopText: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  public private(set) var hasStopped = false

  public init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// What may be given out, now that more text has come.
  public mutating func append(_ text: String) -> String {
    if hasStopped { return "" }
    if stops.isEmpty { return text }
    held += text.utf8
    if let end = stops.compactMap({ first($0) }).min() {
      hasStopped = true
      defer { held = [] }
      return String(decoding: held[..<end], as: UTF8.self)
    }
    let kept = stops.map { overhang($0) }.max() ?? 0
    defer { held.removeFirst(held.count - kept) }
    return String(decoding: held[..<(held.count - kept)], as: UTF8.self)
  }

  /// What was held back at the end of the text.
  public mutating func finish() -> String {
    defer { held = [] }
    return hasStopped ? "" : String(decoding: held, as: UTF8.self)
  }

  /// Where a stop string begins.
  private func first(_ stop: [UInt8]) -> Int? {
    guard held.count >= stop.count else { return nil }
    return (0...(held.count - stop.count)).first { held[$0..<$0 + stop.count].elementsEqual(stop) }
  }

  /// How many bytes at the end could begin it. A stop string begins with a whole character, so no character is cut.
  private func overhang(_ stop: [UInt8]) -> Int {
    for count in stride(from: min(stop.count - 1, held.count), to: 0, by: -1) where held.suffix(count).elementsEqual(stop.prefix(count)) {
      return count
    }
    return 0
  }
}
