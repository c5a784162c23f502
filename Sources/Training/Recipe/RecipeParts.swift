public import HoldfastBasics
public import HoldfastDatasets

// Datasets knows nothing of recipes: how its settings are written is said here.
extension TrainOn: KeyChoice {}
extension Turns: KeyChoice {}
extension TooLong: KeyChoice {}

extension BadRows: KeyValue {
  public static var kindOfValue: String { "refuse, or {skip: 0.01} with the largest share" }
  public static var placeholder: BadRows { .refuse }
  public init?(key json: JSON) {
    switch json {
    case "refuse": self = .refuse
    case .object(let object) where object.keys == ["skip"]:
      guard let share = object["skip"].flatMap(Double.init(key:)), (0...1).contains(share) else { return nil }
      self = .skip(share: share)
    default: return nil
    }
  }
  public var json: JSON {
    switch self {
    case .refuse: "refuse"
    case .skip(let share): ["skip": .number(share)]
    }
  }
}

extension PromptTemplate: KeyChoice {}

/// One path, or several.
private struct Paths: KeyValue {
  static var kindOfValue: String { "a path, or a list of paths" }
  static var placeholder: Paths { Paths(list: []) }
  let list: [String]

  init(list: [String]) { self.list = list }
  init?(key json: JSON) {
    guard let list = [String](key: json), !list.isEmpty else { return nil }
    self.list = list
  }
  var json: JSON { list.count == 1 ? .string(list[0]) : list.json }
}

extension DataSource {
  private enum Format: String, KeyChoice {
    case auto, text, promptCompletion = "prompt_completion", messages, sharegpt, alpaca, preference
    case multipleChoice = "multiple_choice"
    var format: DataFormat? { DataFormat(rawValue: rawValue) }
  }

  init(_ reader: KeyReader) {
    self.init(
      paths: reader.required(
        "path", as: Paths.self,
        doc: "JSONL, a JSON array or CSV, also packed with gzip or zstd: a file, a folder of such files, a pattern (`data/*.jsonl`), or a list of these.").list,
      name: reader.optional("name", otherwise: "its path", doc: "What logs call the source."),
      format: reader.value("format", default: Format.auto, doc: "The fields of a row; `auto` looks at the first one.").format,
      trainOn: reader.optional(
        "train_on", otherwise: "by format",
        doc: "Which tokens become labels. By format: text `all`, prompt and completion `completion`, messages `assistant`."),
      turns: reader.optional(
        "turns", otherwise: "all, where they stand as at inference",
        doc: "Which answers of a conversation are learnt: `all` in one example, the `last`, or `split`: each in one of its own."),
      share: reader.optional(
        "share", in: Above(0.0, below: 1), otherwise: "every example once", unit: "share of an epoch's examples",
        doc: "How much of an epoch comes from this source, drawn anew each epoch; replay of old data is a source with a share."),
      examples: reader.optional(
        "examples", in: 1..., unit: "examples an epoch", doc: "How many examples of this source an epoch has, in place of `share`; gone through evenly."),
      tokens: reader.optional(
        "tokens", in: 1..., unit: "tokens an epoch", doc: "How many tokens of this source an epoch has on average, in place of `share`."),
      fields: Self.fields(reader),
      template: reader.value(
        "template", default: .plain,
        doc: "`plain`: prompt and answer joined as they stand, Alpaca rows in Alpaca's text; `chat`: as messages of the model's chat template."),
      variables: Self.variables(reader))
  }

  /// `variables: {enable_thinking: false}`
  private static func variables(_ reader: KeyReader) -> JSONObject {
    let found = reader.json(
      "variables", kind: "names with values: `{enable_thinking: false}`", otherwise: "none",
      doc: "What the chat template is told beside the messages; a row's own `variables` win. A template that asks for the date needs it here, so that a run can be repeated: `{date_string: 26 Jul 2026}`.")
    guard let found else { return JSONObject() }
    guard let variables = found.object else {
      reader.complain("variables", "is not valid; names with values are, as in {enable_thinking: false}")
      return JSONObject()
    }
    reader.resolve("variables", as: found)
    return variables
  }

  /// `fields: {prompt: question}`: the format's name first, then the row's.
  private static func fields(_ reader: KeyReader) -> [String: String] {
    let found = reader.json(
      "fields", kind: "the format's names with the rows' own: `{prompt: question, completion: answer}`", otherwise: "the format's names",
      doc: "What the rows call a field.")
    guard let found else { return [:] }
    var fields: [String: String] = [:]
    for (name, own) in found.object?.members ?? JSONObject().members {
      if let own = own.string { fields[name] = own }
    }
    if fields.isEmpty || fields.count != found.object?.count { reader.complain("fields", "is not valid; names with names are, as in {prompt: question}") }
    reader.resolve("fields", as: found)
    return fields
  }
}

/// How many packed rows make an optimizer step.
public struct BatchSize: Sendable, Hashable {
  public let rows: Int
  public let accumulate: Int

  init(_ reader: KeyReader) {
    rows = reader.value("rows", default: 8, in: 1..., unit: "rows", doc: "Rows of a microbatch: what one forward pass sees.")
    accumulate = reader.value(
      "accumulate", default: 1, in: 1..., unit: "microbatches",
      doc: "Microbatches of a step. The loss is a sum over the step's labels, divided once, so only memory and time depend on this.")
  }
}

/// How long a run is.
public enum Duration: Sendable, Hashable {
  case epochs(Double)
  case steps(Int)
}

/// AdamW and its knobs.
public struct OptimizerRecipe: Sendable, Hashable {
  public enum Name: String, KeyChoice { case adamw }

  public let name: Name
  public let beta1, beta2, epsilon: Double
  public let weightDecay: Double
  /// nil: gradients are not clipped.
  public let maxNorm: Double?
  /// Whether norm weights and biases decay too.
  public let decayNorms: Bool

  init(_ reader: KeyReader) {
    name = reader.value("name", default: .adamw, doc: "AdamW with float32 masters and moments.")
    beta1 = reader.value("beta1", default: 0.9, in: 0..<1, doc: "Decay of the mean gradient.")
    beta2 = reader.value("beta2", default: 0.999, in: 0..<1, doc: "Decay of the mean squared gradient.")
    epsilon = reader.value("epsilon", default: 1e-8, in: Above(0), doc: "Added to the root of the mean squared gradient.")
    weightDecay = reader.value(
      "weight_decay", default: 0.0, in: 0..., unit: "per step and unit of rate", doc: "Decoupled decay of trained weights.")
    let norm = reader.value(
      "max_norm", default: 1.0, in: 0...,
      doc: "Gradients of a step are scaled down to this total norm where they exceed it; 0: never.")
    maxNorm = norm > 0 ? norm : nil
    decayNorms = reader.value("decay_norms", default: false, doc: "Weight decay acts on norm weights and biases too.")
  }
}

/// Measuring the loss on held-out text while training.
public struct EvaluateRecipe: Sendable, Hashable {
  public let data: [DataSource]
  /// nil: at the end of each epoch.
  public let every: Int?
  public let rows: Int?

  init(_ reader: KeyReader) {
    data = reader.list("data", shorthand: "path", required: true, DataSource.init)
    every = reader.optional(
      "every", in: 1..., otherwise: "each epoch", unit: "steps", doc: "How often the loss on held-out text is measured; of several sources also that of each.")
    rows = reader.optional("rows", in: 1..., otherwise: "all", unit: "packed rows", doc: "At most so many rows are measured.")
  }
}

/// Stopping when the held-out loss no longer falls. The export then holds the weights whose loss was lowest.
public struct EarlyStopping: Sendable, Hashable {
  public let patience: Int
  public let minimumImprovement: Double

  init(_ reader: KeyReader) {
    patience = reader.value(
      "patience", default: 3, in: 1..., unit: "evaluations", doc: "The run stops after so many without improvement. Whether it stops or not, `final/` holds the weights whose held-out loss was lowest, and their checkpoint is kept.")
    minimumImprovement = reader.value(
      "minimum_improvement", default: 0.0, in: 0..., unit: "nats a label", doc: "What counts as an improvement of the loss.")
  }
}

/// When resumable states are saved.
public struct CheckpointRecipe: Sendable, Hashable {
  public let every: Int
  public let keep: Int

  init(_ reader: KeyReader) {
    every = reader.value("every", default: 200, in: 1..., unit: "steps", doc: "How often a resumable state is saved.")
    keep = reader.value("keep", default: 2, in: 1..., unit: "checkpoints", doc: "Older ones go once a newer one is verified.")
  }
}

/// A tuning method by name, with its knobs as written: the method reads them.
public struct MethodRecipe: Sendable, Hashable {
  public let name: String
  public let knobs: JSONObject

  public init(_ name: String, knobs: JSONObject = JSONObject()) {
    self.name = name
    self.knobs = knobs
  }

  package var json: JSON { knobs.isEmpty ? .string(name) : [name: .object(knobs)] }
}

/// A method's name and the keys it reads, so that a recipe is checked whole though Training knows no method.
public struct MethodKeys: Sendable {
  public let name: String
  /// One sentence for the table.
  public let doc: String
  /// Reads every knob; complaints stay in the reader.
  public let read: @Sendable (KeyReader) -> Void

  public init(_ name: String, doc: String, read: @escaping @Sendable (KeyReader) -> Void) {
    self.name = name
    self.doc = doc
    self.read = read
  }
}

/// How preference pairs are learned from.
public struct PreferenceRecipe: Sendable, Hashable {
  public enum Loss: String, KeyChoice, Sendable { case sigmoid, ipo }

  public let beta: Double
  public let loss: Loss
  public let labelSmoothing: Double

  package init(_ reader: KeyReader) {
    beta = reader.value("beta", default: 0.1, in: Above(0.0), doc: "How strongly the model is held to its start: the larger, the less it moves.")
    loss = reader.value("loss", default: .sigmoid, doc: "`sigmoid`: of the paper; `ipo`: a squared distance from a margin of 1 / (2 beta) nats a label.")
    labelSmoothing = reader.when(loss == .sigmoid, "is read only with loss: sigmoid") {
      $0.value("label_smoothing", default: 0, in: 0...0.49, doc: "Share of pairs taken to be the wrong way round (conservative dpo).")
    }
  }
}
