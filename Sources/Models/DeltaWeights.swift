internal import HoldfastBasics
public import HoldfastEngine

/// A tuned model kept as the tensors that trained, laid over the base they belong to.
///
/// The file names its base by the fingerprint of all of the base's tensors, so it cannot be laid over another one.
public struct DeltaWeights: WeightSource {
  /// The file that makes a model folder a delta.
  public static let file = "delta.safetensors"
  /// Under which the file keeps its base's fingerprint.
  static let key = "base"

  private let base: FileWeights
  private let delta: SafetensorsFile

  /// - Throws: `Problems` with both fingerprints where the base is another, or with every tensor that the base does not have.
  public init(folder: String, base: FileWeights) throws {
    self.base = base
    delta = try SafetensorsFile(path: folder + "/" + Self.file)
    var problems = Problems(folder)
    let own = delta.metadata[Self.key] ?? "none", found = try base.fingerprint()
    if own != found {
      problems.add("belongs to a base with the fingerprint \(own); \(base.files.folder) has \(found)")
    }
    for (name, entry) in delta.entries.sorted(by: { $0.key < $1.key }) where base.shape(of: name) != entry.shape {
      problems.add("\(name) has the shape \(entry.shape); the base \(base.shape(of: name).map { "has \($0)" } ?? "does not have it")")
    }
    try problems.check()
  }

  /// Whether a folder holds a delta in the place of weights.
  public static func isDelta(_ folder: String) -> Bool {
    Files.exists(folder + "/" + file) && !Files.exists(folder + "/" + WeightFiles.single)
  }

  public var names: [String]? { base.names }
  public func shape(of name: String) -> [Int]? { base.shape(of: name) }
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = delta.entry(name) else { return try base.tensor(name) }
    return try Tensor(bytes: delta.bytes(name), shape: entry.shape, dtype: entry.dtype)
  }

  /// Writes the tensors that trained; the same tensors give the same bytes.
  package static func write(_ tensors: [String: Tensor], base: FileWeights, to folder: String) throws {
    try Tensor.save(tensors, to: folder + "/" + file, metadata: ["format": "pt", key: base.fingerprint()])
  }
}

extension FileWeights {
  /// SHA-256 over names, types, shapes and bytes of all tensors, in the order of their names; how they are spread over files does
  /// not matter.
  public func fingerprint() throws -> String {
    var hash = ContentHash()
    for name in files.names {
      guard let entry = files.entry(name) else { continue }
      hash.update("\(name) \(entry.dtype) \(entry.shape)\n")
      withExtendedLifetime(files) { hash.update(files.bytes(name)) }
    }
    return hash.finish()
  }
}
