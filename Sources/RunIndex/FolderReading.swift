#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif
internal import HoldfastBasics
internal import HoldfastRecords

/// Finds and reads the folders of runs and studies. It changes nothing, and what it reads may be growing.
enum FolderReading {
  struct Place {
    /// Below the root; `.`: the root itself.
    let path: String
    let kind: RunIndex.Entry.Kind
    /// Path of the study that it belongs to.
    let part: String?
  }

  private static let deepest = 8
  /// Folders that hold no run.
  private static let closed: Set<String> = ["checkpoints", "final", "record", "events", "samples", "artifacts"]

  /// Runs, studies, searches and sequences of stages in and below a folder.
  static func places(_ root: String) throws -> [Place] {
    var found: [Place] = [], seen: Set<Identity> = []
    func visit(_ path: String, part: String?, depth: Int) throws {
      let folder = Self.folder(root, path)
      // A link that leads back is followed once.
      guard let identity = Identity(folder), seen.insert(identity).inserted else { return }
      let kind = kind(folder)
      if let kind { found.append(Place(path: path, kind: kind, part: part)) }
      guard depth < deepest else { return }
      let below = part ?? (kind == .run ? nil : kind.map { _ in path })
      // A folder that goes away meanwhile, or may not be read, holds nothing.
      for name in (try? Files.list(folder)) ?? [] where !name.hasPrefix(".") && !closed.contains(name) && Files.isFolder(folder + "/" + name) {
        try visit(path == "." ? name : path + "/" + name, part: below, depth: depth + 1)
      }
    }
    _ = try Files.list(root)
    try visit(".", part: nil, depth: 0)
    return found
  }

  private struct Identity: Hashable {
    let device, number: UInt64

    init?(_ path: String) {
      var facts = stat()
      guard stat(path, &facts) == 0 else { return nil }
      device = UInt64(truncatingIfNeeded: facts.st_dev)
      number = UInt64(truncatingIfNeeded: facts.st_ino)
    }
  }

  private static func folder(_ root: String, _ path: String) -> String { path == "." ? root : root + "/" + path }

  private static func kind(_ folder: String) -> RunIndex.Entry.Kind? {
    if Files.exists(folder + "/manifest.json") { return .run }
    if Files.exists(folder + "/search.json") { return .search }
    if Files.exists(folder + "/stages.json") { return .stages }
    // The points of a study may lie elsewhere; its numbers then stand beside its report.
    return Files.exists(folder + "/points.jsonl") || Files.exists(folder + "/points.csv") && Files.exists(folder + "/report.json") ? .study : nil
  }

  private static func sources(_ kind: RunIndex.Entry.Kind) -> [String] {
    switch kind {
    case .run: ["manifest.json", "metrics.jsonl", "outcome.json"]
    case .study: ["points.jsonl", "report.json"]
    case .search: ["search.json", "search.jsonl", "result.json"]
    case .stages: ["stages.json", "matrix.json"]
    }
  }

  /// Changes with what an entry is read from.
  static func stamp(_ root: String, _ place: Place) -> String {
    let folder = Self.folder(root, place.path)
    let files = sources(place.kind).map { name in
      let path = folder + "/" + name
      guard let time = try? Files.modified(path), let size = try? Files.size(path) else { return "-" }
      return "\(time) \(size)"
    }
    return (files + [place.part ?? "", Files.exists(folder + "/final/integrity.json") ? "final" : ""]).joined(separator: ", ")
  }

  static func entry(_ root: String, _ place: Place) throws -> RunIndex.Entry {
    let folder = Self.folder(root, place.path)
    var entry = RunIndex.Entry(path: place.path, part: place.part, kind: place.kind, state: .open, modified: 0)
    entry.modified = sources(place.kind).compactMap { try? Files.modified(folder + "/" + $0) }.max() ?? 0
    switch place.kind {
    case .run: try readRun(RunFolder(folder), &entry)
    case .study: try readStudy(folder, &entry)
    case .search: try readSearch(folder, &entry)
    case .stages: try readStages(folder, &entry)
    }
    return entry
  }

  // MARK: - Kinds

  private static func readRun(_ run: RunFolder, _ entry: inout RunIndex.Entry) throws {
    let manifest = try Manifest(file: run.manifest), recipe = manifest.recipe, outcome = try RunOutcome(file: run.outcome)
    entry.model = recipe["model"]?.string ?? ""
    entry.method = method(recipe)
    entry.seed = recipe["seed"]?.int
    entry.learningRate = recipe["learning_rate"]?.double
    entry.trained = manifest.trainedFraction
    entry.device = manifest.device
    entry.libtorch = manifest.libtorch
    entry.planned = outcome?.planned ?? recipe["steps"]?.int
    entry.reason = outcome?.reason
    entry.steps = 0
    if Files.exists(run.metrics) {
      let (last, scores) = try run.readEnd()
      entry.steps = last.map { $0.step + 1 } ?? 0
      entry.loss = last?.loss
      for score in scores where score.value.isFinite { entry.scores[score.name] = score.value }
    }
    if Files.exists(run.timing) { entry.seconds = try seconds(run) }
    switch outcome?.end {
    case .finished?, .stoppedEarly?: entry.state = .finished
    case .interrupted?: entry.state = .stopped
    case .failed?: entry.state = .failed
    // Written by an earlier version; a study takes the model away once its numbers stand.
    case nil: entry.state = IntegrityManifest.exists(in: run.final) || entry.part != nil && entry.steps == entry.planned ? .finished : .open
    }
  }

  /// `half + lora`
  private static func method(_ recipe: JSONObject) -> String {
    var names = (recipe["method"]?.array ?? recipe["method"].map { [$0] } ?? []).map { $0.string ?? $0.object?.keys.first ?? "" }
    if let adapter = recipe["adapter"]?.object?.keys.first { names.append(adapter) }
    return names.joined(separator: " + ")
  }

  /// The clock of a run begins anew with each resume.
  private static func seconds(_ run: RunFolder) throws -> Double? {
    var sum = 0.0, before = 0.0
    for line in try Files.read(run.timing).split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
      // What the clock said is told as far as it can be read; nothing depends on it.
      guard let now = try? JSON(Array(line))["seconds"]?.double else { continue }
      if now < before { sum += before }
      before = now
    }
    return sum + before
  }

  private static func readStudy(_ folder: String, _ entry: inout RunIndex.Entry) throws {
    let path = folder + "/points.jsonl"
    var methods: [String] = []
    if Files.exists(path) {
      let points = try FrontierPoints(path: path).points
      for point in points where point.method != "base" && !methods.contains(point.method) { methods.append(point.method) }
      entry.libtorch = points.last?.libtorch
      entry.steps = points.count { $0.method != "base" }
      let seconds = points.map { ($0.preparingSeconds ?? 0) + ($0.trainingSeconds ?? 0) + ($0.measuringSeconds ?? 0) }
      entry.seconds = seconds.reduce(0, +)
    }
    if Files.exists(folder + "/report.json") {
      let report = try json(folder + "/report.json")
      entry.planned = report["planned"]?.int
      entry.steps = entry.steps ?? report["done"]?.int
      for arm in report["measures"]?[0]?["methods"]?.array ?? [] {
        guard let name = arm["name"]?.string else { continue }
        if !methods.contains(name) { methods.append(name) }
        if let kept = arm["targets"]?[0]?["old"]?["mean"]?.double { entry.scores["kept.\(name)"] = kept }
      }
      if let done = report["done"]?.int, done == entry.planned { entry.state = .finished }
    }
    entry.method = methods.joined(separator: ", ")
    // Its runs say of which model it is.
    for name in (try? Files.list(folder + "/runs")) ?? [] {
      guard let manifest = try? Manifest(file: "\(folder)/runs/\(name)/manifest.json") else { continue }
      entry.model = manifest.recipe["model"]?.string ?? ""
      break
    }
  }

  private static func readSearch(_ folder: String, _ entry: inout RunIndex.Entry) throws {
    let recipe = try json(folder + "/search.json")["recipe"]?.object ?? JSONObject()
    entry.model = recipe["model"]?.string ?? ""
    entry.method = "search"
    entry.seed = recipe["seed"]?.int
    entry.planned = recipe["search"]?["max_runs"]?.int
    guard Files.exists(folder + "/result.json") else { return }
    let result = try json(folder + "/result.json")
    entry.state = .finished
    entry.steps = result["runs"]?.int
    entry.reason = result["chosen"]?.string.map { "chosen: \($0)" }
    for full in result["full"]?.array ?? [] {
      guard let name = full["name"]?.string else { continue }
      for key in ["speciality", "versatility", "uni"] {
        if let value = full[key]?.double, value.isFinite { entry.scores["\(key).\(name)"] = value }
      }
    }
  }

  private static func readStages(_ folder: String, _ entry: inout RunIndex.Entry) throws {
    let recipe = try json(folder + "/stages.json")["recipe"]?.object ?? JSONObject(), stages = recipe["stages"]?.array ?? []
    entry.model = recipe["model"]?.string ?? ""
    var methods: [String] = []
    for stage in stages.compactMap(\.object) where !methods.contains(method(stage)) { methods.append(method(stage)) }
    entry.method = methods.joined(separator: ", ")
    entry.planned = stages.count
    entry.steps = 0
    guard Files.exists(folder + "/matrix.json") else { return }
    let matrix = try json(folder + "/matrix.json")
    for key in ["average_performance", "backward_transfer", "forgetting", "general_change"] {
      if let value = matrix[key]?.double, value.isFinite { entry.scores[key] = value }
    }
    entry.steps = matrix["after"]?.array?.count
    if entry.steps == entry.planned { entry.state = .finished }
  }

  private static func json(_ path: String) throws -> JSON {
    do { return try JSON(Files.read(path)) } catch let error as JSONError {
      throw FileError(path: path, doing: "read", code: 0, reason: error.description)
    }
  }
}
