internal import HoldfastBasics

/// Where the parts of a run lie.
public struct RunFolder: Sendable, Hashable {
  /// The folder itself.
  public let path: String

  public init(_ path: String) { self.path = path }

  /// A new run's folder. An existing run is never written over.
  public static func create(_ path: String) throws -> RunFolder {
    let run = RunFolder(path)
    if Files.exists(path) {
      guard Files.isFolder(path) else { throw FileError(path: path, doing: "make the run folder", code: 0, reason: "a file is there") }
      guard try Files.list(path).isEmpty else {
        let cure = Files.exists(run.manifest) ? "a run is there; go on with `resume \(path)`, or name another output" : "the folder is not empty; name another output"
        throw FileError(path: path, doing: "make the run folder", code: 0, reason: cure)
      }
    }
    try Files.makeFolder(run.checkpoints)
    return run
  }

  /// What the run is made of; written before the first step.
  public var manifest: String { path + "/manifest.json" }
  /// Steps and held-out scores, decided by seed and data alone.
  public var metrics: String { path + "/metrics.jsonl" }
  /// What the clock said of each step.
  public var timing: String { path + "/timing.jsonl" }
  /// For TensorBoard, which takes every file with `tfevents` in its name.
  public var events: String { path + "/events.tfevents" }
  /// A `CheckpointStore`.
  public var checkpoints: String { path + "/checkpoints" }
  /// The export.
  public var final: String { path + "/final" }
  /// What methods leave for a next stage, a folder each.
  public var record: String { path + "/record" }
  /// A `RunOutcome`; not there while the run works.
  public var outcome: String { path + "/outcome.json" }
  /// The run's page.
  public var report: String { path + "/report.html" }

  /// Steps and scores of `metrics.jsonl`, in its order. A last line without its end, as a killed run leaves it,
  /// is left out; any other damage is an error with its line.
  public func readMetrics() throws -> (steps: [StepRecord], scores: [ScoreRecord]) {
    var steps: [StepRecord] = [], scores: [ScoreRecord] = []
    try RunFolder.lines(of: metrics) { value, subject in
      if value["score"] != nil { scores.append(try ScoreRecord(value, subject: subject)) } else { steps.append(try StepRecord(value, subject: subject)) }
    }
    return (steps, scores)
  }

  /// The last step and all scores of `metrics.jsonl`, of a run that may be at work: nothing between is looked at, and a line
  /// that is half written is left out.
  public func readEnd() throws -> (step: StepRecord?, scores: [ScoreRecord]) {
    // Read, not mapped: a resume may cut the file at any moment.
    let bytes = try Files.read(metrics), head = Array(#"{"score""#.utf8)
    var last: (line: ArraySlice<UInt8>, number: Int)?, scores: [ScoreRecord] = []
    func record<T>(_ line: ArraySlice<UInt8>, _ number: Int, _ make: (JSON, String) throws(Problems) -> T) throws -> T {
      let subject = "\(Files.name(of: metrics)) line \(number)"
      do { return try make(JSON(Array(line)), subject) } catch let error as JSONError { throw Problems(subject, [error.description]) }
    }
    for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().enumerated() {
      if line.starts(with: head) {
        scores.append(try record(line, index + 1) { json, subject throws(Problems) in try ScoreRecord(json, subject: subject) })
      } else { last = (line, index + 1) }
    }
    let step = try last.map { try record($0.line, $0.number) { json, subject throws(Problems) in try StepRecord(json, subject: subject) } }
    return (step, scores)
  }

  /// Records of `timing.jsonl`, with the same care as `readMetrics`.
  public func readTiming() throws -> [TimingRecord] {
    var records: [TimingRecord] = []
    try RunFolder.lines(of: timing) { records.append(try TimingRecord($0, subject: $1)) }
    return records
  }

  private static func lines(of path: String, _ body: (JSON, _ subject: String) throws -> Void) throws {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    let pieces = file.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, piece) in pieces.dropLast().enumerated() {
      let subject = "\(Files.name(of: path)) line \(index + 1)"
      do {
        try body(try JSON(Array(piece)), subject)
      } catch let error as JSONError { throw Problems(subject, [error.description]) }
    }
  }
}
