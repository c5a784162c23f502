public import HoldfastBasics
public import HoldfastDatasets
public import HoldfastEngine
public import HoldfastModels

/// What a method must know before the first step: passes over named data with the model as the run finds it.
///
/// A method asks for it in `TuningMethod.preparations` and reads it in `begin` as `stage.artifact(name)`. In between the
/// trainer runs it and keeps the result as an artifact: tensors on disk, addressed by the hash of model, data, settings
/// and machine. Whoever asks for the same again, a resume or another run of a study, gets the same bytes without a pass.
///
///     Preparation(
///       name: "fisher", settings: ["labels": "data"], data: PreparationData(sources, sequenceLength: 256),
///       backwardPasses: 1, bytes: 4 * model.count
///     ) { pass in
///       var sums = …                                            // f32 zeros by name
///       try pass.fold(into: &sums) { host, number, sums in      // microbatch by microbatch; saved and resumed in the middle
///         let forward = try pass.model.forward(pass.batch(host))
///         …                                                     // gradients of weights, activations, log-probabilities: as needed
///       }
///       return sums
///     }
public struct Preparation: Sendable {
  /// Names the artifact among those of its method, such as `fisher`.
  public let name: String
  /// Everything beside model and data that the result depends on: part of the artifact's address.
  public let settings: JSONObject
  public let data: PreparationData
  /// Forward passes over each token, for `plan`.
  public let forwardPasses: Int
  /// Backward passes over each token, for `plan`.
  public let backwardPasses: Int
  /// Bytes of the result on disk and, as a rule, in memory while the run uses it.
  public let bytes: Int
  /// Makes the result. The model asks for no gradients when it begins and is put back to that afterwards; weights must
  /// not move. Everything random comes from `pass.seed`. Called again from its beginning after a kill: folds go on where
  /// they stood, the rest is computed anew.
  public let run: @Sendable (PreparationPass) throws -> [String: Tensor]

  public init(
    name: String, settings: JSONObject = JSONObject(), data: PreparationData, forwardPasses: Int = 1, backwardPasses: Int, bytes: Int,
    run: @escaping @Sendable (PreparationPass) throws -> [String: Tensor]
  ) {
    self.name = name
    self.settings = settings
    self.data = data
    self.forwardPasses = forwardPasses
    self.backwardPasses = backwardPasses
    self.bytes = bytes
    self.run = run
  }
}

/// What a method may know when it is asked what it must learn beforehand.
public struct PreparationFacts {
  public let model: ModelFacts
  public let recipe: Recipe
  /// Parameters that train in some step, as far as the whole stack decides it.
  public let trained: Set<String>
  /// Training data of the stage before; empty in the first one.
  public let earlierData: [DataSource]

  public init(model: ModelFacts, recipe: Recipe, trained: Set<String>, earlierData: [DataSource] = []) {
    self.model = model
    self.recipe = recipe
    self.trained = trained
    self.earlierData = earlierData
  }
}

/// What a preparation passes over: sources in the recipe's grammar, tokenized by the code that training uses.
public struct PreparationData: Sendable, Hashable {
  public var sources: [DataSource]
  /// Positions of a row; what is longer is cut to it.
  public var sequenceLength: Int
  /// `.none`: one example a row.
  public var packing: Packing
  /// Rows of a microbatch. 1 where gradients of single examples are wanted.
  public var rows: Int
  /// At most so many rows are passed over; nil: all.
  public var limit: Int?
  /// Of the rows' order, and so of which ones a limit leaves. Not the recipe's, so that runs that differ in it share the result.
  public var seed: UInt64
  /// What happens to an example longer than a row.
  public var tooLong = TooLong.truncate
  /// Rows are preference pairs.
  public var isPairs = false

  public init(_ sources: [DataSource], sequenceLength: Int, packing: Packing = .none, rows: Int = 1, limit: Int? = nil, seed: UInt64 = 0) {
    self.sources = sources
    self.sequenceLength = sequenceLength
    self.packing = packing
    self.rows = rows
    self.limit = limit
    self.seed = seed
  }

  /// Tokens of a pass at most; nil where there is no limit, since then only the data can tell.
  public var mostTokens: Int? { limit.map { $0 * sequenceLength } }

  /// `data:` among a method's knobs, as in the recipe.
  public static func sources(_ reader: KeyReader, _ key: String = "data", required: Bool = true) -> [DataSource] {
    reader.list(key, shorthand: "path", required: required, DataSource.init)
  }
}

/// A preparation at work.
public final class PreparationPass {
  /// Asks for no gradients unless the preparation says so.
  public let model: Decoder
  /// For whatever is drawn at random.
  public let seed: UInt64
  /// Microbatches of one fold over the data.
  public let count: Int
  /// What is worth keeping beside the tensors; part of the artifact. The same in every run.
  public var facts = JSONObject()

  private let plan: DataPlan
  private let store: PartialStore
  private let progress: (_ done: Int, _ of: Int) throws -> Bool
  private var folds = 0

  package init(
    model: Decoder, plan: DataPlan, limit: Int?, most: Int?, seed: UInt64, store: PartialStore,
    progress: @escaping (_ done: Int, _ of: Int) throws -> Bool
  ) {
    self.model = model
    self.plan = plan
    self.seed = seed
    self.store = store
    self.progress = progress
    let all = plan.stepsPerEpoch(0)
    count = min(limit.map { min(all, ($0 + plan.settings.rows - 1) / plan.settings.rows) } ?? all, most ?? all)
  }

  /// Examples of the data; a pair has two.
  public var exampleCount: Int { plan.dataset.examples.count }
  /// Tokens of an example, its last one included.
  public func tokenCount(ofExample example: Int) -> Int { plan.dataset.tokenCount(ofExample: example) }

  /// A microbatch, from 0. The last one may hold a few rows more than the limit says.
  public func microbatch(_ number: Int) -> HostBatch { plan.step(number).microbatches[0] }

  /// On the model's device.
  public func batch(_ host: HostBatch) throws(EngineError) -> Batch { try Batch(host, device: model.device) }

  /// Gives every microbatch to `body`, which adds to `sums`. All that `body` learns must be in `sums`: they are saved now
  /// and then, and a run that was killed goes on from there with the same bits.
  public func fold(
    into sums: inout [String: Tensor], _ body: (_ host: HostBatch, _ number: Int, _ sums: inout [String: Tensor]) throws -> Void
  ) throws {
    defer { folds += 1 }
    var next = 0
    if let saved = try store.read(fold: folds, device: model.device) { (next, sums) = saved }
    while next < count {
      try body(microbatch(next), next, &sums)
      next += 1
      let goesOn = try progress(next, count)
      if next == count || !goesOn || store.isDue { try store.write(fold: folds, next: next, sums) }
      if !goesOn { throw PreparationInterrupted() }
    }
  }

  /// Lets these parameters, and no others, collect gradients until the preparation ends.
  public func setTrained(_ isTrained: (Parameter) -> Bool) throws(EngineError) {
    for parameter in model.parameters { try parameter.value.setRequiresGradient(isTrained(parameter)) }
  }
}

/// The observer wants the run to stop; what was done is saved.
struct PreparationInterrupted: Error {}

/// A preparation with its data read, before any weight is.
struct PreparedPreparation: Sendable {
  let method: String
  let preparation: Preparation
  let plan: DataPlan

  /// Hash of the tokens that a pass sees, in their order, labels included.
  func dataHash() -> String {
    var hash = ContentHash()
    let steps = plan.stepsPerEpoch(0)
    let rows = plan.settings.rows
    let count = preparation.data.limit.map { min(steps, ($0 + rows - 1) / rows) } ?? steps
    for number in 0..<count {
      let batch = plan.step(number).microbatches[0]
      for numbers in [[batch.rows, batch.length], batch.ids, batch.labels, batch.positions, batch.segments.flatMap { [$0.row, $0.start, $0.length] }] {
        numbers.withUnsafeBytes { hash.update($0) }
      }
    }
    return hash.finish()
  }
}
