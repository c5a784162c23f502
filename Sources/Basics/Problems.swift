/// Everything wrong with an input, collected, so that a user mends it in one go.
public struct Problems: Error, Sendable, CustomStringConvertible {
  /// What was being read, such as a file's name.
  public let subject: String
  /// One sentence each: where, what, and the likely cure.
  public private(set) var complaints: [String] = []

  public init(_ subject: String, _ complaints: [String] = []) {
    self.subject = subject
    self.complaints = complaints
  }

  public var isEmpty: Bool { complaints.isEmpty }

  public mutating func add(_ complaint: String) { complaints.append(complaint) }

  /// Throws itself when there is anything to say.
  public func check() throws(Problems) { if !isEmpty { throw self } }

  public var description: String {
    if complaints.count == 1 { return "\(subject): \(complaints[0])" }
    return (["\(subject): \(complaints.count) problems"] + complaints.map { "  - \($0)" }).joined(separator: "\n")
  }
}

/// The candidate that a mistyped name most likely meant, or nil when none is near.
public func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
  var best: (name: String, distance: Int)?
  for candidate in candidates {
    let distance = editDistance(name.lowercased(), candidate.lowercased())
    if distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  guard let best, best.distance <= max(2, name.count / 3) else { return nil }
  return best.name
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
private func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a.unicodeScalars), b = Array(b.unicodeScalars)
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
  for i in 0...a.count { rows[i][0] = i }
  for j in 0...b.count { rows[0][j] = j }
  for i in 1...a.count {
    for j in 1...b.count {
      var d = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { d = min(d, rows[i - 2][j - 2] + 1) }
      rows[i][j] = d
    }
  }
  return rows[a.count][b.count]
}
