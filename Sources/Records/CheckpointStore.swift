public import HoldfastBasics

/// The checkpoints of a run: each one complete or not there.
///
/// A checkpoint is written beside its place under a name that ends in `.partial`, synced, hashed, sealed with its
/// manifest and renamed; then it is read back and compared, and only then do older ones go. So a kill, a full disk or
/// a short write at any moment leaves the checkpoints that were complete before as they were.
public struct CheckpointStore: Sendable {
  /// A complete checkpoint.
  public struct Checkpoint: Sendable, Hashable {
    /// Steps that were done when it was saved.
    public let step: Int
    /// Its folder.
    public let path: String
  }

  /// Moments of a save, in order; a test fails each of them.
  package enum Moment: CaseIterable, Sendable { case written, synced, sealed, aside, renamed, verified, pruned }

  /// Holds the checkpoints, `step-000200` and so on; made at the first save.
  public let folder: String
  /// How many complete checkpoints stay.
  public let keep: Int

  public init(folder: String, keep: Int) {
    precondition(keep >= 1, "a run keeps at least one checkpoint")
    self.folder = folder
    self.keep = keep
  }

  /// Saves a checkpoint: `write` puts its files into the folder it is given.
  /// - Parameter best: a step whose checkpoint stays though `keep` newer ones are there.
  @discardableResult
  public func save(step: Int, keepingBest best: Int? = nil, _ write: (_ folder: String) throws -> Void) throws -> Checkpoint {
    try save(step: step, keepingBest: best, at: { _ in }, write)
  }

  @discardableResult
  package func save(
    step: Int, keepingBest best: Int? = nil, at moment: (Moment) throws -> Void, _ write: (_ folder: String) throws -> Void
  ) throws -> Checkpoint {
    let place = folder + "/" + Self.name(step)
    let beside = place + Self.partial
    let aside = place + Self.replaced
    try Files.makeFolder(folder)
    try clearLeftovers()
    do {
      try Files.makeFolder(beside)
      try write(beside)
      try moment(.written)
      try IntegrityManifest.sync(beside)
      try moment(.synced)
      try IntegrityManifest.seal(beside)
      try moment(.sealed)
    } catch {
      try? Files.remove(beside)  // on a full disk this frees what the failed save took
      throw error
    }
    // A folder cannot be renamed over another one that holds files: what stands there steps aside first.
    if Files.exists(place) { try Files.rename(place, to: aside) }
    try moment(.aside)
    try Files.rename(beside, to: place)
    try moment(.renamed)
    do {
      try IntegrityManifest.verify(place)
    } catch {
      try Files.remove(place)
      if Files.exists(aside) { try Files.rename(aside, to: place) }
      throw error
    }
    try moment(.verified)
    try Files.remove(aside)
    for old in try all().dropLast(keep) where old.step != step && old.step != best { try Files.remove(old.path) }
    try moment(.pruned)
    return Checkpoint(step: step, path: place)
  }

  /// Complete checkpoints by step, ascending; not verified. What was being written or replaced is not among them,
  /// unless a kill between two renames left only that.
  public func all() throws -> [Checkpoint] {
    guard Files.exists(folder) else { return [] }
    var found: [Int: Checkpoint] = [:]
    for name in try Files.list(folder) {
      let isReplaced = name.hasSuffix(Self.replaced)
      let bare = isReplaced ? String(name.dropLast(Self.replaced.count)) : name
      guard let step = Self.step(bare), IntegrityManifest.exists(in: folder + "/" + name) else { continue }
      if !isReplaced || found[step] == nil { found[step] = Checkpoint(step: step, path: folder + "/" + name) }
    }
    return found.values.sorted { $0.step < $1.step }
  }

  /// The newest checkpoint whose every bit is as written, and what is wrong with newer ones.
  public func newest() throws -> (checkpoint: Checkpoint?, damaged: [Problems]) {
    var damaged: [Problems] = []
    for checkpoint in try all().reversed() {
      do {
        try IntegrityManifest.verify(checkpoint.path)
        return (checkpoint, damaged)
      } catch let problems as Problems {
        damaged.append(problems)
      } catch let error as FileError {
        damaged.append(Problems(checkpoint.path, [error.description]))
      }
    }
    return (nil, damaged)
  }

  /// The checkpoint of a step, every bit as written.
  /// - Throws: `FileError` where there is none, `Problems` where it is damaged.
  public func checkpoint(step: Int) throws -> Checkpoint {
    guard let found = try all().first(where: { $0.step == step }) else {
      throw FileError(path: folder + "/" + Self.name(step), doing: "read the checkpoint", code: 0, reason: "it is not there")
    }
    try IntegrityManifest.verify(found.path)
    return found
  }

  /// Removes what killed saves left behind.
  private func clearLeftovers() throws {
    for name in try Files.list(folder) {
      if name.hasSuffix(Self.partial) { try Files.remove(folder + "/" + name) }
      guard name.hasSuffix(Self.replaced) else { continue }
      let place = folder + "/" + name.dropLast(Self.replaced.count)
      if Files.exists(place) {
        // The newcomer was never verified: it stays only if it is whole.
        if (try? IntegrityManifest.verify(place)) != nil {
          try Files.remove(folder + "/" + name)
          continue
        }
        try Files.remove(place)
      }
      try Files.rename(folder + "/" + name, to: place)
    }
  }

  private static let partial = ".partial"
  private static let replaced = ".replaced"

  /// `step-000200`
  static func name(_ step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  private static func step(_ name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), Self.name(step) == name else { return nil }
    return step
  }
}
