public import HoldfastBasics

/// What is measured: tasks, each with its items and its score.
///
/// ```yaml
/// name: general
/// tasks:
///   - {kind: nll, file: stories.txt}
///   - {name: science, format: arc, file: arc/test.jsonl, limit: 300, seed: 1}
///   - {kind: generate, world: clinic, role: domain}
/// ```
public struct EvaluationSuite: Sendable {
  public let name: String
  /// In the order of the file; names are unique.
  public let tasks: [EvaluationTask]
  /// As read, defaults and formats written out.
  public let resolved: JSON

  /// SHA-256 over the tasks, files included.
  public var hash: String { ContentHash.of(tasks.map { "\($0.name) \($0.role.rawValue) \($0.weight) \($0.hash)\n" }.joined()) }

  /// Reads a suite and all of its items.
  ///
  /// - Parameter data: the folder at which relative paths begin; nil: the suite's own.
  /// - Throws: `Problems` with everything that is wrong: unknown keys, metrics, formats, missing files, bad rows, empty sets.
  public init(file path: String, data: String? = nil) throws {
    try self.init(KeySource(file: path), folder: data ?? Files.folder(of: path), name: Files.stem(path))
  }

  /// Reads a suite given as text; `subject` is what complaints begin with.
  public init(yaml text: String, subject: String = "suite", data: String = "") throws {
    try self.init(KeySource(yaml: text, subject: subject), folder: data, name: subject)
  }

  private init(_ source: KeySource, folder: String, name fallback: String) throws(Problems) {
    let place = SuitePlace(folder: folder)
    let (value, resolved) = try KeyReader.read(source.withFormats()) { Self.read($0, place: place, name: fallback) }
    name = value.name
    tasks = value.tasks
    self.resolved = .object(resolved)
  }

  private static func read(_ reader: KeyReader, place: SuitePlace, name fallback: String) -> (name: String, tasks: [EvaluationTask]) {
    let name = reader.value("name", default: fallback, defaultWords: "the file's name", doc: "What reports call the suite.")
    let tasks = reader.list("tasks", required: true) { EvaluationTask($0, place: place) }
    var seen: Set<String> = []
    for task in tasks where !seen.insert(task.name).inserted {
      reader.complain("tasks", "two are called \(task.name); give one of them another `name`")
    }
    return (name, tasks)
  }

  /// A Markdown table of the keys.
  public static var keyTable: String {
    KeyRow.markdown(KeyReader.document { _ = read($0, place: SuitePlace(folder: ""), name: "") })
  }

  /// Whether a task compares with a base model.
  public var needsBase: Bool { tasks.contains { $0.kind == .drift } }
}
