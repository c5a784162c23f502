internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastModels
internal import HoldfastRecords

/// The models of a run as they stood at its start and at the checkpoints that are there.
public struct CheckpointModels {
  /// Steps that were done: 0 and every checkpoint's, ascending.
  public let steps: [Int]
  /// Of the model that the run began with; its tokenizer lies there.
  public let folder: ModelFolder
  private let recipe: Recipe
  private let checkpoints: CheckpointStore

  /// - Parameters:
  ///   - run: a run's folder.
  ///   - recipe: the run's, as its manifest has it.
  ///   - place: the model's folder, where the recipe names it in another way (`owner/name`).
  /// - Throws: `Problems` where the run has kept no checkpoint.
  public init(run: String, recipe: Recipe, place: String) throws {
    self.recipe = recipe
    folder = try ModelFolder(place)
    checkpoints = CheckpointStore(folder: RunFolder(run).checkpoints, keep: 1)
    let kept = try checkpoints.all().map(\.step)
    if kept.isEmpty { throw Problems(run, ["no checkpoint is there; `checkpoint: {every: N, keep: M}` in a recipe says how many a run leaves"]) }
    steps = [0] + kept
  }

  /// The model after so many steps, in f32. Weights of the model itself have the bits that an export of the checkpoint would
  /// have; what methods do at a run's very end (averages, resets) is in no checkpoint.
  ///
  /// - Throws: `Problems` where the checkpoint is damaged.
  public func model(at step: Int) throws -> Decoder {
    let start = try recipe.weights(in: folder)
    let state = step > 0 ? try SafetensorsFile(path: checkpoints.checkpoint(step: step).path + "/" + RunState.tensors) : nil
    func moved(_ source: any WeightSource) -> any WeightSource {
      state.map { CheckpointWeights(start: source, state: $0, stored: folder.storedType) } ?? source
    }
    let model = try Decoder(folder.configuration, weights: moved(start), subject: folder.path, dtype: .float32)
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
