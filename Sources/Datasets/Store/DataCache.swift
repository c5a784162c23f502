internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Where tokenized sources are kept, so that the next start need not tokenize them again.
///
/// A cache file is found by a hash over everything that decides its contents: each file's path, size, time of change and
/// inode, the source's settings, the tokenizer and its template, and the program. It is written under another name and renamed when whole.
public struct DataCache: Sendable {
  public var folder: String
  /// Whatever turns rows into tokens besides the source's settings: tokenizer, template, program.
  public var identity: String
  /// Sources of fewer bytes are tokenized anew each time: that is as fast, and leaves nothing behind.
  public var smallest: Int
  /// Whether the sources are read and hashed again before a cache is believed, and the cache too.
  public var isStrict: Bool

  public init(folder: String, identity: String, smallest: Int = 8 << 20, isStrict: Bool = false) {
    self.folder = folder
    self.identity = identity
    self.smallest = smallest
    self.isStrict = isStrict
  }

  /// Of the file's form; another one is never read.
  static let format = 2

  /// A file as the file system knows it.
  struct Stamp: Sendable, Hashable {
    let path: String
    let size, seconds, nanoseconds, inode: Int

    init(_ path: String) throws(FileError) {
      var facts = stat()
      guard stat(path, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
      var room = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      self.path = realpath(path, &room) == nil ? path : String(decoding: room.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      size = Int(facts.st_size)
      inode = Int(facts.st_ino)
      #if canImport(Darwin)
      (seconds, nanoseconds) = (facts.st_mtimespec.tv_sec, facts.st_mtimespec.tv_nsec)
      #else
      (seconds, nanoseconds) = (facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec)
      #endif
    }
  }

  /// The cache file of a source, whether it is there or not.
  func path(_ stamps: [Stamp], settings: String) -> String {
    var hash = ContentHash()
    hash.update("\(Self.format)\n\(identity)\n\(settings)\n")
    for stamp in stamps { hash.update("\(stamp.path)\n\(stamp.size) \(stamp.seconds) \(stamp.nanoseconds) \(stamp.inode)\n") }
    return folder + "/" + hash.finish() + ".tokens"
  }

  /// What the cache knows of a source; nil where it knows nothing, or its file is not whole.
  ///
  /// - Throws: `Problems` where a strict look finds other contents.
  func open(_ path: String) throws -> (ExampleStore, SourceFacts)? {
    guard let file = try? MappedFile(path: path), let found = CacheFile(file) else { return nil }
    if isStrict {
      var problems = Problems("data cache")
      for source in found.facts.files where try ContentHash.of(file: source.path) != source.contentHash {
        problems.add("\(source.path) has other contents than when it was tokenized, though its size and time are the same; remove \(path)")
      }
      if !found.isSound { problems.add("\(path) was damaged; remove it") }
      try problems.check()
    }
    return (found.store, found.facts)
  }
}

/// A cache file: tokens; then the index (ends, starts of weights, lines, weights); then facts as JSON; then a footer of fixed size.
///
/// The footer holds the sizes and a hash over index and facts, which is checked at each opening, so that nothing points outside. The
/// tokens' own hash stands in the facts. Numbers are little-endian, as on every machine that Swift runs on.
struct CacheFile {
  static let magic = Array("holdfast tokens\n".utf8)
  static let footerBytes = 8 * 4 + 32 + 16

  let store: ExampleStore
  let facts: SourceFacts
  private let file: MappedFile
  private let tokensHash: String
  private let tokenBytes: Int

  /// nil where anything is not as it was written.
  init?(_ file: MappedFile) {
    let bytes = file.bytes
    guard bytes.count >= Self.footerBytes, let base = bytes.baseAddress else { return nil }
    let footer = bytes.count - Self.footerBytes
    func number(_ i: Int) -> Int { Int(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: footer + 8 * i, as: UInt64.self)) }
    let (tokenBytes, indexBytes, factBytes, count) = (number(0), number(1), number(2), number(3))
    guard bytes[(footer + 64)...].elementsEqual(Self.magic), [tokenBytes, indexBytes, factBytes, count].allSatisfy({ (0...footer).contains($0) }),
      tokenBytes % 8 == 0, tokenBytes + indexBytes + factBytes == footer, count <= footer / 12, indexBytes % 12 == 0, indexBytes >= count * 12
    else { return nil }
    let known = UnsafeRawBufferPointer(rebasing: bytes[tokenBytes..<footer])
    var hash = ContentHash()
    hash.update(known)
    guard bytes[(footer + 32)..<(footer + 64)].elementsEqual(Self.digest(hash.finish())) else { return nil }
    guard let json = try? JSON(Array(bytes[(tokenBytes + indexBytes)..<footer])), let facts = SourceFacts(cacheJSON: json["facts"] ?? .null),
      let trained = json["trained"]?.int, let runs = json["weight_runs"]?.int, indexBytes == 12 * (count + runs), let longest = json["longest"]?.int, let tokensHash = json["tokens_sha256"]?.string
    else { return nil }
    let ends = (base + tokenBytes).assumingMemoryBound(to: UInt64.self)
    let starts = (base + tokenBytes + count * 8).assumingMemoryBound(to: UInt64.self)
    let lines = (base + tokenBytes + (count + runs) * 8).assumingMemoryBound(to: UInt32.self)
    let values = (base + tokenBytes + runs * 8 + count * 12).assumingMemoryBound(to: Float.self)
    store = ExampleStore(
      count: count, trainedCount: trained, longest: longest, firsts: (json["firsts"]?.array ?? []).compactMap(\.int),
      tokens: base.assumingMemoryBound(to: UInt32.self), ends: ends, lines: lines,
      weights: WeightRuns(count: runs, starts: starts, values: values), owners: [file])
    guard count > 0, store.tokenCount * 4 <= tokenBytes else { return nil }
    self.facts = facts
    self.file = file
    self.tokensHash = tokensHash
    self.tokenBytes = tokenBytes
  }

  /// Whether the tokens are those that were written.
  var isSound: Bool {
    var hash = ContentHash()
    hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[..<tokenBytes]))
    return hash.finish() == tokensHash
  }

  /// 32 bytes of 64 digits.
  static func digest(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

/// Writes a cache file beside its place; it appears there when whole.
final class CacheWriter {
  private let path: String
  private let beside: String
  private let writer: FileWriter
  private var hash = ContentHash()
  private var tokenBytes = 0

  init(_ path: String) throws(FileError) {
    self.path = path
    beside = path + ".\(getpid()).partial"
    do {
      try Files.makeFolder(Files.folder(of: path))
      writer = try FileWriter(path: beside, replacing: true)
    } catch {
      throw FileError(path: path, doing: "keep tokens in", code: error.code, reason: error.reason + "; name another folder with `data_cache`, or say `data_cache: off`")
    }
  }

  deinit { try? Files.remove(beside) }  // nothing there once it was renamed

  func write(_ tokens: [UInt32]) throws(FileError) {
    let result: Result<Void, FileError> = tokens.withUnsafeBytes { bytes in
      hash.update(bytes)
      do throws(FileError) { return .success(try writer.write(bytes)) } catch { return .failure(error) }
    }
    try result.get()
    tokenBytes += 4 * tokens.count
  }

  func finish(
    _ facts: SourceFacts, trainedCount: Int, longest: Int, firsts: [Int], count: Int, weightRuns: Int, index: [UnsafeRawBufferPointer]
  ) throws -> ExampleStore {
    if tokenBytes % 8 != 0 { try write([0]) }
    let tail = JSON.object([
      "facts": facts.cacheJSON, "trained": .integer(trainedCount), "longest": .integer(longest), "firsts": .array(firsts.map { .integer($0) }),
      "weight_runs": .integer(weightRuns),
      "tokens_sha256": .string(hash.finish()),
    ])
    hash = ContentHash()
    var known = ContentHash(), indexBytes = 0
    for part in index {
      known.update(part)
      try writer.write(part)
      indexBytes += part.count
    }
    let text = Array(tail.text().utf8)
    text.withUnsafeBytes { known.update($0) }
    try text.withUnsafeBytes { try writer.write($0) }
    var footer: [UInt8] = []
    for number in [tokenBytes, indexBytes, text.count, count] {
      withUnsafeBytes(of: UInt64(number).littleEndian) { footer.append(contentsOf: $0) }
    }
    footer += CacheFile.digest(known.finish()) + CacheFile.magic
    try footer.withUnsafeBytes { try writer.write($0) }
    try writer.sync()
    try Files.rename(beside, to: path)
    guard let file = CacheFile(try MappedFile(path: path)) else {
      throw FileError(path: path, doing: "read back", code: 0, reason: "it is not what was written")
    }
    return file.store
  }
}

extension SourceFacts {
  /// What reading the files came to, as a cache keeps it; settings of the recipe are not part of it.
  var cacheJSON: JSON {
    [
      "format": format.map { .string($0.rawValue) } ?? .null, "sha256": .string(contentHash),
      "files": .array(files.map { ["path": .string($0.path), "bytes": .integer($0.bytes), "sha256": .string($0.contentHash)] }),
      "counts": .array([rows, examples, tokens, trainedTokens, truncated, dropped, skipped, longestExample, edgeTokens].map { .integer($0) }),
    ]
  }

  init?(cacheJSON json: JSON) {
    let counts = (json["counts"]?.array ?? []).compactMap(\.int)
    guard let hash = json["sha256"]?.string, counts.count == 9 else { return nil }
    self.init(path: "", format: json["format"]?.string.flatMap(DataFormat.init(rawValue:)), contentHash: hash)
    for file in json["files"]?.array ?? [] {
      guard let path = file["path"]?.string, let bytes = file["bytes"]?.int, let hash = file["sha256"]?.string else { return nil }
      files.append(SourceFile(path: path, bytes: bytes, contentHash: hash))
    }
    (rows, examples, tokens, trainedTokens) = (counts[0], counts[1], counts[2], counts[3])
    (truncated, dropped, skipped, longestExample) = (counts[4], counts[5], counts[6], counts[7])
    edgeTokens = counts[8]
  }
}
