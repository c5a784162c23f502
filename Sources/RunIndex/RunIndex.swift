internal import GRDB
internal import HoldfastBasics
internal import HoldfastRecords

/// What stands in the runs and studies below a folder, in an SQLite file beside them.
///
/// The folders are the truth and the file is only their index: what has changed is read again, what is gone is dropped, and a
/// file that is lost, damaged or of another version is made anew. Where it cannot be written it is made in memory.
public final class RunIndex {
  /// Of the file in the indexed folder.
  public static let name = ".index.sqlite"
  /// Goes up with the tables and with what is read into them; another version's file is made anew.
  private static let version = 1

  public let root: String
  /// Whether the index is kept for the next command.
  public private(set) var isKept = true
  private let lock: FolderLock
  private var queue: DatabaseQueue

  /// Opens the index of a folder and brings it up to date.
  /// - Parameter anew: whether what is there is thrown away first.
  public init(of root: String, anew: Bool = false, waiting seconds: Double = 5) throws {
    self.root = root
    lock = FolderLock(root)
    queue = try DatabaseQueue()
    do {
      guard !anew else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
      queue = try Self.open(root + "/" + Self.name)
      change = try refresh()
    } catch let error as DatabaseError {
      try recover(from: error, waiting: seconds)
    }
  }

  /// What the last refresh found.
  public struct Change: Sendable, Hashable {
    public var read = 0
    public var dropped = 0
    public var kept = 0
    /// Folders that look like runs and cannot be read, with the reason.
    public var broken: [String] = []

    public init(read: Int = 0, dropped: Int = 0, kept: Int = 0, broken: [String] = []) {
      self.read = read
      self.dropped = dropped
      self.kept = kept
      self.broken = broken
    }
  }

  public private(set) var change = Change()

  // MARK: - The file

  /// One file, no side files left behind by a kill: writes are rare and small, and whoever reads waits for them.
  private static func open(_ path: String) throws -> DatabaseQueue {
    var settings = Configuration()
    settings.busyMode = .timeout(20)
    // What a power cut spoils is made anew.
    settings.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    let queue = try DatabaseQueue(path: path, configuration: settings)
    try queue.write { database in
      let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      let isSound = try String.fetchOne(database, sql: "PRAGMA quick_check") == "ok"
      guard isSound, found == 0 || found == version else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
      if found == 0 { try makeTables(database) }
    }
    return queue
  }

  private static func makeTables(_ database: Database) throws {
    try database.execute(
      sql: """
        CREATE TABLE runs (
          path TEXT PRIMARY KEY, part TEXT, kind TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, model TEXT NOT NULL, method TEXT NOT NULL,
          seed INTEGER, learning_rate REAL, steps INTEGER, planned INTEGER, loss REAL, trained REAL, seconds REAL, device TEXT, libtorch TEXT,
          modified REAL NOT NULL, stamp TEXT NOT NULL);
        CREATE TABLE scores (
          path TEXT NOT NULL REFERENCES runs(path) ON DELETE CASCADE, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (path, name));
        CREATE INDEX scores_by_name ON scores(name, value);
        PRAGMA user_version = \(version);
        """)
  }

  /// A file that is no index of ours is made anew, unless somebody else is at it; one that cannot be written is left alone.
  private func recover(from error: DatabaseError, waiting seconds: Double) throws {
    switch error.resultCode.primaryResultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_FULL, .SQLITE_IOERR: break
    default:
      // Nothing has it open any more: SQLite must not find a journal of a file that is gone.
      queue = try DatabaseQueue()
      if lock.isAlone(within: seconds) {
        defer { lock.share() }
        for end in ["", "-journal", "-wal", "-shm"] { try Files.remove(root + "/" + Self.name + end) }
        do {
          queue = try Self.open(root + "/" + Self.name)
          change = try refresh()
          return
        } catch is DatabaseError {}
      }
    }
    isKept = false
    queue = try DatabaseQueue()
    try queue.write(Self.makeTables)
    change = try refresh()
  }

  // MARK: - Filling

  /// Reads what is new or has changed, and drops what is gone.
  private func refresh() throws -> Change {
    var change = Change()
    let found = try FolderReading.places(root)
    let known = try queue.read { database in
      try Row.fetchAll(database, sql: "SELECT path, stamp FROM runs").reduce(into: [String: String]()) { $0[$1["path"]] = $1["stamp"] }
    }
    var fresh: [(entry: Entry, stamp: String)] = [], broken: Set<String> = []
    for place in found {
      // The stamp comes first: what changes while it is read is read again the next time.
      let stamp = FolderReading.stamp(root, place)
      if known[place.path] == stamp {
        change.kept += 1
        continue
      }
      do {
        fresh.append((try FolderReading.entry(root, place), stamp))
        change.read += 1
      } catch {
        change.broken.append("\(place.path): \(Self.line(error))")
        broken.insert(place.path)
      }
    }
    let paths = Set(found.map(\.path)), gone = known.keys.filter { !paths.contains($0) || broken.contains($0) }
    change.dropped = gone.count
    if gone.isEmpty, fresh.isEmpty { return change }
    try queue.write { [fresh] database in
      for path in gone + fresh.map(\.entry.path) { try database.execute(sql: "DELETE FROM runs WHERE path = ?", arguments: [path]) }
      for (entry, stamp) in fresh { try Self.insert(entry, stamp, database) }
    }
    return change
  }

  /// An error in one line.
  private static func line(_ error: any Error) -> String {
    guard let problems = error as? Problems, let first = problems.complaints.first else { return "\(error)" }
    let others = problems.complaints.count - 1
    return "\(problems.subject): \(first)" + (others > 0 ? ", and \(others) more" : "")
  }

  private static func insert(_ entry: Entry, _ stamp: String, _ database: Database) throws {
    try database.execute(
      sql: "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      arguments: [
        entry.path, entry.part, entry.kind.rawValue, entry.state.rawValue, entry.reason, entry.model, entry.method, entry.seed, entry.learningRate,
        entry.steps, entry.planned, entry.loss, entry.trained, entry.seconds, entry.device, entry.libtorch, entry.modified, stamp,
      ])
    for (name, value) in entry.scores {
      try database.execute(sql: "INSERT INTO scores VALUES (?, ?, ?)", arguments: [entry.path, name, value])
    }
  }

  // MARK: - Asking

  /// Entries that fit, the newest first unless the query sorts otherwise; what lacks the sorted fact comes last.
  /// - Throws: `Problems` with every name that no run has.
  public func find(_ query: Query = Query()) throws -> [Entry] {
    let known = try scoreNames()
    var terms: [String] = [], arguments: [(any DatabaseValueConvertible)?] = [], problems = Problems("runs")
    func term(_ sql: String, _ values: any DatabaseValueConvertible...) {
      terms.append(sql)
      arguments += values
    }
    func field(_ name: String) -> Field? {
      do throws(Problems) { return try Field(name, scores: known) } catch {
        for words in error.complaints { problems.add(words) }
        return nil
      }
    }
    if !query.includesParts { terms.append("runs.part IS NULL") }
    if let method = query.method { term("instr(lower(runs.method), lower(?)) > 0", method) }
    if let model = query.model { term("instr(lower(runs.model), lower(?)) > 0", model) }
    if let kind = query.kind { term("runs.kind = ?", kind.rawValue) }
    if let state = query.state { term("runs.state = ?", state.rawValue) }
    if let since = query.since { term("runs.modified >= ?", since) }
    for condition in query.conditions {
      guard let field = field(condition.name) else { continue }
      if let name = field.argument { arguments.append(name) }
      if field.isText {
        term("\(field.sql) \(condition.comparison) ? COLLATE NOCASE", condition.value)
      } else if let number = Double(condition.value) {
        term("\(field.sql) \(condition.comparison) ?", number)
      } else {
        problems.add("\(condition.name) is compared with a number, which \"\(condition.value)\" is not")
      }
    }
    var order = "runs.modified DESC, runs.path"
    if let sort = query.sort, let field = field(sort) {
      if let name = field.argument { arguments += [name, name] }
      order = "\(field.sql) IS NULL, \(field.sql) \(query.isDescending ? "DESC" : "ASC"), " + order
    } else if query.sort == nil, query.isDescending {
      order = "runs.modified, runs.path"
    }
    try problems.check()
    var sql = "SELECT runs.* FROM runs" + (terms.isEmpty ? "" : " WHERE " + terms.joined(separator: " AND ")) + " ORDER BY \(order)"
    if let limit = query.limit { sql += " LIMIT \(limit)" }
    return try queue.read { [sql, arguments] database in
      try Row.fetchAll(database, sql: sql, arguments: StatementArguments(arguments)).map { try Self.entry($0, database) }
    }
  }

  private static func entry(_ row: Row, _ database: Database) throws -> Entry {
    let path: String = row["path"]
    var entry = Entry(
      path: path, part: row["part"], kind: Entry.Kind(rawValue: row["kind"]) ?? .run, state: Entry.State(rawValue: row["state"]) ?? .open, reason: row["reason"],
      model: row["model"], method: row["method"], seed: row["seed"], learningRate: row["learning_rate"], steps: row["steps"], planned: row["planned"],
      loss: row["loss"], trained: row["trained"], seconds: row["seconds"], device: row["device"], libtorch: row["libtorch"], modified: row["modified"])
    for score in try Row.fetchAll(database, sql: "SELECT name, value FROM scores WHERE path = ?", arguments: [path]) { entry.scores[score["name"]] = score["value"] }
    return entry
  }

  /// The run or study that a user means by its path, its folder's name or an unmistakable part of it.
  /// - Throws: `Problems` where none or several are meant.
  public func entry(named name: String) throws -> Entry {
    var everything = Query()
    everything.includesParts = true
    let all = try find(everything)
    var wanted = name
    while wanted.count > 1, wanted.hasSuffix("/") { wanted.removeLast() }
    if wanted.hasPrefix(root + "/") { wanted = String(wanted.dropFirst(root.count + 1)) }
    let tests: [(Entry) -> Bool] = [
      { $0.path == wanted }, { Files.name(of: $0.path) == wanted }, { $0.part == nil && $0.path.contains(wanted) }, { $0.path.contains(wanted) },
    ]
    for test in tests {
      let found = all.filter(test)
      if found.count == 1 { return found[0] }
      if found.count > 1 {
        let some = found.prefix(5).map(\.path).joined(separator: ", ")
        throw Problems(name, ["\(found.count) runs are meant: \(some)\(found.count > 5 ? ", …" : ""); name more of the path"])
      }
    }
    let near = nearestName(to: wanted, among: all.flatMap { [$0.path, Files.name(of: $0.path)] }).map { "; did you mean \($0)?" }
    throw Problems(name, ["no run or study of \(root) has that name" + (near ?? "; `holdfast runs` lists them")])
  }

  /// Names of scores that some run has.
  public func scoreNames() throws -> [String] {
    try queue.read { try String.fetchAll($0, sql: "SELECT DISTINCT name FROM scores ORDER BY name") }
  }
}
