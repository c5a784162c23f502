public import HoldfastBasics

/// What a model scored on one task.
public struct TaskScore: Sendable, Hashable {
  /// Nats a label of a loss, a share between 0 and 1 of a score.
  public var value: Double
  /// Over items; nil where none can be given.
  public var standardError: Double?
  /// Items, or labels.
  public var count: Int

  public init(_ value: Double, standardError: Double? = nil, count: Int = 0) {
    self.value = value
    self.standardError = standardError
    self.count = count
  }
}

/// What a model scored where points are chosen, and where they are reported; by task.
public struct SplitScores: Sendable, Hashable {
  public var validation: [String: TaskScore]
  public var test: [String: TaskScore]

  public init(validation: [String: TaskScore] = [:], test: [String: TaskScore] = [:]) {
    self.validation = validation
    self.test = test
  }

  public var isEmpty: Bool { validation.isEmpty && test.isEmpty }
}

/// A place on a run's way: after so many steps, or so far between two models.
public struct FrontierStation: Sendable, Hashable {
  /// Steps of a run; 0 to 1 between base and tuned model.
  public var at: Double
  /// Less is better.
  public var losses: SplitScores
  /// More is better; empty where only losses were measured.
  public var scores: SplitScores

  public init(at: Double, losses: SplitScores = SplitScores(), scores: SplitScores = SplitScores()) {
    self.at = at
    self.losses = losses
    self.scores = scores
  }
}

/// A finished point of a study: one line of its `points.jsonl`, numbers and hashes only.
public struct FrontierPoint: Sendable, Hashable {
  public static let format = 1

  /// SHA-256 of all that decides the numbers: recipe, contents of data and model, what is measured.
  public var key: String
  /// The method, as the study names it; `base` for the model before tuning.
  public var method: String
  /// Which knob values.
  public var strength: Double?
  /// nil where nothing trains.
  public var rate: Double?
  public var seed: Int
  /// In the order of the way. The base has one.
  public var stations: [FrontierStation]
  /// Share of the parameters that train.
  public var trained: Double?
  /// Of the run without measuring: before the first step, and of all steps.
  public var preparingSeconds: Double?
  public var trainingSeconds: Double?
  /// Of measuring: during and after.
  public var measuringSeconds: Double?
  /// Most memory held; nil where the machine does not tell it for one run alone.
  public var peakBytes: Int?
  /// Of what the run leaves: model, delta or adapter.
  public var bytes: Int?
  /// Whether it was stopped and went on: its seconds are then only those of the last part.
  public var isResumed: Bool
  /// Versions of Holdfast and libtorch, the processor, and how many threads.
  public var code: String
  public var libtorch: String
  public var processor: String
  public var threads: Int

  public init(
    key: String, method: String, strength: Double? = nil, rate: Double? = nil, seed: Int, stations: [FrontierStation], trained: Double? = nil,
    preparingSeconds: Double? = nil, trainingSeconds: Double? = nil, measuringSeconds: Double? = nil, peakBytes: Int? = nil, bytes: Int? = nil,
    isResumed: Bool = false, code: String, libtorch: String, processor: String, threads: Int
  ) {
    self.key = key
    self.method = method
    self.strength = strength
    self.rate = rate
    self.seed = seed
    self.stations = stations
    self.trained = trained
    self.preparingSeconds = preparingSeconds
    self.trainingSeconds = trainingSeconds
    self.measuringSeconds = measuringSeconds
    self.peakBytes = peakBytes
    self.bytes = bytes
    self.isResumed = isResumed
    self.code = code
    self.libtorch = libtorch
    self.processor = processor
    self.threads = threads
  }

  /// A line of `points.jsonl`.
  public var line: String { json.text() + "\n" }

  public var json: JSON {
    func number(_ value: Double) -> JSON { .number(Self.rounded(value)) }
    func tasks(_ scores: [String: TaskScore], full: Bool) -> JSON {
      .object(JSONObject(scores.sorted { $0.key < $1.key }.map { name, score in
        full
          ? (name, .array([number(score.value), score.standardError.map(number) ?? .null, .integer(score.count)]))
          : (name, number(score.value))
      }))
    }
    // Errors of losses would be most of the file, and say little beside the spread over seeds.
    func splits(_ s: SplitScores, full: Bool) -> JSON { ["validation": tasks(s.validation, full: full), "test": tasks(s.test, full: full)] }
    var object: JSONObject = ["format": .integer(Self.format), "key": .string(key), "method": .string(method)]
    if let strength { object["strength"] = .number(strength) }
    if let rate { object["rate"] = .number(rate) }
    object["seed"] = .integer(seed)
    if let trained { object["trained"] = number(trained) }
    for (name, value) in [("preparing_seconds", preparingSeconds), ("training_seconds", trainingSeconds), ("measuring_seconds", measuringSeconds)] {
      if let value { object[name] = .number((value * 1000).rounded() / 1000) }
    }
    if let peakBytes { object["peak_bytes"] = .integer(peakBytes) }
    if let bytes { object["bytes"] = .integer(bytes) }
    if isResumed { object["resumed"] = true }
    object["code"] = .string(code)
    object["libtorch"] = .string(libtorch)
    object["processor"] = .string(processor)
    object["threads"] = .integer(threads)
    object["stations"] = .array(stations.map { station in
      var entry: JSONObject = ["at": .number(station.at)]
      if !station.losses.isEmpty { entry["loss"] = splits(station.losses, full: false) }
      if !station.scores.isEmpty { entry["score"] = splits(station.scores, full: true) }
      return .object(entry)
    })
    return .object(object)
  }

  /// Reads it back. Throws every member that is missing or of another kind.
  public init(_ json: JSON, subject: String = "points.jsonl") throws(Problems) {
    var reader = FactReader(json, subject: subject)
    let format = reader.int("format")
    if format > Self.format { reader.complain("format \(format) is newer than this Holdfast, which reads up to \(Self.format)") }
    key = reader.string("key")
    method = reader.string("method")
    strength = reader.optionalNumber("strength")
    rate = reader.optionalNumber("rate")
    seed = reader.int("seed")
    trained = reader.optionalNumber("trained")
    preparingSeconds = reader.optionalNumber("preparing_seconds")
    trainingSeconds = reader.optionalNumber("training_seconds")
    measuringSeconds = reader.optionalNumber("measuring_seconds")
    peakBytes = reader.optionalInt("peak_bytes")
    bytes = reader.optionalInt("bytes")
    isResumed = json["resumed"]?.bool ?? false
    code = reader.string("code")
    libtorch = reader.string("libtorch")
    processor = reader.string("processor")
    threads = reader.int("threads")
    func tasks(_ json: JSON?) -> [String: TaskScore] {
      var result: [String: TaskScore] = [:]
      for (name, value) in (json?.object ?? JSONObject()).members {
        if let number = value.double { result[name] = TaskScore(number) }
        if let parts = value.array, let number = parts.first?.double {
          result[name] = TaskScore(number, standardError: value[1]?.double, count: value[2]?.int ?? 0)
        }
      }
      return result
    }
    func splits(_ json: JSON?) -> SplitScores { SplitScores(validation: tasks(json?["validation"]), test: tasks(json?["test"])) }
    stations = []
    if json["stations"]?.array == nil { reader.complain("stations is not a list") }
    for entry in json["stations"]?.array ?? [] {
      guard let at = entry["at"]?.double else {
        reader.complain("a station has no `at`")
        continue
      }
      stations.append(FrontierStation(at: at, losses: splits(entry["loss"]), scores: splits(entry["score"])))
    }
    try reader.problems.check()
  }

  /// Six decimals: more are noise of the last bits, and would only lengthen a file that is kept.
  private static func rounded(_ value: Double) -> Double { value.isFinite ? (value * 1e6).rounded() / 1e6 : value }
}

/// The finished points of a study, a line each.
public struct FrontierPoints: Sendable {
  public let path: String
  public private(set) var points: [FrontierPoint] = []
  /// Bytes of whole lines; what a kill left behind them is cut off by the next one.
  private var length = 0

  /// Reads what is there. A last line without its end, as a killed study leaves it, is left out; any other damage is an error with its line.
  public init(path: String) throws {
    self.path = path
    guard Files.exists(path) else { return }
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    let pieces = file.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, piece) in pieces.dropLast().enumerated() {
      length += piece.count + 1
      if piece.isEmpty { continue }
      let subject = "\(Files.name(of: path)) line \(index + 1)"
      do {
        points.append(try FrontierPoint(JSON(Array(piece)), subject: subject))
      } catch let error as JSONError { throw Problems(subject, [error.description]) }
    }
  }

  /// Appends a line and returns once it is on the disk.
  public mutating func add(_ point: FrontierPoint) throws {
    if !Files.exists(path) { try Files.makeFolder(Files.folder(of: path)) }
    let line = point.line
    // As it will be read: numbers do not change when a study is opened again.
    let kept = try FrontierPoint(JSON(text: line))
    let writer = try FileWriter(appendingTo: path, at: length)
    try writer.write(line)
    try writer.sync()
    length += line.utf8.count
    points.append(kept)
  }

  public subscript(key: String) -> FrontierPoint? { points.first { $0.key == key } }
}
