public import HoldfastBasics
public import HoldfastDatasets

/// Everything that a run depends on, as the user wrote it and every default beside it.
///
/// A recipe is what was read and cannot be changed afterwards, so `resolved`, which the manifest keeps, is always
/// what ran. `applying` reads it anew with other values.
public struct Recipe: Sendable {
  public enum Initialize: String, KeyChoice { case pretrained, random }
  public enum Objective: String, KeyChoice, Sendable { case sft, pretraining, dpo }
  public enum Precision: String, KeyChoice { case f32, bf16, f64 }
  public enum Recompute: String, KeyChoice { case none, block }
  public enum Device: String, KeyChoice { case cpu, cuda, mps }
  public enum ExportKind: String, KeyChoice { case full, delta }

  public let model: String
  public let initialize: Initialize
  /// nil: the model's own weights train.
  public let adapter: AdapterRecipe?
  public let methods: [MethodRecipe]
  public let objective: Objective
  /// How pairs are learned from, under dpo.
  public let preference: PreferenceRecipe
  public let data: [DataSource]
  public let sequenceLength: Int
  public let packing: Bool
  public let tooLong: TooLong
  public let badRows: BadRows
  /// The folder of tokenized sources, or `off`; nil: the caller's.
  public let dataCache: String?
  public let batch: BatchSize
  public let duration: Duration
  public let optimizer: OptimizerRecipe
  /// Holds the learning rate as its peak.
  public let schedule: Schedule
  public let precision: Precision
  public let recompute: Recompute
  public let seed: UInt64
  /// nil: as many as the machine has cores.
  public let threads: Int?
  public let device: Device
  public let evaluate: EvaluateRecipe?
  public let earlyStopping: EarlyStopping?
  /// What is looked at while the run goes on; nil: nothing.
  public let watch: WatchRecipe?
  public let checkpoint: CheckpointRecipe
  /// Folder of what preparations found; nil: `artifacts` beside the run's folder.
  public let artifacts: String?
  /// What the result holds.
  public let export: ExportKind
  /// What a search for the region to train measures; nil where none is described.
  public let search: SearchRecipe?
  /// Steps between reports.
  public let reportEvery: Int
  /// The run folder; nil: the caller names one.
  public let output: String?

  /// Every key with its value, defaults included; reading it gives the same recipe.
  public private(set) var resolved = JSONObject()

  private var source: KeySource
  private let catalog: [MethodKeys]

  /// Reads a recipe. With `methods`, each method's knobs are read too and their complaints join the others;
  /// without, knobs stay as written for the method to judge.
  public init(_ source: KeySource, methods catalog: [MethodKeys] = []) throws(Problems) {
    let (recipe, resolved) = try KeyReader.read(source) { Recipe($0, source: source, catalog: catalog) }
    self = recipe
    self.resolved = resolved
  }

  /// Reads a recipe given as a value.
  public init(_ object: JSONObject, methods: [MethodKeys] = []) throws(Problems) {
    try self.init(KeySource(subject: "recipe", object: object), methods: methods)
  }

  /// Reads a YAML or, by its name, JSON file; flags win over the file (see `applying`).
  public init(
    file path: String, overrides: [(key: String, value: String)] = [], methods: [MethodKeys] = []
  ) throws {
    var source = try KeySource(file: path)
    try source.override(with: overrides)
    try self.init(source, methods: methods)
  }

  /// Reads a recipe given as YAML text; `subject` is what complaints begin with.
  public init(yaml text: String, subject: String = "recipe", methods: [MethodKeys] = []) throws(Problems) {
    try self.init(KeySource(yaml: text, subject: subject), methods: methods)
  }

  /// The recipe with other values at some keys. Keys are paths as in `batch.rows`, dashes standing for underscores;
  /// values are written as in YAML.
  public func applying(overrides: [(key: String, value: String)]) throws(Problems) -> Recipe {
    var changed = source
    try changed.override(with: overrides)
    return try Recipe(changed, methods: catalog)
  }

  init(_ reader: KeyReader, source: KeySource, catalog: [MethodKeys]) {
    self.source = source
    self.catalog = catalog
    model = reader.required("model", doc: "A model folder in Hugging Face's form, or `owner/name` of one in the Hugging Face cache; nothing is downloaded.")
    initialize = reader.value(
      "initialize", default: .pretrained, doc: "Start from the folder's weights, or from random ones of its configuration.")
    adapter = reader.optionalSection("adapter", AdapterRecipe.init) ?? nil
    methods = Recipe.methods(reader, catalog)
    objective = reader.value("objective", default: .sft, doc: "What is learned: answers (`sft`), every token (`pretraining`), or which of two answers is the better one (`dpo`).")
    preference = reader.when(objective == .dpo, "is read only with objective: dpo") { $0.section("dpo", shorthand: "beta", PreferenceRecipe.init) }
    data = reader.list("data", shorthand: "path", required: true, DataSource.init)
    sequenceLength = reader.value("sequence_length", default: 1024, in: 2..., unit: "tokens", doc: "Length of a row.")
    packing = reader.value(
      "packing", default: true, doc: "Rows hold several examples, which do not see each other; off: one example a row.")
    tooLong = reader.value("too_long", default: .refuse, doc: "What happens to an example longer than a row.")
    badRows = reader.value(
      "bad_rows", default: .refuse,
      doc: "Rows that cannot be learned from: refuse the run, or skip up to a share of each source's rows.")
    dataCache = reader.optional(
      "data_cache", otherwise: "$XDG_CACHE_HOME/holdfast or ~/.cache/holdfast",
      doc: "Folder where large sources are kept tokenized for the next start, or `off`.")
    batch = reader.section("batch", shorthand: "rows", BatchSize.init)
    duration = Recipe.duration(reader)
    optimizer = reader.section("optimizer", shorthand: "name", OptimizerRecipe.init)
    let rate = reader.required("learning_rate", in: Above(0.0), unit: "per step", doc: "The highest learning rate.")
    schedule = reader.section("schedule", shorthand: "kind") { Schedule($0, peak: rate) }
    precision = reader.value(
      "precision", default: .f32, doc: "Type of weights and activations in a pass; masters and moments are float32 beside bf16.")
    recompute = reader.value(
      "recompute", default: .none, doc: "`block`: activations of a block are computed again in the backward pass; less memory, about a third more time.")
    seed = UInt64(reader.value("seed", default: 0, in: 0..., doc: "Every random choice of the run follows from it."))
    threads = reader.optional("threads", in: 1..., otherwise: "one a core", doc: "CPU threads. Another number gives other last bits.")
    device = reader.value("device", default: .cpu, doc: "Where the arithmetic runs.")
    evaluate = reader.optionalSection("evaluate", shorthand: "data", EvaluateRecipe.init)
    earlyStopping = reader.optionalSection("early_stopping", shorthand: "patience", EarlyStopping.init)
    watch = reader.optionalSection("watch", WatchRecipe.init)
    checkpoint = reader.section("checkpoint", shorthand: "every", CheckpointRecipe.init)
    artifacts = reader.optional(
      "artifacts", otherwise: "`artifacts` beside the run's folder",
      doc: "Folder where preparations of methods are kept, to be found again by resumes and by other runs that need the same.")
    export = reader.value(
      "export", default: .full,
      doc: "`full`: a whole model; `delta`: the tensors that trained and the fingerprint of the base, which `blend` joins again.")
    search = reader.optionalSection("search", SearchRecipe.init)
    reportEvery = reader.value("report_every", default: 10, in: 1..., unit: "steps", doc: "How often progress is reported.")
    output = reader.optional("output", otherwise: "a new folder in runs", doc: "The run folder.")
    if export == .delta, adapter != nil { reader.complain("export", "is delta, but an adapter is exported as what it is: the adapter alone") }
    if export == .delta, initialize == .random { reader.complain("export", "is delta, but a model from random weights has no base to lay it over") }
    if earlyStopping != nil, evaluate == nil, !reader.isDocumenting {
      reader.complain("early_stopping", "needs `evaluate`: there is no held-out loss to watch")
    }
    if earlyStopping != nil, watch?.keep == .best, !reader.isDocumenting {
      reader.complain("watch.keep", "is best, but early_stopping says which weights `final` holds; say keep: none, or take early_stopping out")
    }
  }

  private static func duration(_ reader: KeyReader) -> Duration {
    // A flag of one kind replaces the file's other kind.
    let stepsWin = reader.isOverridden("steps") && !reader.isOverridden("epochs")
    let epochsWin = reader.isOverridden("epochs") && !reader.isOverridden("steps")
    let epochs: Double? = reader.optional(
      "epochs", in: Above(0.0), unit: "passes over the data", doc: "Length of the run; this or `steps`.")
    let steps: Int? = reader.optional("steps", in: 1..., unit: "optimizer steps", doc: "Length of the run; this or `epochs`.")
    switch (epochs, steps) {
    case (let epochs?, nil): return .epochs(epochs)
    case (nil, let steps?): return .steps(steps)
    case (let epochs?, let steps?):
      if stepsWin {
        reader.resolve("epochs", as: nil)
        return .steps(steps)
      }
      if epochsWin {
        reader.resolve("steps", as: nil)
        return .epochs(epochs)
      }
      reader.complain("steps", "stands beside epochs; exactly one of the two says how long the run is")
    case (nil, nil):
      if !reader.has("epochs"), !reader.has("steps") { reader.complain(nil, "epochs or steps is required: how long the run is") }
    }
    return .steps(0)
  }

  private static func methods(_ reader: KeyReader, _ catalog: [MethodKeys]) -> [MethodRecipe] {
    let found = reader.json(
      "method", kind: "a name, `{name: knobs}`, or a list of these", otherwise: "full",
      doc: "How the model is tuned (the methods and their knobs are listed below).")
    let entries: [JSON]
    switch found {
    case nil: entries = ["full"]
    case .array(let list): entries = list
    case let one?: entries = [one]
    }
    var methods: [MethodRecipe] = []
    for entry in entries {
      var name = "", knobs = JSONObject()
      switch entry {
      case .string(let word): name = word
      case .object(let object) where object.count == 1:
        name = object.keys[0]
        switch object.values[0] {
        case .object(let values): knobs = values
        case .null: break
        default:
          reader.complain("method", "\(name) is followed by neither knobs nor nothing; write {\(name): {knob: value}}")
          continue
        }
      default:
        reader.complain("method", "\(entry.text(.spaced)) is not valid; a name, {name: knobs} or a list of these is")
        continue
      }
      if methods.contains(where: { $0.name == name }) { reader.complain("method", "\(name) stands twice") }
      if !catalog.isEmpty {
        guard let keys = catalog.first(where: { $0.name == name }) else {
          let names = catalog.map(\.name)
          let near = nearestName(to: name, among: names).map { "; did you mean \($0)?" }
          reader.complain("method", "there is no method \(name)" + (near ?? "; there are " + names.joined(separator: ", ")))
          continue
        }
        knobs = reader.nested(knobs, at: "method.\(name)", keys.read).resolved
      }
      methods.append(MethodRecipe(name, knobs: knobs))
    }
    if methods.isEmpty, found == .array([]) { reader.complain("method", "the list is empty; leave the key out for full fine-tuning") }
    reader.resolve("method", as: .array(methods.map(\.json)))
    return methods
  }
}
