internal import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastEngine
public import HoldfastModels
internal import HoldfastRecords
internal import HoldfastTokenizers

/// A recipe with everything it names read and checked, before any tensor is made: what is wrong shows here.
public struct PreparedRun: Sendable {
  public let recipe: Recipe
  public let folder: ModelFolder
  public let tokenizerFiles: [String]
  public let data: DataPlan
  /// Held-out text whose loss is measured; nil where the recipe names none.
  public let heldOut: DataPlan?
  public let steps: Int
  let methods: [any TuningMethod.Type]
  let preparations: [PreparedPreparation]

  /// - Parameters:
  ///   - methods: all methods there are.
  ///   - place: the model's folder, where the recipe names it in another way (`owner/name`).
  ///   - workers: threads that read data; the result does not depend on how many.
  ///   - cache: where large sources are kept tokenized, unless the recipe says; nil: nowhere.
  ///   - messages: prints conversations with the chat template of the model in a folder; nil where it has none.
  public init(
    _ recipe: Recipe, methods: [any TuningMethod.Type], place: String? = nil, workers: Int = 1, cache: DataCachePlace? = nil,
    messages: (String) throws -> (any MessageRenderer)?
  ) throws {
    self.recipe = recipe
    self.methods = methods
    let place = place ?? recipe.model
    folder = try ModelFolder(place)
    let tokenizer = try Tokenizer(folder: place)
    tokenizerFiles = tokenizer.files
    if tokenizer.vocabularySize > folder.configuration.vocabularySize {
      throw Problems(recipe.model, [
        "the tokenizer knows \(tokenizer.vocabularySize) ids but the model only \(folder.configuration.vocabularySize); is it another model's tokenizer?"
      ])
    }
    let renderer = ExampleRenderer(encoder: tokenizer, messages: try messages(place))
    let packing: Packing = recipe.packing ? recipe.objective == .pretraining ? .wrapped : .bestFit : .none
    // Before any data is read: what is wrong with the methods, and what they must know.
    let wanted = try Self.preparations(recipe, folder.configuration, methods)
    let kept = try cache.flatMap { try DataCache($0, recipe: recipe, tokenizer: tokenizer) }
    let dataset = try Dataset(
      reading: recipe.data, with: renderer, rowLength: packing == .wrapped ? nil : recipe.sequenceLength, tooLong: recipe.tooLong,
      badRows: recipe.badRows, workers: workers, cache: kept)
    data = try DataPlan(
      dataset,
      .init(
        seed: recipe.seed, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows,
        accumulate: recipe.batch.accumulate))
    heldOut = try recipe.evaluate.map { evaluate in
      let dataset = try Dataset(
        reading: evaluate.data, with: renderer, rowLength: packing == .wrapped ? nil : recipe.sequenceLength, tooLong: .truncate,
        badRows: recipe.badRows, workers: workers, cache: kept)
      return try DataPlan(
        dataset, .init(seed: 0, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows, shuffle: false))
    }
    preparations = try wanted.map { method, preparation in
      let wants = preparation.data
      let dataset = try Dataset(
        reading: wants.sources, with: renderer, rowLength: wants.packing == .wrapped ? nil : wants.sequenceLength, tooLong: .truncate,
        badRows: recipe.badRows, workers: workers, cache: kept)
      return PreparedPreparation(
        method: method, preparation: preparation,
        plan: try DataPlan(dataset, .init(seed: wants.seed, sequenceLength: wants.sequenceLength, packing: wants.packing, rows: wants.rows)))
    }
    steps =
      switch recipe.duration {
      case .steps(let steps): steps
      case .epochs(let epochs): data.steps(forEpochs: epochs)
      }
  }

  /// What the methods of a recipe must know beforehand, each with the name of its method.
  /// - Throws: `Problems` with everything that is wrong with the methods on this model.
  static func preparations(
    _ recipe: Recipe, _ configuration: ModelConfiguration, _ methods: [any TuningMethod.Type]
  ) throws -> [(method: String, preparation: Preparation)] {
    let model = ModelFacts(configuration: configuration, parameters: try configuration.parameters())
    var steps = 1
    if case .steps(let count) = recipe.duration { steps = count }
    var stage = StageFacts(model: model, seed: recipe.seed, steps: steps)
    stage.isPlan = true
    let stack = try MethodStack(recipe.methods, catalog: methods, stage: stage)
    let facts = PreparationFacts(model: model, recipe: recipe, trained: stack.everSelected(of: model.parameters.map(\.name), steps: steps))
    var problems = Problems("method"), result: [(method: String, preparation: Preparation)] = []
    for entry in recipe.methods {
      guard let type = methods.first(where: { $0.name == entry.name }) else { continue }
      do throws(Problems) {
        result += try type.make(entry).preparations(facts).map { (entry.name, $0) }
      } catch {
        for complaint in error.complaints { problems.add("\(entry.name): \(complaint)") }
      }
    }
    try problems.check()
    return result
  }

  /// Files of the model that decide the run: configuration, tokenizer and, unless drawn from the seed, weights.
  func modelFacts() throws -> [FileFact] {
    var paths = [folder.path + "/config.json"] + tokenizerFiles
    if recipe.initialize == .pretrained { paths += try WeightFiles(folder: folder.path).files.map(\.path) }
    return try paths.map { try FileFact(of: $0) }
  }

  func dataFacts() -> [FileFact] {
    (data.dataset.sources + (heldOut?.dataset.sources ?? []) + preparations.flatMap(\.plan.dataset.sources)).flatMap(\.files).map {
      FileFact(path: $0.path, bytes: $0.bytes, sha256: $0.contentHash)
    }
  }

  func weights() throws -> any WeightSource {
    recipe.initialize == .random
      ? RandomWeights(seed: recipe.seed, layerCount: folder.configuration.layerCount) : try FileWeights(folder: folder.path)
  }
}

/// Where tokenized data may be kept, and how far it is trusted.
public struct DataCachePlace: Sendable {
  public var folder: String
  /// The program that tokenizes: another build may do it otherwise.
  public var program: String
  /// Whether sources and caches are hashed again before they are believed.
  public var isStrict: Bool

  public init(folder: String, program: String, isStrict: Bool = false) {
    self.folder = folder
    self.program = program
    self.isStrict = isStrict
  }
}

extension DataCache {
  /// nil where the recipe wants none, or where what is printed depends on the day.
  fileprivate init?(_ place: DataCachePlace, recipe: Recipe, tokenizer: Tokenizer) throws {
    if recipe.dataCache == "off" || tokenizer.chatTemplate?.contains("strftime_now") == true { return nil }
    var hash = ContentHash()
    hash.update(place.program)
    for file in tokenizer.files { hash.update(try ContentHash.of(file: file)) }
    self.init(folder: recipe.dataCache ?? place.folder, identity: hash.finish(), isStrict: place.isStrict)
  }
}

extension Recipe.Precision {
  var dtype: DType {
    switch self {
    case .f32: .float32
    case .bf16: .bfloat16
    case .f64: .float64
    }
  }
}
