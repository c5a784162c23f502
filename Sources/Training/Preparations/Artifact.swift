public import HoldfastBasics
public import HoldfastEngine
internal import HoldfastRecords

/// What a preparation or an earlier stage learned, on disk: tensors by name and facts. A tensor is read when it is asked for.
public final class Artifact {
  public let path: String
  public let facts: JSONObject
  /// SHA-256 of the tensors' file.
  public let sha256: String
  private let file: SafetensorsFile
  private let device: Device

  static let tensors = "tensors.safetensors"
  static let description = "artifact.json"

  /// Opens an artifact's folder, every bit as written.
  public init(_ path: String, device: Device = .cpu) throws {
    try IntegrityManifest.verify(path)
    self.path = path
    self.device = device
    file = try SafetensorsFile(path: path + "/" + Self.tensors)
    let manifest = try IntegrityManifest(in: path)
    sha256 = manifest.files.first { $0.path == Self.tensors }?.sha256 ?? ""
    let about = try MappedFile(path: path + "/" + Self.description).json()
    facts = about["facts"]?.object ?? JSONObject()
    self.about = about.object ?? JSONObject()
  }

  public var names: [String] { file.names.sorted() }
  public func shape(of name: String) -> [Int]? { file.entry(name)?.shape }

  /// On the run's device, with memory of its own.
  public func tensor(_ name: String) throws(EngineError) -> Tensor {
    guard let entry = file.entry(name) else { throw EngineError("\(path) holds no tensor \(name)") }
    return try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype).to(device)
  }

  /// What was written beside the facts: what a preparation depended on, or where a recorded stage began and ended.
  public let about: JSONObject

  /// Writes an artifact: whole in its place, or not there. One that is there already stays, since its address says what it
  /// holds, unless `replacing`.
  package static func write(to path: String, tensors: [String: Tensor], facts: JSONObject, about: JSONObject, replacing: Bool = false) throws {
    let beside = path + ".partial"
    try Files.remove(beside)
    try Files.makeFolder(beside)
    try Tensor.save(tensors, to: beside + "/" + Self.tensors)
    var json = about
    json["facts"] = .object(facts)
    try Files.writeAtomically(JSON.object(json).text(.pretty) + "\n", to: beside + "/" + description)
    try IntegrityManifest.seal(beside)
    if Files.exists(path), replacing || (try? IntegrityManifest.verify(path)) == nil { try Files.remove(path) }
    if Files.exists(path) { return try Files.remove(beside) }
    try Files.rename(beside, to: path)
  }
}

/// Half-done folds of a preparation, so that a kill costs minutes and not the pass.
package final class PartialStore {
  private let folder: String
  private let now: () -> Double
  private var saved: Double
  /// Seconds between two savings.
  static let interval = 120.0

  package init(_ folder: String, now: @escaping () -> Double) {
    self.folder = folder
    self.now = now
    saved = now()
  }

  var isDue: Bool { now() - saved >= Self.interval }

  func write(fold: Int, next: Int, _ sums: [String: Tensor]) throws {
    try Files.makeFolder(folder)
    var tensors = sums
    tensors["next"] = try Tensor([next])
    try Tensor.save(tensors, to: path(fold))
    saved = now()
  }

  func read(fold: Int, device: Device) throws -> (next: Int, sums: [String: Tensor])? {
    guard Files.exists(path(fold)) else { return nil }
    let file = try SafetensorsFile(path: path(fold))
    var sums: [String: Tensor] = [:]
    for (name, entry) in file.entries { sums[name] = try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype) }
    guard let next = try sums.removeValue(forKey: "next")?.ints().first else { return nil }
    return (next, try sums.mapValues { try $0.to(device) })
  }

  func remove() throws { try Files.remove(folder) }

  private func path(_ fold: Int) -> String { "\(folder)/fold-\(fold).safetensors" }
}
