package import HoldfastBasics

/// What a row may be at most.
public struct RowLimits: Sendable, Hashable {
  /// Bytes of a line.
  public var lineBytes: Int
  /// Arrays and objects inside one another.
  public var depth: Int

  public init(lineBytes: Int = 16 << 20, depth: Int = 64) {
    self.lineBytes = lineBytes
    self.depth = depth
  }
}

/// Why a row is bad, in words.
package struct RowError: Error {
  package let reason: String
  package init(_ reason: String) { self.reason = reason }
}

/// The rows of a JSONL text: one object a line. Blank lines are no rows.
package struct JSONLines {
  private var rest: UnsafeRawBufferPointer
  private var line = 0
  private let limits: RowLimits

  package init(_ bytes: UnsafeRawBufferPointer, limits: RowLimits) {
    // Some editors put a byte order mark before the first row.
    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    rest = hasMark ? UnsafeRawBufferPointer(rebasing: bytes[3...]) : bytes
    self.limits = limits
  }

  /// The next row and its line, from 1; nil at the end.
  package mutating func next() -> (line: Int, row: Result<JSONObject, RowError>)? {
    while !rest.isEmpty {
      let end = rest.firstIndex(of: 0x0A) ?? rest.count
      let bytes = UnsafeRawBufferPointer(rebasing: rest[..<end])
      rest = end < rest.count ? UnsafeRawBufferPointer(rebasing: rest[(end + 1)...]) : UnsafeRawBufferPointer(start: nil, count: 0)
      line += 1
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      return (line, parse(bytes))
    }
    return nil
  }

  private func parse(_ bytes: UnsafeRawBufferPointer) -> Result<JSONObject, RowError> {
    guard bytes.count <= limits.lineBytes else {
      return .failure(RowError("\(bytes.count) bytes, but a row may have \(limits.lineBytes)"))
    }
    do throws(RowError) { return .success(try JSONObject(row: bytes, limits)) } catch { return .failure(error) }
  }
}
