internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The SHA-256 of every file in a folder, in a file of its own that is written last: where it stands, the folder is
/// complete, and every later change of a bit is found.
public struct IntegrityManifest: Sendable, Hashable {
  /// Name of the file inside the folder.
  public static let name = "integrity.json"

  /// Path within the folder, ascending.
  public let files: [FileFact]

  /// Hashes every file of a folder and of those below.
  public init(hashing folder: String) throws {
    let (names, odd) = try Self.contents(of: folder)
    var problems = Problems(folder)
    for name in odd { problems.add("\(name) is no plain file; links and devices are not kept") }
    try problems.check()
    files = try names.map { name in
      let path = folder + "/" + name
      return FileFact(path: name, bytes: try Files.size(path), sha256: try ContentHash.of(file: path))
    }
  }

  /// Hashes a folder and writes the manifest into it; returns once that is on the disk.
  @discardableResult
  public static func seal(_ folder: String) throws -> IntegrityManifest {
    let manifest = try IntegrityManifest(hashing: folder)
    let writer = try FileWriter(path: folder + "/" + name, replacing: true)
    try writer.write(manifest.text)
    try writer.sync()
    try Files.syncFolder(folder)
    return manifest
  }

  /// Whether a folder carries a manifest, that is, was once complete.
  public static func exists(in folder: String) -> Bool { Files.exists(folder + "/" + name) }

  /// Reads the manifest of a folder.
  public init(in folder: String) throws {
    let path = folder + "/" + Self.name
    let text = try MappedFile(path: path).text()
    let damaged = Problems(path, ["the manifest itself is damaged"])
    guard let json = try? JSON(text: text), let listed = json["files"]?.array else { throw damaged }
    var reader = FactReader(["files": .array(listed)], subject: path)
    files = reader.list("files") { FileFact(&$0) }
    // The text must be what these facts give, its own hash included: so a changed bit in the manifest shows too.
    guard reader.problems.isEmpty, self.text == text else { throw damaged }
  }

  /// Compares a folder with its manifest. Throws one complaint for each file that is missing, changed or unexpected.
  public static func verify(_ folder: String) throws {
    guard exists(in: folder) else {
      throw Problems(folder, ["\(name) is missing: the folder was never complete, or is not one of ours"])
    }
    let manifest = try IntegrityManifest(in: folder)
    let (found, odd) = try contents(of: folder)
    let present = Set(found)
    var problems = Problems(folder)
    for file in manifest.files {
      guard present.contains(file.path) else {
        problems.add("\(file.path) is missing")
        continue
      }
      let path = folder + "/" + file.path
      let size = try Files.size(path)
      if size != file.bytes {
        problems.add("\(file.path) has \(size) bytes instead of \(file.bytes)")
      } else if try ContentHash.of(file: path) != file.sha256 {
        problems.add("\(file.path) has changed since it was written")
      }
    }
    let known = Set(manifest.files.map(\.path))
    for name in (found + odd).sorted() where !known.contains(name) { problems.add("\(name) does not belong here") }
    try problems.check()
  }

  private var text: String {
    let body = JSON.array(files.map(\.json))
    return (["files": body, "sha256": .string(ContentHash.of(body.text()))] as JSON).text(.pretty) + "\n"
  }

  /// Plain files below a folder, the manifest aside, and whatever else is there; links are not followed.
  private static func contents(of folder: String, below prefix: String = "") throws(FileError) -> (files: [String], odd: [String]) {
    var files: [String] = [], odd: [String] = []
    for name in try Files.list(folder + "/" + prefix) where prefix + name != Self.name {
      var facts = stat()
      let path = folder + "/" + prefix + name
      guard lstat(path, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
      switch facts.st_mode & S_IFMT {
      case S_IFREG: files.append(prefix + name)
      case S_IFDIR:
        let inside = try contents(of: folder, below: prefix + name + "/")
        files += inside.files
        odd += inside.odd
      default: odd.append(prefix + name)
      }
    }
    return (files.sorted(), odd.sorted())
  }

  /// Syncs every file below a folder, and the folders.
  static func sync(_ folder: String) throws(FileError) {
    for name in try contents(of: folder).files {
      try Files.syncFile(folder + "/" + name)
      if name.contains("/") { try Files.syncFolder(Files.folder(of: folder + "/" + name)) }
    }
    try Files.syncFolder(folder)
  }
}

extension Files {
  /// Returns once a file's bytes are on the disk, whoever wrote them.
  fileprivate static func syncFile(_ path: String) throws(FileError) {
    try syncFolder(path)  // fsync of a descriptor: the same call for files and folders
  }
}
