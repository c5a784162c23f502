internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastRecords

/// The models of a run as they stood at its start and at the checkpoints that are there.
public struct CheckpointModels {
  /// Steps that were done: 0 and every checkpoint's, ascending.
  public let steps: [Int]
  /// Steps whose checkpoints the run has saved and pruned since.
  public let pruned: [Int]
  /// The step whose weights are the run's result: the best one where the recipe asks for it, else the last that is there.
  public let result: Int
  /// Of the model that the run began with; its tokenizer lies there.
  public let folder: ModelFolder
  private let recipe: Recipe
  private let checkpoints: CheckpointStore

  /// - Parameters:
  ///   - run: a run's folder.
  ///   - manifest: of that run.
  ///   - recipe: the manifest's.
  ///   - place: where the model lies that the run began with.
  /// - Throws: `Problems` where the run has kept no checkpoint, and with every file that is not what the run began with.
  public init(run: String, manifest: Manifest, recipe: Recipe, place: String) throws {
    self.recipe = recipe
    checkpoints = CheckpointStore(folder: RunFolder(run).checkpoints, keep: 1)
    let kept = try checkpoints.all().map(\.step)
    guard let last = kept.last else {
      throw Problems(run, ["no checkpoint is there; `checkpoint: {every: N, keep: M}` in a recipe says how many a run leaves"])
    }
    steps = [0] + kept
    pruned = stride(from: recipe.checkpoint.every, through: last, by: recipe.checkpoint.every).filter { !kept.contains($0) }
    let state = try MappedFile(path: checkpoints.checkpoint(step: last).path + "/" + RunState.facts).json()
    result = recipe.bestStep(state["stopping"].flatMap(StoppingState.init), state["watch"].flatMap(WatchState.init)) ?? last
    try Self.check(manifest, place: place, run: run)
    folder = try ModelFolder(place)
  }

  /// What lay beside the model's configuration may lie elsewhere now; the bytes are the same.
  private static func check(_ manifest: Manifest, place: String, run: String) throws {
    var problems = Problems(run)
    let start = manifest.model.first.map { Files.folder(of: $0.path) }
    for fact in manifest.model {
      let path = Files.folder(of: fact.path) == start ? place + "/" + Files.name(of: fact.path) : fact.path
      if !Files.exists(path) {
        problems.add("\(path) is not there, with which the run began")
      } else if try FileFact(of: path).sha256 != fact.sha256 {
        problems.add("\(path) is not what the run began with: its contents have changed since")
      }
    }
    try problems.check()
  }

  /// The model after so many steps, in f32. Weights of the model itself have the bits that an export of the checkpoint would
  /// have; what methods do at a run's very end (averages, resets) is in no checkpoint.
  ///
  /// - Throws: `Problems` where the checkpoint is damaged.
  public func model(at step: Int, device: Device = .cpu) throws -> Decoder {
    let start = try recipe.weights(in: folder)
    let state = step > 0 ? try SafetensorsFile(path: checkpoints.checkpoint(step: step).path + "/" + RunState.tensors) : nil
    func moved(_ source: any WeightSource) -> any WeightSource {
      state.map { CheckpointWeights(start: source, state: $0, stored: folder.storedType) } ?? source
    }
    let model = try Decoder(folder.configuration, weights: moved(start), subject: folder.path, dtype: .float32, device: device)
    if let weights = start as? AdaptedWeights { try recipe.attach(to: model, weights: moved(weights.adapter)) }
    return model
  }
}

/// A run's first weights, and in place of those that moved what a checkpoint holds.
private struct CheckpointWeights: WeightSource {
  let start: any WeightSource
  let state: SafetensorsFile
  /// Of the model's own weights, as an export keeps them; an adapter's stay in f32.
  let stored: DType

  var names: [String]? { start.names }
  func shape(of name: String) -> [Int]? { start.shape(of: name) }
  func tensor(_ name: String) throws -> Tensor { try moved(name) ?? start.tensor(name) }
  func tensor(_ name: String, shape: [Int]) throws -> Tensor { try moved(name) ?? start.tensor(name, shape: shape) }

  private func moved(_ name: String) throws -> Tensor? {
    guard let entry = state.entry("master." + name) else { return nil }
    let master = try Tensor(bytes: state.bytes(entry.name), shape: entry.shape, dtype: entry.dtype)
    return ParameterFacts(name: name, shape: []).adapterPart == nil ? try master.cast(stored) : master
  }
}
