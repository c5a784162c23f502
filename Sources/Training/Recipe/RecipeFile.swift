internal import HoldfastBasics

/// Recipe files: YAML, or JSON where the name ends so.
enum RecipeFile {
  /// A recipe is a page; what is larger is something else.
  static let mostBytes = 1 << 18

  static func read(_ path: String) throws -> KeySource {
    let file = try MappedFile(path: path)
    let subject = Files.name(of: path)
    if path.hasSuffix(".json") {
      try checkSize(file.bytes.count, subject)
      guard case .object(let object) = try file.json(limits: .init(depth: YAML.deepest)) else {
        throw Problems(subject, ["not an object with keys"])
      }
      return KeySource(subject: subject, object: object)
    }
    return try read(yaml: try file.text(), subject: subject)
  }

  static func read(yaml text: String, subject: String) throws(Problems) -> KeySource {
    try checkSize(text.utf8.count, subject)
    return try YAML.source(text, subject: subject)
  }

  private static func checkSize(_ bytes: Int, _ subject: String) throws(Problems) {
    guard bytes <= mostBytes else { throw Problems(subject, ["\(bytes) bytes; a recipe has at most \(mostBytes)"]) }
  }
}

extension KeySource {
  /// Lets values from flags win over the file's, and later ones over earlier ones.
  mutating func override(with pairs: [(key: String, value: String)]) throws(Problems) {
    var problems = Problems("command line")
    for (key, text) in pairs {
      let path = key.replacingDashes()
      // A whole value replaces what was given inside it; one length of the run replaces the other.
      for earlier in overrides.keys where earlier.hasPrefix(path + ".") || earlier.hasPrefix(path + "[") {
        overrides[earlier] = nil
      }
      for (this, other) in [("steps", "epochs"), ("epochs", "steps")]
      where path == this && !pairs.contains(where: { $0.key == other }) {
        overrides[other] = nil
      }
      do {
        overrides[path] = (try YAML.value(text, subject: key), text)
      } catch {
        problems.add(error.description)
      }
    }
    try problems.check()
  }
}
