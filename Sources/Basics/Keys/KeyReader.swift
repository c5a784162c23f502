// Declaring a key and reading it are one call, so a key can be neither documented and unread nor read and
// undocumented; what was read is also what is written back. The recipe and every method read through this.

/// What a configuration holds, before anybody has asked what it means.
public struct KeySource: Sendable {
  /// What complaints begin with, such as the file's name.
  public var subject: String
  public var object: JSONObject
  /// Line of a key's value in the file, by path (`batch.rows`, `data[0].path`).
  public var lines: [String: Int]
  /// Values that win over the file's, by path, with the text they were written as.
  public var overrides: [String: (value: JSON, text: String)]

  public init(
    subject: String, object: JSONObject, lines: [String: Int] = [:],
    overrides: [String: (value: JSON, text: String)] = [:]
  ) {
    self.subject = subject
    self.object = object
    self.lines = lines
    self.overrides = overrides
  }
}

/// Reads the members of one object of a configuration.
///
/// Nothing here throws: a complaint is kept, a placeholder returned, and reading goes on, so that the user
/// learns of everything at once. `KeyReader.read` throws the complaints at the end.
public final class KeyReader {
  /// Where this object stands; empty at the top.
  public let path: String
  private let object: JSONObject
  private let log: KeyLog
  private var declared: [String] = []
  /// Why keys declared now may not stand here; nil where they may.
  private var closed: String?
  /// What was read, defaults included.
  public private(set) var resolved = JSONObject()

  init(_ object: JSONObject, path: String, log: KeyLog) {
    self.object = object
    self.path = path
    self.log = log
  }

  /// Reads a whole configuration. Throws every complaint about it at once.
  public static func read<T>(_ source: KeySource, _ body: (KeyReader) -> T) throws(Problems) -> (T, resolved: JSONObject) {
    let read = attempt(source, body)
    try read.problems.check()
    return (read.value, read.resolved)
  }

  /// Reads a whole configuration, with placeholders where it is wrong, for whoever has more to complain of than keys.
  public static func attempt<T>(_ source: KeySource, _ body: (KeyReader) -> T) -> (value: T, resolved: JSONObject, problems: Problems) {
    let log = KeyLog(source: source)
    let reader = KeyReader(source.object, path: "", log: log)
    let value = body(reader)
    reader.finish()
    return (value, reader.resolved, log.problems())
  }

  /// The keys that a body reads, in its order, for a table.
  public static func document<T>(at path: String = "", _ body: (KeyReader) -> T) -> [KeyRow] {
    let log = KeyLog(source: nil)
    _ = body(KeyReader(JSONObject(), path: path, log: log))
    return log.rows
  }

  /// Only the keys are wanted, not their values: branches that depend on a value are to be walked all.
  public var isDocumenting: Bool { log.isDocumenting }

  // MARK: Values

  /// A key that may be left out.
  public func value<T: KeyValue>(
    _ key: String, default fallback: T, unit: String? = nil, defaultWords: String? = nil, doc: String
  ) -> T {
    declare(key, T.kindOfValue, unit, defaultWords ?? keyText(fallback), doc)
    return read(key, valid: { _ in true }, words: T.kindOfValue, fallback: fallback) ?? fallback
  }

  /// A key that may be left out, within bounds such as `0...1`, `1...` or `Above(0)`.
  public func value<T: KeyValue, B: KeyBounds<T>>(
    _ key: String, default fallback: T, in bounds: B, unit: String? = nil, defaultWords: String? = nil, doc: String
  ) -> T {
    let words = "\(T.kindOfValue) \(bounds.words)"
    declare(key, words, unit, defaultWords ?? keyText(fallback), doc)
    return read(key, valid: bounds.contains, words: words, fallback: fallback) ?? fallback
  }

  /// A key that may be left out and then means nothing, or what `otherwise` says.
  public func optional<T: KeyValue>(
    _ key: String, as type: T.Type = T.self, otherwise: String = "", unit: String? = nil, doc: String
  ) -> T? {
    declare(key, T.kindOfValue, unit, otherwise, doc)
    return read(key, valid: { _ in true }, words: T.kindOfValue, fallback: nil)
  }

  public func optional<T: KeyValue, B: KeyBounds<T>>(
    _ key: String, in bounds: B, otherwise: String = "", unit: String? = nil, doc: String
  ) -> T? {
    let words = "\(T.kindOfValue) \(bounds.words)"
    declare(key, words, unit, otherwise, doc)
    return read(key, valid: bounds.contains, words: words, fallback: nil)
  }

  /// A key that must stand there.
  public func required<T: KeyValue>(_ key: String, as type: T.Type = T.self, unit: String? = nil, doc: String) -> T {
    declare(key, T.kindOfValue, unit, "required", doc)
    return read(key, valid: { _ in true }, words: T.kindOfValue, fallback: nil) ?? missing(key, T.kindOfValue)
  }

  public func required<T: KeyValue, B: KeyBounds<T>>(_ key: String, in bounds: B, unit: String? = nil, doc: String) -> T {
    let words = "\(T.kindOfValue) \(bounds.words)"
    declare(key, words, unit, "required", doc)
    return read(key, valid: bounds.contains, words: words, fallback: nil) ?? missing(key, words)
  }

  /// A value of a shape that only the caller knows; the caller says what it came to with `resolve`.
  public func json(_ key: String, kind: String, otherwise: String, doc: String) -> JSON? {
    declare(key, kind, nil, otherwise, doc)
    return lookup(key)
  }

  public func resolve(_ key: String, as value: JSON?) { resolved[key] = value }

  // MARK: Objects and lists

  /// An object with keys of its own. Absent, it is read as an empty one, so that its defaults hold. With a
  /// `shorthand`, a plain value stands for the object with only that key.
  public func section<T>(_ key: String, shorthand: String? = nil, _ body: (KeyReader) -> T) -> T {
    declared.append(key)
    let child = child(key, of: lookup(key), shorthand: shorthand)
    return read(key, child, body)
  }

  /// An object that may be left out; nil then.
  public func optionalSection<T>(_ key: String, shorthand: String? = nil, _ body: (KeyReader) -> T) -> T? {
    declared.append(key)
    let found = lookup(key)
    guard found != nil || isDocumenting || log.hasOverride(below: full(key)) else { return nil }
    return read(key, child(key, of: found, shorthand: shorthand), body)
  }

  /// A list of objects; one alone may stand without brackets.
  public func list<T>(
    _ key: String, shorthand: String? = nil, required isRequired: Bool = false, _ body: (KeyReader) -> T
  ) -> [T] {
    declared.append(key)
    if isDocumenting { return [body(KeyReader(JSONObject(), path: full(key) + "[]", log: log))] }
    let elements: [JSON]
    switch lookup(key) {
    case nil: elements = []
    case .array(let values): elements = values
    case let value?: elements = [value]
    }
    if elements.isEmpty, isRequired {
      complain(key, "is required: at least one")
    }
    var values: [T] = []
    var written: [JSON] = []
    for (index, element) in elements.enumerated() {
      let child = child("\(key)[\(index)]", of: element, shorthand: shorthand)
      values.append(body(child))
      child.finish()
      written.append(.object(child.resolved))
    }
    if !elements.isEmpty { resolved[key] = .array(written) }
    return values
  }

  /// A reader of an object found by other means, such as a method's knobs.
  public func nested<T>(_ object: JSONObject, at key: String, _ body: (KeyReader) -> T) -> (T, resolved: JSONObject) {
    let child = KeyReader(object, path: full(key), log: log)
    let value = body(child)
    child.finish()
    return (value, child.resolved)
  }

  /// Keys that are read only where `condition` holds; elsewhere their presence is a complaint that ends in `reason`.
  public func when<T>(_ condition: Bool, _ reason: String, _ body: (KeyReader) -> T) -> T {
    let before = closed
    if !condition, !isDocumenting { closed = reason }
    defer { closed = before }
    return body(self)
  }

  // MARK: Questions and complaints

  /// Whether the key was written, in the file or as an override.
  public func has(_ key: String) -> Bool { log.override(full(key)) != nil || object[key].map { $0 != .null } ?? false }

  /// Whether an override gave the key.
  public func isOverridden(_ key: String) -> Bool { log.override(full(key)) != nil }

  /// Keeps a complaint about a key, or about this object as a whole.
  public func complain(_ key: String? = nil, _ words: String) {
    let path = key.map(full) ?? self.path
    log.complain(path, path.isEmpty ? words : "\(path): \(words)")
  }

  // MARK: Inside

  private func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func declare(_ key: String, _ kind: String, _ unit: String?, _ fallback: String, _ doc: String) {
    declared.append(key)
    if isDocumenting {
      log.rows.append(KeyRow(path: full(key), kind: kind, unit: unit ?? "", fallback: fallback, doc: doc))
    }
  }

  private func lookup(_ key: String) -> JSON? {
    let found = log.takeOverride(full(key)) ?? object[key]
    guard let found, found != .null else { return nil }
    if let closed {
      complain(key, closed)
      return nil
    }
    return found
  }

  private func read<T: KeyValue>(_ key: String, valid: (T) -> Bool, words: String, fallback: T?) -> T? {
    guard var found = lookup(key) else {
      if let fallback, closed == nil { resolved[key] = fallback.json }
      return fallback
    }
    // On a command line everything is text: `--output 7` names a folder.
    if T.self == String.self, let text = log.override(full(key))?.text, found.string == nil { found = .string(text) }
    guard let value = T(key: found), valid(value) else {
      let cure = T.self == String.self ? " (put it in quotation marks)" : ""
      complain(key, "\(keyText(found).prefix(80)) is not valid; \(words) is\(cure)" + nearest(found, T.self))
      return fallback ?? T.placeholder
    }
    resolved[key] = value.json
    return value
  }

  private func nearest<T: KeyValue>(_ found: JSON, _ type: T.Type) -> String {
    guard let choice = type as? any KeyChoice.Type, let word = found.string else { return "" }
    return nearestName(to: word, among: choice.words).map { "; did you mean \($0)?" } ?? ""
  }

  private func missing<T: KeyValue>(_ key: String, _ words: String) -> T {
    if closed == nil, !log.complainedAbout(full(key)) { complain(key, "is required: \(words)") }
    return T.placeholder
  }

  private func child(_ key: String, of value: JSON?, shorthand: String?) -> KeyReader {
    var object = JSONObject()
    switch value {
    case nil: break
    case .object(let found): object = found
    case let found?:
      if let shorthand {
        object[shorthand] = found
      } else {
        complain(key, "\(keyText(found).prefix(80)) is not valid; keys with values are")
      }
    }
    return KeyReader(object, path: full(key), log: log)
  }

  private func read<T>(_ key: String, _ child: KeyReader, _ body: (KeyReader) -> T) -> T {
    let value = body(child)
    child.finish()
    if closed == nil { resolved[key] = .object(child.resolved) }
    return value
  }

  /// Everything that nobody read is a complaint.
  private func finish() {
    for key in object.keys where !declared.contains(key) { log.unread.append((full(key), key, declared)) }
    for key in declared { log.paths.append(full(key)) }
  }
}

extension KeyChoice {
  fileprivate static var words: [String] { allCases.map(\.rawValue) }
}
