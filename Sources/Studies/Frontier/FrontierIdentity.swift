internal import HoldfastBasics

/// What decides a point's numbers, as a hash: contents in place of paths, so that a point is known again in another folder or clone.
struct FrontierIdentity {
  private var known: [String: String] = [:]

  /// Keys that say where things lie or how fast they go, not what comes out.
  private static let places = ["output", "data_cache", "artifacts", "threads", "report_every", "checkpoint", "device", "search"]

  /// Of a resolved recipe with everything that is measured beside it.
  mutating func hash(_ recipe: JSONObject, beside other: JSON) throws -> String {
    var recipe = recipe
    for key in Self.places { recipe[key] = nil }
    // A knob that is off says nothing: a later version's new one does not make points of earlier ones unknown.
    recipe = JSON.object(recipe).said.object ?? recipe
    return ContentHash.of(try JSON.array([contents(.object(recipe)), contents(other)]).sorted.text())
  }

  private mutating func contents(_ json: JSON) throws -> JSON {
    switch json {
    case .object(let object): return .object(JSONObject(try object.members.map { ($0, try contents($1)) }))
    case .array(let list): return .array(try list.map { try contents($0) })
    case .string(let text) where Self.isPath(text): return .string(try hash(of: text))
    default: return json
    }
  }

  /// Of a file, or of a folder's files.
  mutating func hash(of path: String) throws -> String {
    if let found = known[path] { return found }
    let hash: String
    if Files.isFolder(path) {
      var all = ContentHash()
      // Of a run what its methods recorded; its clock and its paths differ from clone to clone.
      let isRun = Files.exists(path + "/record")
      for file in try Self.files(isRun ? path + "/record" : path, below: isRun) where !isRun || file.hasSuffix(".safetensors") {
        all.update(Files.name(of: file) + " " + (try self.hash(of: file)) + "\n")
      }
      hash = all.finish()
    } else {
      hash = try ContentHash.of(file: path)
    }
    known[path] = hash
    return hash
  }

  /// The files of a folder, and of those in it.
  private static func files(_ folder: String, below: Bool) throws -> [String] {
    try Files.list(folder).flatMap { name -> [String] in
      let path = folder + "/" + name
      if Files.isFolder(path) { return below ? try files(path, below: true) : [] }
      return [path]
    }
  }

  private static func isPath(_ text: String) -> Bool { (text.contains("/") || text.contains(".")) && !text.contains("\n") && Files.exists(text) }

  /// Files that a recipe names: every `path` in it.
  static func paths(_ recipe: JSONObject) -> [String] {
    recipe.members.flatMap { key, value -> [String] in
      switch value {
      case .object(let object): paths(object)
      case .array(let list): list.flatMap { entry in entry.object.map(paths) ?? (key == "path" || key == "paths" ? [entry.string].compactMap { $0 } : []) }
      case .string(let text) where key == "path": [text]
      default: []
      }
    }
  }
}

extension JSON {
  /// Without members that are null or empty.
  fileprivate var said: JSON {
    switch self {
    case .object(let object):
      .object(JSONObject(object.members.map { ($0, $1.said) }.filter { $1 != .null && $1.array?.isEmpty != true && $1.object?.isEmpty != true }))
    case .array(let list): .array(list.map(\.said))
    default: self
    }
  }

  /// Members of objects in the order of their names.
  fileprivate var sorted: JSON {
    switch self {
    case .object(let object): .object(JSONObject(object.members.sorted { $0.0 < $1.0 }.map { ($0, $1.sorted) }))
    case .array(let list): .array(list.map(\.sorted))
    default: self
    }
  }
}
