internal import HoldfastBasics
internal import HoldfastDatasets
public import HoldfastEngine
internal import HoldfastModels

/// What a method may know and use when a stage begins.
public struct StageFacts {
  public let model: ModelFacts
  /// The recipe's seed.
  public let seed: UInt64
  /// Which stage of the recipe, from 0.
  public let stage: Int
  /// Optimizer steps of the stage.
  public let steps: Int
  /// The weights as the stage found them.
  public let pretrained: PretrainedWeights
  /// Names of the data's sources, in the order of the recipe.
  public internal(set) var sources: [String] = []
  /// Ids that the chat template prints itself; empty where there is none, and where a run is only planned.
  public package(set) var templateTokens: [Int] = []
  /// Folder of the model that the first of several stages begins with; nil where there is one stage only.
  public package(set) var origin: String?
  /// What is minimised.
  public internal(set) var objective = Recipe.Objective.sft
  /// The method's own results of its preparations, by their names.
  package var artifacts: [String: Artifact] = [:]
  /// What methods recorded in the stage before, by the method's name.
  package var records: [String: Artifact] = [:]
  /// SHA-256 of the files of the weights that the stage begins with.
  public package(set) var weightHashes: [String] = []
  /// Where the arithmetic runs.
  public package(set) var device = Device.cpu
  /// What the recipe says of the adapter that trains.
  var adapter: AdapterRecipe?
  /// Whether nothing is going to run: there are no artifacts, and no weights to read.
  public package(set) var isPlan = false

  public init(model: ModelFacts, seed: UInt64, stage: Int = 0, steps: Int, pretrained: PretrainedWeights = PretrainedWeights()) {
    self.model = model
    self.seed = seed
    self.stage = stage
    self.steps = steps
    self.pretrained = pretrained
  }

  /// With what a recipe says of the whole run.
  func of(_ recipe: Recipe) -> StageFacts {
    var result = self
    (result.objective, result.sources, result.adapter) = (recipe.objective, recipe.data.map(\.label), recipe.adapter)
    return result
  }

  /// What a preparation of the method found; nil where a run is only planned or checked.
  public func artifact(_ name: String) -> Artifact? { artifacts[name] }

  /// What a method recorded in the stage before; nil in a first stage, and where a run is only planned.
  public func record(of method: String) -> Artifact? { records[method] }
}

/// The weights before the run, read when first asked for and shared by every method that needs them.
public final class PretrainedWeights {
  private let read: (String) throws -> Tensor
  private var known: [String: Tensor] = [:]

  /// `read` gives a tensor of the model by its name, on the model's device.
  public init(_ read: @escaping (String) throws -> Tensor) { self.read = read }

  /// None: for what only looks at names and shapes, as a plan does.
  public convenience init() { self.init { name in throw EngineError("there are no weights to read \(name) from") } }

  /// The tensor in f32, or in bf16 where the file has bf16.
  public func tensor(_ name: String) throws(EngineError) -> Tensor {
    if let tensor = known[name] { return tensor }
    do {
      let tensor = try read(name), dtype = try tensor.dtype
      known[name] = dtype == .float32 || dtype == .bfloat16 || dtype == .float64 ? tensor : try tensor.cast(.float32)
      return known[name]!
    } catch let error as EngineError {
      throw error
    } catch {
      throw EngineError("cannot read \(name): \(error)")
    }
  }
}
