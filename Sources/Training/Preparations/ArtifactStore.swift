internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// Runs what methods must know beforehand, or finds it where an earlier run left it.
struct ArtifactStore {
  /// Holds a folder for each artifact.
  let folder: String
  let surroundings: Surroundings
  let observer: any RunObserver

  /// The artifact of a preparation. `mostMicrobatches`: stops there, for a trial.
  /// - Throws: `PreparationInterrupted` where the observer wants to stop; the pass goes on there another time.
  func artifact(
    _ prepared: PreparedPreparation, mostMicrobatches: Int? = nil, model: Decoder, recipe: Recipe, manifest: Manifest
  ) throws -> Artifact {
    let preparation = prepared.preparation
    let about = description(prepared, recipe: recipe, manifest: manifest)
    let key = ContentHash.of(JSON.object(about).text())
    let path = "\(folder)/\(preparation.name)-\(key.prefix(16))"
    if Files.exists(path) {
      if (try? IntegrityManifest.verify(path)) != nil {
        _ = try observer.observe(.prepared(method: prepared.method, name: preparation.name, path: path, isReused: true))
        return try Artifact(path, device: model.device)
      }
      try Files.remove(path)  // damaged: what it says can be made again
    }
    let partial = PartialStore(path + ".folds", now: surroundings.now)
    let pass = PreparationPass(
      model: model, plan: prepared.plan, limit: preparation.data.limit, most: mostMicrobatches,
      seed: CounterGenerator(seed: preparation.data.seed, "preparation", prepared.method, preparation.name).state,
      store: partial
    ) { done, total in
      let answer = try observer.observe(.preparing(method: prepared.method, name: preparation.name, done: done, of: total))
      if case .stop = answer { return false }
      return true
    }
    defer { try? Self.calm(model) }
    let tensors = try preparation.run(pass)
    var problems = Problems("\(prepared.method): \(preparation.name)")
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) where try tensor.dtype != .int64 && !Tensor.squaredNorm(of: [tensor]).isFinite {
      problems.add("\(name) holds an infinity or NaN; precision: f32 or other data are the usual cures")
    }
    try problems.check()
    try Artifact.write(to: path, tensors: tensors, facts: pass.facts, about: about)
    try partial.remove()
    _ = try observer.observe(.prepared(method: prepared.method, name: preparation.name, path: path, isReused: false))
    return try Artifact(path, device: model.device)
  }

  /// All that decides the result's bits.
  private func description(_ prepared: PreparedPreparation, recipe: Recipe, manifest: Manifest) -> JSONObject {
    let data = prepared.preparation.data
    var about: JSONObject = [
      "format": 1, "method": .string(prepared.method), "name": .string(prepared.preparation.name),
      "settings": .object(prepared.preparation.settings), "model": .array(manifest.model.map { .string($0.sha256) }),
      "data": .string(prepared.dataHash()), "rows": .integer(data.rows), "seed": .integer(Int(data.seed)),
      "precision": .string(recipe.precision.rawValue), "code": .string(manifest.code), "libtorch": .string(manifest.libtorch),
      "device": .string(manifest.device), "processor": .string(manifest.processor), "threads": .integer(manifest.threads),
    ]
    if recipe.initialize == .random { about["initialize"] = ["random": .integer(Int(recipe.seed))] }
    if let adapter = recipe.resolved["adapter"] { about["adapter"] = adapter }
    return about
  }

  /// The model as training begins with it: nobody asks for gradients, none are left.
  private static func calm(_ model: Decoder) throws {
    for parameter in model.parameters {
      _ = try parameter.value.takeGradient()
      try parameter.value.setRequiresGradient(false)
    }
  }
}

extension CounterGenerator {
  /// A seed of its own for a use that draws elsewhere.
  fileprivate var state: UInt64 {
    var copy = self
    return copy.next()
  }
}
