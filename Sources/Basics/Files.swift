// Reading whole files and writing them so that nobody ever sees half of one.
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file's bytes, mapped read-only: nothing is copied, and the kernel may drop what is not in use.
///
/// `@unchecked Sendable` because the mapping is read-only and unmapped only when the last holder lets go.
public final class MappedFile: @unchecked Sendable {
  public let path: String
  /// Valid while this object lives: hold it in a variable, with `withExtendedLifetime` around the use.
  public let bytes: UnsafeRawBufferPointer

  public init(path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "read", code: errno) }
    defer { close(descriptor) }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw FileError(path: path, doing: "read", code: 0, reason: "not a plain file")
    }
    self.path = path
    let size = Int(facts.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw FileError(path: path, doing: "map", code: errno)
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  /// The file's text; throws when it is not UTF-8.
  public func text() throws(FileError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FileError(path: path, doing: "read", code: 0, reason: "not UTF-8 text")
    }
    return text
  }

  /// The file as one JSON value.
  public func json(limits: JSON.Limits = JSON.Limits()) throws -> JSON {
    do {
      return try JSON(bytes.bindMemory(to: UInt8.self), limits: limits)
    } catch {
      throw FileError(path: path, doing: "read", code: 0, reason: error.description)
    }
  }
}

/// A file being written in order, whose every failure is reported: a full disk too, which may show only at the end.
public struct FileWriter: ~Copyable {
  public let path: String
  private let descriptor: Int32

  /// Creates the file; an existing one is truncated when `replacing`, and an error otherwise.
  public init(path: String, replacing: Bool = false) throws(FileError) {
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (replacing ? O_TRUNC : O_EXCL)
    descriptor = open(path, flags, 0o644)
    self.path = path
    guard descriptor >= 0 else { throw FileError(path: path, doing: "create", code: errno) }
  }

  /// Opens an existing file at `length` bytes, cutting off what follows.
  public init(appendingTo path: String, at length: Int) throws(FileError) {
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    self.path = path
    guard descriptor >= 0 else { throw FileError(path: path, doing: "open", code: errno) }
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      let code = errno
      close(descriptor)
      throw FileError(path: path, doing: "cut", code: code)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
      #if canImport(Glibc)
      let count = Glibc.write(descriptor, start, min(rest.count, 1 << 30))
      #else
      let count = Darwin.write(descriptor, start, min(rest.count, 1 << 30))
      #endif
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError(path: path, doing: "write", code: errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  public func write(_ text: String) throws(FileError) {
    var text = text
    let result: Result<Void, FileError> = text.withUTF8 { utf8 in
      do throws(FileError) { return .success(try write(UnsafeRawBufferPointer(utf8))) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Returns once the bytes are on the disk.
  public func sync() throws(FileError) {
    guard fsync(descriptor) == 0 else { throw FileError(path: path, doing: "write", code: errno) }
  }
}

/// Small doings with files and folders that report what failed.
public enum Files {
  public static func exists(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0
  }

  public static func isFolder(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
  }

  /// Bytes of a file.
  public static func size(_ path: String) throws(FileError) -> Int {
    var facts = stat()
    guard stat(path, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    return Int(facts.st_size)
  }

  /// All bytes of a plain file, as they are now: for what another process may be writing or cutting, which must not be mapped.
  public static func read(_ path: String) throws(FileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "read", code: errno) }
    defer { close(descriptor) }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    guard facts.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, doing: "read", code: 0, reason: "not a plain file") }
    var bytes = [UInt8](repeating: 0, count: Int(facts.st_size)), done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        #if canImport(Glibc)
        return Glibc.read(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
        #else
        return Darwin.read(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
        #endif
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError(path: path, doing: "read", code: errno)
      }
      if count == 0 { break }
      done += count
    }
    return Array(bytes.prefix(done))
  }

  /// Seconds since 1970 when a file last changed.
  public static func modified(_ path: String) throws(FileError) -> Double {
    var facts = stat()
    guard stat(path, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    #if canImport(Glibc)
    return Double(facts.st_mtim.tv_sec) + Double(facts.st_mtim.tv_nsec) * 1e-9
    #else
    return Double(facts.st_mtimespec.tv_sec) + Double(facts.st_mtimespec.tv_nsec) * 1e-9
    #endif
  }

  /// Makes a folder and those above it; one that is there already is fine.
  public static func makeFolder(_ path: String) throws(FileError) {
    if isFolder(path) { return }
    let parent = folder(of: path)
    if parent != path, !exists(parent) { try makeFolder(parent) }
    if mkdir(path, 0o755) != 0, errno != EEXIST || !isFolder(path) {
      throw FileError(path: path, doing: "make the folder", code: errno)
    }
  }

  /// Names in a folder, sorted, without `.` and `..`.
  public static func list(_ path: String) throws(FileError) -> [String] {
    guard let folder = opendir(path) else { throw FileError(path: path, doing: "list", code: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a file, or a folder with all it holds; links are removed, not followed. Nothing there is fine.
  public static func remove(_ path: String) throws(FileError) {
    var facts = stat()
    guard lstat(path, &facts) == 0 else {
      if errno == ENOENT { return }
      throw FileError(path: path, doing: "remove", code: errno)
    }
    if facts.st_mode & S_IFMT == S_IFDIR {
      for name in try list(path) { try remove(path + "/" + name) }
      guard rmdir(path) == 0 else { throw FileError(path: path, doing: "remove", code: errno) }
    } else {
      guard unlink(path) == 0 else { throw FileError(path: path, doing: "remove", code: errno) }
    }
  }

  /// Renames and then syncs the folder that holds the new name, so that the rename survives a crash.
  public static func rename(_ from: String, to: String) throws(FileError) {
    #if canImport(Glibc)
    let result = Glibc.rename(from, to)
    #else
    let result = Darwin.rename(from, to)
    #endif
    guard result == 0 else { throw FileError(path: to, doing: "rename \(from) to", code: errno) }
    try syncFolder(folder(of: to))
  }

  /// Returns once a folder's list of names is on the disk.
  public static func syncFolder(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "sync", code: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileError(path: path, doing: "sync", code: errno) }
  }

  /// Writes a whole file beside its place, syncs it and renames it there: old or new, never half.
  public static func writeAtomically(_ text: String, to path: String) throws(FileError) {
    let beside = path + ".partial"
    do {
      let writer = try FileWriter(path: beside, replacing: true)
      try writer.write(text)
      try writer.sync()
    } catch {
      try? remove(beside)
      throw error
    }
    do { try rename(beside, to: path) } catch {
      try? remove(beside)
      throw error
    }
  }

  /// The folder part of a path; "." where there is none.
  public static func folder(of path: String) -> String {
    var trimmed = Substring(path)
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// The last part of a path.
  public static func name(of path: String) -> String {
    String(path.split(separator: "/").last ?? "")
  }
}
