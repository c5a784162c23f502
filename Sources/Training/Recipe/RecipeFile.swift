internal import HoldfastBasics

/// Recipe files: YAML, or JSON where the name ends so.
enum RecipeFile {
  /// A recipe is a page; what is larger is something else.
  static let mostBytes = 1 << 18

  static func read(_ path: String) throws -> KeySource {
    let file = try MappedFile(path: path)
    let subject = Files.name(of: path)
    guard file.bytes.count <= mostBytes else {
      throw Problems(subject, ["\(file.bytes.count) bytes; a recipe has at most \(mostBytes)"])
    }
    let text = try file.text()
    if path.hasSuffix(".json") {
      guard case .object(let object) = try file.json(limits: .init(depth: 32)) else {
        throw Problems(subject, ["not an object with keys"])
      }
      return KeySource(subject: subject, object: object)
    }
    return try YAML.source(text, subject: subject)
  }
}

extension KeySource {
  /// Lets values from flags win over the file's.
  mutating func override(with pairs: [(key: String, value: String)]) throws(Problems) {
    var problems = Problems("command line")
    for (key, text) in pairs {
      let path = key.replacingDashes()
      do {
        overrides[path] = (try YAML.value(text, subject: key), text)
      } catch {
        problems.add(error.description)
      }
    }
    try problems.check()
  }
}
