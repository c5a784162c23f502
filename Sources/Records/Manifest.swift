public import HoldfastBasics

/// A file that a run read: where it was and what was in it.
public struct FileFact: Sendable, Hashable {
  /// As the recipe named it.
  public let path: String
  /// Its size.
  public let bytes: Int
  /// 64 hexadecimal digits.
  public let sha256: String

  public init(path: String, bytes: Int, sha256: String) {
    self.path = path
    self.bytes = bytes
    self.sha256 = sha256
  }

  /// Reads and hashes a file.
  public init(of path: String) throws(FileError) {
    self.init(path: path, bytes: try Files.size(path), sha256: try ContentHash.of(file: path))
  }

  var json: JSON { ["path": .string(path), "bytes": .integer(bytes), "sha256": .string(sha256)] }

  init(_ reader: inout FactReader) {
    path = reader.string("path")
    bytes = reader.int("bytes")
    sha256 = reader.string("sha256")
  }
}

/// How much of a part of the model trains, in parameters; tied tensors counted once.
public struct TrainedCount: Sendable, Hashable {
  /// Such as `embedding`, `layer 3`, `head`.
  public let part: String
  /// Parameters of the part that train.
  public let trained: Int
  /// All parameters of the part.
  public let total: Int

  public init(part: String, trained: Int, total: Int) {
    self.part = part
    self.trained = trained
    self.total = total
  }

  /// Share that trains, 0 to 1.
  public var fraction: Double { total == 0 ? 0 : Double(trained) / Double(total) }
  var json: JSON { ["part": .string(part), "trained": .integer(trained), "total": .integer(total)] }

  init(_ reader: inout FactReader) {
    part = reader.string("part")
    trained = reader.int("trained")
    total = reader.int("total")
  }
}

/// What a run was made of: with the same manifest on the same kind of machine the same bytes come out.
public struct Manifest: Sendable, Hashable {
  /// Of this file; a reader refuses later ones.
  public static let format = 1

  /// Every key, defaults included.
  public var recipe: JSONObject
  /// Training data, then held-out data.
  public var data: [FileFact]
  /// Configuration, weights and tokenizer.
  public var model: [FileFact]
  /// Version of Holdfast.
  public var code: String
  /// Version of libtorch, its build included.
  public var libtorch: String
  /// `cpu`, `cuda` or `mps`.
  public var device: String
  /// The processor or accelerator by name, with what decides its arithmetic.
  public var processor: String
  /// CPU threads that computed.
  public var threads: Int
  /// By what they are for.
  public var seeds: [(name: String, seed: Int)]
  /// By part, in the model's order.
  public var trained: [TrainedCount]
  /// What methods and preparations want kept: plans, artifacts.
  public var facts: JSONObject

  public init(
    recipe: JSONObject, data: [FileFact], model: [FileFact], code: String, libtorch: String, device: String,
    processor: String, threads: Int, seeds: [(name: String, seed: Int)], trained: [TrainedCount],
    facts: JSONObject = JSONObject()
  ) {
    self.recipe = recipe
    self.data = data
    self.model = model
    self.code = code
    self.libtorch = libtorch
    self.device = device
    self.processor = processor
    self.threads = threads
    self.seeds = seeds
    self.trained = trained
    self.facts = facts
  }

  /// The share of all parameters that trains.
  public var trainedFraction: Double {
    let total = trained.reduce(0) { $0 + $1.total }
    return total == 0 ? 0 : Double(trained.reduce(0) { $0 + $1.trained }) / Double(total)
  }

  public static func == (a: Self, b: Self) -> Bool { a.json == b.json }
  public func hash(into hasher: inout Hasher) { hasher.combine(json) }

  /// The manifest as `manifest.json` holds it.
  public var json: JSON {
    [
      "format": .integer(Self.format), "recipe": .object(recipe), "data": .array(data.map(\.json)),
      "model": .array(model.map(\.json)), "code": .string(code), "libtorch": .string(libtorch),
      "device": .string(device), "processor": .string(processor), "threads": .integer(threads),
      "seeds": .object(JSONObject(seeds.map { ($0.name, .integer($0.seed)) })),
      "trained": .array(trained.map(\.json)), "trained_fraction": .number(trainedFraction), "facts": .object(facts),
    ]
  }

  /// Reads it back. Throws every member that is missing or of another kind; `subject` is what the complaints begin with.
  public init(_ json: JSON, subject: String = "manifest.json") throws(Problems) {
    var reader = FactReader(json, subject: subject)
    let format = reader.int("format")
    if format > Self.format { reader.complain("format \(format) is newer than this Holdfast, which reads up to \(Self.format)") }
    recipe = reader.object("recipe")
    data = reader.list("data") { FileFact(&$0) }
    model = reader.list("model") { FileFact(&$0) }
    code = reader.string("code")
    libtorch = reader.string("libtorch")
    device = reader.string("device")
    processor = reader.string("processor")
    threads = reader.int("threads")
    var named: [(name: String, seed: Int)] = []
    for (name, seed) in reader.object("seeds").members {
      if let seed = seed.int { named.append((name, seed)) } else { reader.complain("seeds.\(name) is not a whole number") }
    }
    seeds = named
    trained = reader.list("trained") { TrainedCount(&$0) }
    facts = reader.object("facts")
    try reader.problems.check()
  }

  /// Reads `manifest.json` of a run.
  public init(file path: String) throws {
    try self.init(try MappedFile(path: path).json(), subject: path)
  }

  /// Writes the whole file or none of it.
  public func write(to path: String) throws(FileError) {
    try Files.writeAtomically(json.text(.pretty) + "\n", to: path)
  }
}

extension Manifest {
  /// What is not as it was, in words.
  public struct Differences: Sendable, Hashable {
    /// Another run altogether: recipe, data or model differ.
    public var run: [String] = []
    /// The same run, whose last bits may differ: threads, libtorch, device, processor or code differ.
    public var bits: [String] = []

    /// Whether all is as it was.
    public var isEmpty: Bool { run.isEmpty && bits.isEmpty }
  }

  /// What differs between this manifest and that of an earlier start of the run. Paths do not count, contents do.
  /// Keys of a recipe that say where something lies and nothing about what comes out.
  public static let places: Set<String> = ["output", "data_cache", "artifacts"]

  public func differences(from earlier: Manifest, ignoring keys: Set<String> = Manifest.places) -> Differences {
    var found = Differences()
    for key in earlier.recipe.keys + recipe.keys.filter({ earlier.recipe[$0] == nil }) where !keys.contains(key) {
      let before = earlier.recipe[key], now = recipe[key]
      guard before != now, key != "threads" else { continue }
      found.run.append("recipe: \(key) was \(before?.text(.spaced) ?? "absent"), now \(now?.text(.spaced) ?? "absent")")
    }
    for (what, before, now) in [("data", earlier.data, data), ("model", earlier.model, model)] {
      if before.count != now.count { found.run.append("\(what): \(before.count) files, now \(now.count)") }
      for (old, new) in zip(before, now) where old.sha256 != new.sha256 {
        found.run.append("\(what): \(new.path) has other contents than \(old.path) had")
      }
    }
    for (what, before, now) in [
      ("threads", "\(earlier.threads)", "\(threads)"), ("libtorch", earlier.libtorch, libtorch),
      ("device", earlier.device, device), ("processor", earlier.processor, processor), ("code", earlier.code, code),
    ] where before != now {
      found.bits.append("\(what): \(before), now \(now)")
    }
    return found
  }
}
