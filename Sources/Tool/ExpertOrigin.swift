import HoldfastBasics
import HoldfastModels
import HoldfastRecords

/// Whether an expert was tuned from the model that stands as its anti-expert. The difference of the two is what tuning did only then;
/// of any other pair it is noise of the size of a model.
enum ExpertOrigin {
  case child
  /// Its run, or those before it, began with these.
  case stranger([String])
  /// No run's manifest stands beside it.
  case unknown

  /// Follows manifests from run to run: a model tuned twice may be measured against either of its parents.
  init(of expert: String, from parent: String) throws {
    var folder = expert, starts: [String] = []
    while starts.count < 16, Files.name(of: folder) == "final" {
      let path = Files.folder(of: folder) + "/manifest.json"
      guard Files.exists(path) else { break }
      let manifest = try Manifest(file: path)
      if manifest.recipe["initialize"]?.string == "random" { break }
      // The model's own: an adapter that was gone on with is a start too, and no weights of the parent.
      let weights = manifest.model.filter { $0.path.hasSuffix(".safetensors") && Files.name(of: $0.path) != AdapterFolder.weightsFile }
      if try !weights.isEmpty && weights.allSatisfy({ try Self.holds(parent, $0) }) {
        self = .child
        return
      }
      guard let start = manifest.model.first.map({ Files.folder(of: $0.path) }) else { break }
      starts.append(start)
      folder = start
    }
    self = starts.isEmpty ? .unknown : .stranger(starts)
  }

  private static func holds(_ folder: String, _ fact: FileFact) throws -> Bool {
    let path = folder + "/" + Files.name(of: fact.path)
    guard Files.exists(path), try Files.size(path) == fact.bytes else { return false }
    return try ContentHash.of(file: path) == fact.sha256
  }
}
