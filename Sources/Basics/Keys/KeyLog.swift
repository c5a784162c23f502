/// What the readers of one configuration share: its lines, its overrides, the complaints, the table.
final class KeyLog {
  private let source: KeySource?
  private var complaints: [(path: String, line: Int?, words: String)] = []
  private var taken: Set<String> = []
  var unread: [(path: String, key: String, siblings: [String])] = []
  /// Every path that was declared.
  var paths: [String] = []
  var rows: [KeyRow] = []

  init(source: KeySource?) { self.source = source }

  var isDocumenting: Bool { source == nil }

  func override(_ path: String) -> (value: JSON, text: String)? { source?.overrides[path] }

  func takeOverride(_ path: String) -> JSON? {
    guard let found = override(path) else { return nil }
    taken.insert(path)
    return found.value
  }

  func hasOverride(below path: String) -> Bool {
    source?.overrides.keys.contains { $0.hasPrefix(path + ".") } ?? false
  }

  func complain(_ path: String, _ words: String) {
    if !isDocumenting { complaints.append((path, line(of: path), words)) }
  }

  func complainedAbout(_ path: String) -> Bool { isDocumenting || complaints.contains { $0.path == path } }

  /// The line of a path, or of what it stands in; none for an override.
  private func line(of path: String) -> Int? {
    guard let source, source.overrides[path] == nil else { return nil }
    var path = Substring(path)
    while !path.isEmpty {
      if let line = source.lines[String(path)] { return line }
      guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
      path = path[..<cut]
    }
    return nil
  }

  /// All complaints, in the order of the file.
  func problems() -> Problems {
    for (path, key, siblings) in unread {
      complain(path, "\(path): no such key" + guess(path, key, siblings))
    }
    for (path, _) in (source?.overrides ?? [:]).sorted(by: { $0.key < $1.key }) where !taken.contains(path) {
      let guess = nearestName(to: path, among: paths).map { "; did you mean \($0)?" } ?? ""
      complain(path, "\(path): no such key" + guess)
    }
    let ordered = complaints.enumerated().sorted { a, b in
      (a.element.line ?? .max, a.offset) < (b.element.line ?? .max, b.offset)
    }
    return Problems(
      source?.subject ?? "",
      ordered.map { _, complaint in complaint.line.map { "line \($0): \(complaint.words)" } ?? complaint.words })
  }

  private func guess(_ path: String, _ key: String, _ siblings: [String]) -> String {
    if let near = nearestName(to: key.replacingDashes(), among: siblings) {
      return "; did you mean \(path.dropLast(key.count))\(near)?"
    }
    if let elsewhere = paths.first(where: { $0.hasSuffix("." + key) }) { return "; did you mean \(elsewhere)?" }
    return "; valid here: " + siblings.joined(separator: ", ")
  }
}

extension String {
  /// The one rule between flags and keys: kebab case there, snake case here.
  public func replacingDashes() -> String { String(map { $0 == "-" ? "_" : $0 }) }
}

/// One key of a configuration, as its table shows it.
public struct KeyRow: Sendable, Hashable {
  public let path: String
  public let kind: String
  public let unit: String
  /// The default, in words.
  public let fallback: String
  public let doc: String

  package init(path: String, kind: String, unit: String, fallback: String, doc: String) {
    self.path = path
    self.kind = kind
    self.unit = unit
    self.fallback = fallback
    self.doc = doc
  }

  /// A Markdown table of keys.
  public static func markdown(_ rows: [KeyRow]) -> String {
    func cell(_ text: String) -> String {
      var out = ""
      for character in text { out += character == "|" ? "\\|" : String(character) }
      return out
    }
    var lines = ["| key | value | unit | default | meaning |", "|---|---|---|---|---|"]
    for row in rows {
      let fallback = row.fallback.isEmpty || row.fallback == "required" ? row.fallback : "`\(row.fallback)`"
      lines.append("| `\(row.path)` | \(cell(row.kind)) | \(cell(row.unit)) | \(cell(fallback)) | \(cell(row.doc)) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
