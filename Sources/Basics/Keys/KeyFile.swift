extension KeySource {
  /// What people write by hand is a page or some; what is larger is something else.
  static let mostBytes = 1 << 18

  /// The keys of a recipe, suite or study: YAML, or JSON where the name ends so.
  ///
  /// - Throws: `FileError` for a file that cannot be read, `Problems` and `JSONError` for one that is no keys with values.
  public init(file path: String) throws {
    let file = try MappedFile(path: path)
    let subject = Files.name(of: path)
    guard path.hasSuffix(".json") else {
      try self.init(yaml: try file.text(), subject: subject)
      return
    }
    try Self.checkSize(file.bytes.count, subject)
    guard case .object(let object) = try file.json(limits: .init(depth: YAML.deepest)) else {
      throw Problems(subject, ["not an object with keys"])
    }
    self.init(subject: subject, object: object)
  }

  /// The keys of a text of YAML.
  public init(yaml text: String, subject: String) throws(Problems) {
    try Self.checkSize(text.utf8.count, subject)
    self = try YAML.source(text, subject: subject)
  }

  private static func checkSize(_ bytes: Int, _ subject: String) throws(Problems) {
    guard bytes <= mostBytes else { throw Problems(subject, ["\(bytes) bytes; a file of settings has at most \(mostBytes)"]) }
  }
}
