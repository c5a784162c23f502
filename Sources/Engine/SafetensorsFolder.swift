internal import HoldfastBasics

/// The weights of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
///
/// Everything that is wrong with a folder is said at once: shards that are missing or damaged, names that leave the
/// folder, tensors that are not where the index puts them, that the index does not know, or that stand in two shards.
public final class WeightFiles: Sendable {
  public let folder: String
  /// The files read, in the order of their names.
  public let files: [SafetensorsFile]
  /// All tensors, sorted by name.
  public let names: [String]
  private let place: [String: Int]

  public static let single = "model.safetensors"
  public static let index = "model.safetensors.index.json"

  public init(folder: String) throws {
    self.folder = folder
    if Files.exists(folder + "/" + Self.single) {
      files = [try SafetensorsFile(path: folder + "/" + Self.single)]
      place = files[0].entries.mapValues { _ in 0 }
    } else if Files.exists(folder + "/" + Self.index) {
      (files, place) = try Self.shards(of: folder)
    } else {
      throw SafetensorsError(file: folder, reason: "it holds neither \(Self.single) nor \(Self.index)", cure: Self.cure(for: folder))
    }
    names = place.keys.sorted()
  }

  public func entry(_ name: String) -> TensorEntry? { place[name].flatMap { files[$0].entries[name] } }

  /// The bytes of a tensor, valid as long as this object lives; an unknown name traps, as in `SafetensorsFile`.
  public func bytes(_ name: String) -> UnsafeRawBufferPointer {
    guard let file = place[name] else { preconditionFailure("\(folder) holds no tensor \(name)") }
    return files[file].bytes(name)
  }

  private static func shards(of folder: String) throws -> ([SafetensorsFile], [String: Int]) {
    let path = folder + "/" + Self.index
    var problems = Problems(path)
    let size = try Files.size(path)
    guard size <= SafetensorsHeader.longest else {
      throw SafetensorsError(file: path, reason: "it has \(size) bytes; an index has at most \(SafetensorsHeader.longest)")
    }
    let index = try MappedFile(path: path).json(limits: .init(depth: 8, elements: SafetensorsHeader.mostEntries + 1000))
    guard let map = index["weight_map"]?.object else {
      throw SafetensorsError(file: path, reason: "it has no weight_map that says which tensor is in which file")
    }

    var wanted: [String: Set<String>] = [:]
    for (tensor, shard) in map.members {
      guard let shard = shard.string else {
        problems.add("weight_map gives no file name for \(quoted(tensor))")
        continue
      }
      wanted[shard, default: []].insert(tensor)
    }
    var files: [SafetensorsFile] = []
    var place: [String: Int] = [:]
    for (shard, tensors) in wanted.sorted(by: { $0.key < $1.key }) {
      // A plain name only: an index from elsewhere must not point at other files of this machine.
      guard !shard.isEmpty, !shard.utf8.contains(UInt8(ascii: "/")), !shard.utf8.contains(0), shard != ".", shard != ".." else {
        problems.add("\(quoted(shard)) is not the name of a file in the folder")
        continue
      }
      do {
        let file = try SafetensorsFile(path: folder + "/" + shard)
        let found = Set(file.names)
        problems.add(tensors.subtracting(found), "listed for \(shard) but not in it")
        problems.add(found.subtracting(tensors).filter { map[$0] == nil }, "in \(shard) but not in the index")
        problems.add(found.subtracting(tensors).filter { map[$0] != nil }, "in \(shard) though the index puts it elsewhere")
        for tensor in tensors { place[tensor] = files.count }
        files.append(file)
      } catch {
        problems.add(error.description)
      }
    }
    if place.isEmpty && problems.isEmpty { problems.add("weight_map is empty") }
    try problems.check()
    return (files, place)
  }

  private static func cure(for folder: String) -> String {
    let names = (try? Files.list(folder)) ?? []
    if names.contains("delta.safetensors") {
      return "it holds a delta, only what was trained; join it with its base: holdfast blend --base BASE --tuned \(folder) --alpha 1 --output NEW"
    }
    if let pickle = names.first(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }) {
      return "\(pickle) is a pickle, which can run code and is never read here; save the model again with safe_serialization=True"
    }
    return Files.isFolder(folder) ? "fetch the weights into it" : "there is no such folder"
  }
}

extension Problems {
  /// Names that share a complaint, in one line.
  fileprivate mutating func add(_ names: some Collection<String>, _ what: String) {
    if names.isEmpty { return }
    let shown = names.sorted().prefix(200).map { quoted($0) }.joined(separator: ", ")
    add("\(what): \(shown)" + (names.count > 200 ? " and \(names.count - 200) more" : ""))
  }
}
