public import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastEngine
public import HoldfastModels
package import HoldfastRecords
internal import HoldfastTokenizers

/// A recipe with everything it names read and checked, before any tensor is made: what is wrong shows here.
public struct PreparedRun: Sendable {
  public private(set) var recipe: Recipe
  public let folder: ModelFolder
  public let tokenizerFiles: [String]
  public let data: DataPlan
  /// Held-out text whose loss is measured; nil where the recipe names none.
  public let heldOut: DataPlan?
  /// What is looked at while the run goes on; nil where the recipe watches nothing.
  public let watched: WatchedSlices?
  public private(set) var steps: Int
  let methods: [any TuningMethod.Type]
  private(set) var preparations: [PreparedPreparation]
  /// Rows that a method remembers, and the method's name.
  let memory: (method: String, plan: DataPlan)?
  /// Where the run stands in a sequence of stages.
  public let stage: StagePlace
  /// Ids that the chat template prints itself: special tokens that stand in it, and the ends of a text that it names.
  let templateTokens: [Int]

  /// - Parameters:
  ///   - methods: all methods there are.
  ///   - place: the model's folder, where the recipe names it in another way (`owner/name`).
  ///   - workers: threads that read data; the result does not depend on how many.
  ///   - cache: where large sources are kept tokenized, unless the recipe says; nil: nowhere.
  ///   - stage: which one of several it is, and what came before.
  ///   - messages: prints conversations with the chat template of the model in a folder; nil where it has none.
  public init(
    _ recipe: Recipe, methods: [any TuningMethod.Type], place: String? = nil, workers: Int = 1, cache: DataCachePlace? = nil,
    stage: StagePlace = StagePlace(), messages: (String) throws -> (any MessageRenderer)?
  ) throws {
    self.recipe = recipe
    self.methods = methods
    self.stage = stage
    let place = place ?? recipe.model
    folder = try ModelFolder(place)
    // An adapter that fits nowhere is found out before any data is read.
    if let adapter = recipe.adapter {
      _ = try adapter.configuration.facts(of: folder.configuration)
      for path in adapter.over {
        let other = try AdapterFolder(path).configuration
        if other.kind == .dora { throw Problems(path, ["DoRA scales the whole weight, so nothing is added on top of it; merge it first (holdfast blend)"]) }
        _ = try other.facts(of: folder.configuration)
      }
      if let from = adapter.from {
        let other = try AdapterFolder(from).configuration, wanted = adapter.configuration
        guard (other.kind, other.rank, other.alpha, other.scaling) == (wanted.kind, wanted.rank, wanted.alpha, wanted.scaling) else {
          throw Problems(from, [
            "it is \(other.kind.rawValue) of rank \(other.rank), alpha \(other.alpha), \(other.scaling.rawValue) scaling; the recipe asks for \(wanted.kind.rawValue) of rank \(wanted.rank), alpha \(wanted.alpha), \(wanted.scaling.rawValue)"
          ])
        }
      }
    }
    let tokenizer = try Tokenizer(folder: place)
    tokenizerFiles = tokenizer.files
    if tokenizer.vocabularySize > folder.configuration.vocabularySize {
      throw Problems(recipe.model, [
        "the tokenizer knows \(tokenizer.vocabularySize) ids but the model only \(folder.configuration.vocabularySize); is it another model's tokenizer?"
      ])
    }
    templateTokens = tokenizer.templateTokens
    let renderer = ExampleRenderer(encoder: tokenizer, messages: try messages(place))
    let packing: Packing = recipe.packing ? recipe.objective == .pretraining ? .wrapped : .bestFit : .none
    // Before any data is read: what is wrong with the methods, and what they must know.
    let wanted = try Self.preparations(recipe, folder.configuration, methods, stage)
    let kept = try cache.flatMap { try DataCache($0, recipe: recipe, tokenizer: tokenizer) }
    let dataset = try Dataset(
      reading: recipe.data, with: renderer, rowLength: packing == .wrapped ? nil : recipe.sequenceLength, tooLong: recipe.tooLong,
      badRows: recipe.badRows, workers: workers, cache: kept, pairs: recipe.objective == .dpo)
    data = try DataPlan(
      dataset,
      .init(
        seed: recipe.seed, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows,
        accumulate: recipe.batch.accumulate))
    heldOut = try recipe.evaluate.map { evaluate in
      let dataset = try Dataset(
        reading: evaluate.data, with: renderer, rowLength: packing == .wrapped ? nil : recipe.sequenceLength, tooLong: .truncate,
        badRows: recipe.badRows, workers: workers, cache: kept, pairs: recipe.objective == .dpo)
      return try DataPlan(
        dataset, .init(seed: 0, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows, shuffle: false))
    }
    watched = try recipe.watch.map { [data] watch in
      try WatchedSlices(
        watch, training: data.dataset,
        read: {
          try Dataset(
            reading: $0, with: renderer, rowLength: packing == .wrapped ? nil : recipe.sequenceLength, tooLong: .truncate, badRows: recipe.badRows,
            workers: workers, cache: kept)
        },
        plan: { try DataPlan($0, .init(seed: 0, sequenceLength: recipe.sequenceLength, packing: packing, rows: recipe.batch.rows, shuffle: false)) })
    }
    preparations = try wanted.map { method, preparation in
      let wants = preparation.data
      let dataset = try Dataset(
        reading: wants.sources, with: renderer, rowLength: wants.packing == .wrapped ? nil : wants.sequenceLength, tooLong: wants.tooLong,
        badRows: recipe.badRows, workers: workers, cache: kept, pairs: wants.isPairs)
      return PreparedPreparation(
        method: method, preparation: preparation,
        plan: try DataPlan(dataset, .init(seed: wants.seed, sequenceLength: wants.sequenceLength, packing: wants.packing, rows: wants.rows)))
    }
    memory = try recipe.methods.lazy.compactMap { entry in
      try methods.first { $0.name == entry.name }.flatMap { try $0.make(entry).memory(recipe) }.map { (entry.name, $0) }
    }.first.map { method, wants in
      let dataset = try Dataset(
        reading: wants.sources, with: renderer, rowLength: wants.packing == .wrapped ? nil : wants.sequenceLength, tooLong: wants.tooLong,
        badRows: recipe.badRows, workers: workers, cache: kept)
      return (method, try DataPlan(
        dataset, .init(seed: wants.seed, sequenceLength: wants.sequenceLength, packing: wants.packing, rows: wants.rows)))
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
    _ recipe: Recipe, _ configuration: ModelConfiguration, _ methods: [any TuningMethod.Type],
    _ place: StagePlace = StagePlace()
  ) throws -> [(method: String, preparation: Preparation)] {
    let model = try ModelFacts(configuration, adapter: recipe.adapter)
    var steps = 1
    if case .steps(let count) = recipe.duration { steps = count }
    var stage = StageFacts(model: model, seed: recipe.seed, stage: place.number, steps: steps)
    stage.isPlan = true
    stage.origin = place.origin
    let stack = try MethodStack(recipe.methods, catalog: methods, stage: stage.of(recipe))
    let facts = PreparationFacts(model: model, recipe: recipe, trained: stack.everSelected(of: model.trainable.map(\.name), steps: steps),
      earlierData: place.earlierData)
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
    if recipe.objective == .dpo {
      result.append(("dpo", PreferenceObjective.preparation("reference", recipe, recipe.data, seed: recipe.seed)))
      if let evaluate = recipe.evaluate {
        result.append(("dpo", PreferenceObjective.preparation("held_out_reference", recipe, evaluate.data, seed: 0)))
      }
    }
    return result
  }

  /// How a microbatch of training runs its adapter: dropout is a matter of the seed and of where the run stands.
  func adapterUse(step: Int, microbatch: Int) -> AdapterUse {
    guard let adapter = recipe.adapter, adapter.configuration.dropout > 0 else { return .on }
    var stream = CounterGenerator(seed: recipe.seed, "dropout", step, microbatch)
    return .training(seed: stream.next())
  }

  /// The same run by another method or of another length; its data is not read again.
  ///
  /// - Throws: `Problems` with every key that decides what the data is and differs.
  public func with(_ recipe: Recipe) throws(Problems) -> PreparedRun {
    var problems = Problems("recipe")
    for key in ["model", "initialize", "adapter", "objective", "data", "sequence_length", "packing", "too_long", "bad_rows", "batch", "seed", "evaluate", "watch"]
    where self.recipe.resolved[key] != recipe.resolved[key] {
      problems.add("\(key) is \(recipe.resolved[key]?.text(.spaced) ?? "absent"), but was \(self.recipe.resolved[key]?.text(.spaced) ?? "absent") where the data was read")
    }
    try problems.check()
    var other = self
    other.recipe = recipe
    // What a method had to know beforehand it still has to know; nobody asks for more than the first recipe did.
    other.preparations = preparations.filter { prepared in recipe.methods.contains { $0.name == prepared.method } }
    for entry in recipe.methods where self.recipe.methods.first(where: { $0.name == entry.name }) != entry {
      if preparations.contains(where: { $0.method == entry.name }) { problems.add("method: \(entry.name) has other knobs than where its data was read") }
    }
    try problems.check()
    switch recipe.duration {
    case .steps(let steps): other.steps = steps
    case .epochs(let epochs): other.steps = data.steps(forEpochs: epochs)
    }
    return other
  }

  /// Files of the model that decide the run: configuration, tokenizer and, unless drawn from the seed, weights.
  package func modelFacts() throws -> [FileFact] {
    var paths = [folder.path + "/config.json"] + tokenizerFiles
    if recipe.initialize == .pretrained { paths += try WeightFiles(folder: folder.path).files.map(\.path) }
    for path in (recipe.adapter?.over ?? []) + [recipe.adapter?.from].compactMap({ $0 }) {
      paths += [AdapterFolder.configurationFile, AdapterFolder.weightsFile].map { "\(path)/\($0)" }
    }
    return try paths.map { try FileFact(of: $0) }
  }

  /// SHA-256 of the files of the weights, or which weights are drawn.
  func weightHashes(_ model: [FileFact]) -> [String] {
    recipe.initialize == .random ? ["random \(recipe.seed)"] : model.filter { $0.path.hasSuffix(".safetensors") }.map(\.sha256)
  }

  package func dataFacts() -> [FileFact] {
    (data.dataset.sources + (heldOut?.dataset.sources ?? []) + (watched.map { $0.general.dataset.sources + $0.domain.dataset.sources } ?? []) + preparations.flatMap(\.plan.dataset.sources)
      + (memory?.plan.dataset.sources ?? [])).flatMap(\.files).map {
      FileFact(path: $0.path, bytes: $0.bytes, sha256: $0.contentHash)
    }
  }
}

/// Which stage of a sequence a run is, and what came before it.
public struct StagePlace: Sendable {
  /// From 0.
  public var number: Int
  /// Folder of the run of the stage before; nil in the first one.
  public var earlier: String?
  /// What that one was trained on.
  public var earlierData: [DataSource]
  /// Folder of the model that the first stage begins with; nil where the run is no part of a sequence, and where that model is drawn.
  public var origin: String?

  public init(number: Int = 0, earlier: String? = nil, earlierData: [DataSource] = [], origin: String? = nil) {
    self.number = number
    self.earlier = earlier
    self.earlierData = earlierData
    self.origin = origin
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
