public import HoldfastBasics

/// One optimizer step, as far as seed and data decide it: the same run gives the same bytes.
public struct StepRecord: Sendable, Hashable {
  /// Counted from 0.
  public let step: Int
  /// Sum of the losses over `units`, in nats.
  public let loss: Double
  /// What the loss is divided by: labels, or pairs.
  public let units: Int
  /// Total norm of the gradient before clipping.
  public let gradientNorm: Double
  /// The rate of this step.
  public let learningRate: Double
  /// Passes over the data that were complete before this step.
  public let epoch: Int
  /// Number of the step's first row within its epoch.
  public let firstRow: Int
  /// What methods added, by name, such as the value of a penalty.
  public let terms: [(name: String, value: Double)]
  /// What each source gave, by name.
  public let sources: [SourceUse]

  public init(
    step: Int, loss: Double, units: Int, gradientNorm: Double, learningRate: Double, epoch: Int, firstRow: Int,
    terms: [(name: String, value: Double)] = [], sources: [SourceUse] = []
  ) {
    self.step = step
    self.loss = loss
    self.units = units
    self.gradientNorm = gradientNorm
    self.learningRate = learningRate
    self.epoch = epoch
    self.firstRow = firstRow
    self.terms = terms
    self.sources = sources
  }

  public static func == (a: Self, b: Self) -> Bool { a.json == b.json }
  public func hash(into hasher: inout Hasher) { hasher.combine(json) }

  /// The record as an object; terms only where there are some.
  public var json: JSON {
    var object: JSONObject = [
      "step": .integer(step), "loss": .number(loss), "units": .integer(units), "norm": .number(gradientNorm),
      "learning_rate": .number(learningRate), "epoch": .integer(epoch), "row": .integer(firstRow),
    ]
    if !terms.isEmpty { object["terms"] = .object(JSONObject(terms.map { ($0.name, .number($0.value)) })) }
    if !sources.isEmpty { object["sources"] = .object(JSONObject(sources.map { ($0.name, $0.json) })) }
    return .object(object)
  }

  /// Reads it back. Throws every member that is missing or of another kind; `subject` is what the complaints begin with.
  public init(_ json: JSON, subject: String = "metrics.jsonl") throws(Problems) {
    var reader = FactReader(json, subject: subject)
    step = reader.int("step")
    loss = reader.number("loss")
    units = reader.int("units")
    gradientNorm = reader.number("norm")
    learningRate = reader.number("learning_rate")
    epoch = reader.int("epoch")
    firstRow = reader.int("row")
    terms = (reader.optionalObject("terms") ?? JSONObject()).members.map { ($0, $1.double ?? .nan) }
    var sources: [SourceUse] = []
    for (name, counts) in (reader.optionalObject("sources") ?? JSONObject()).members {
      var facts = FactReader(counts, subject: subject, place: "sources.\(name)")
      sources.append(
        SourceUse(name: name, examples: facts.int("examples"), tokens: facts.int("tokens"), trainedTokens: facts.int("trained_tokens")))
      for words in facts.problems.complaints { reader.complain(words) }
    }
    self.sources = sources
    try reader.problems.check()
  }

  /// A line of `metrics.jsonl`. Numbers are the shortest that read back as the same number.
  public var line: String { json.text() + "\n" }
}

/// What a source of data gave to a step.
public struct SourceUse: Sendable, Hashable {
  public let name: String
  /// Examples that began in the step.
  public let examples: Int
  public let tokens: Int
  /// Labels.
  public let trainedTokens: Int

  public init(name: String, examples: Int, tokens: Int, trainedTokens: Int) {
    self.name = name
    self.examples = examples
    self.tokens = tokens
    self.trainedTokens = trainedTokens
  }

  var json: JSON {
    ["examples": .integer(examples), "tokens": .integer(tokens), "trained_tokens": .integer(trainedTokens)]
  }
}

/// What the clock and the machine said about a step; differs from run to run.
public struct TimingRecord: Sendable, Hashable {
  /// Counted from 0, as in `StepRecord`.
  public let step: Int
  /// Since the run, or its resumption, began.
  public let seconds: Double
  /// Since the run or its resumption began.
  public let tokensPerSecond: Double
  /// Most memory held so far.
  public let peakBytes: Int
  /// Of `seconds`, those that watching took; nil where nothing is watched.
  public let watchSeconds: Double?

  public init(step: Int, seconds: Double, tokensPerSecond: Double, peakBytes: Int, watchSeconds: Double? = nil) {
    self.step = step
    self.seconds = seconds
    self.tokensPerSecond = tokensPerSecond
    self.peakBytes = peakBytes
    self.watchSeconds = watchSeconds
  }

  /// The record as an object; watching only where something is watched.
  public var json: JSON {
    var object: JSONObject = [
      "step": .integer(step), "seconds": .number(seconds), "tokens_per_second": .number(tokensPerSecond),
      "peak_bytes": .integer(peakBytes),
    ]
    if let watchSeconds { object["watch_seconds"] = .number(watchSeconds) }
    return .object(object)
  }

  /// Reads it back. Throws every member that is missing or of another kind; `subject` is what the complaints begin with.
  public init(_ json: JSON, subject: String = "timing.jsonl") throws(Problems) {
    var reader = FactReader(json, subject: subject)
    step = reader.int("step")
    seconds = reader.number("seconds")
    tokensPerSecond = reader.number("tokens_per_second")
    peakBytes = reader.int("peak_bytes")
    watchSeconds = reader.optionalNumber("watch_seconds")
    try reader.problems.check()
  }

  /// A line of `timing.jsonl`.
  public var line: String { json.text() + "\n" }
}

/// A measured score with its uncertainty.
public struct ScoreRecord: Sendable, Hashable {
  /// Such as `clinic.exact_match`.
  public let name: String
  /// In `unit`.
  public let value: Double
  /// Of `value`; nil where none can be given.
  public let standardError: Double?
  /// How many items, or labels, stand behind it.
  public let count: Int
  /// Such as `share of items` or `nats a label`.
  public let unit: String
  /// What was measured, in words: file, template, shots.
  public let what: String
  /// The step after which it was measured; nil outside a run.
  public let step: Int?

  public init(
    name: String, value: Double, standardError: Double?, count: Int, unit: String, what: String, step: Int? = nil
  ) {
    self.name = name
    self.value = value
    self.standardError = standardError
    self.count = count
    self.unit = unit
    self.what = what
    self.step = step
  }

  /// The record as an object; what is nil is left out.
  public var json: JSON {
    var object: JSONObject = ["score": .string(name), "value": .number(value)]
    if let standardError { object["standard_error"] = .number(standardError) }
    object["count"] = .integer(count)
    object["unit"] = .string(unit)
    object["what"] = .string(what)
    if let step { object["step"] = .integer(step) }
    return .object(object)
  }

  /// Reads it back. Throws every member that is missing or of another kind; `subject` is what the complaints begin with.
  public init(_ json: JSON, subject: String = "scores") throws(Problems) {
    var reader = FactReader(json, subject: subject)
    name = reader.string("score")
    value = reader.number("value")
    standardError = reader.optionalNumber("standard_error")
    count = reader.int("count")
    unit = reader.string("unit")
    what = reader.string("what")
    step = reader.optionalInt("step")
    try reader.problems.check()
  }

  /// A line of `metrics.jsonl`.
  public var line: String { json.text() + "\n" }
}
