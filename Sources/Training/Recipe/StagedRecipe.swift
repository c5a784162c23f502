public import HoldfastBasics
internal import HoldfastModels

/// A recipe with `stages:`: parts of a recipe, each trained over the weights that the one before left.
///
/// A stage holds any key of a recipe but those that say where the whole begins and lies; what it does not say holds as
/// written beside `stages`. A key that a stage has replaces the shared one whole.
public struct StagedRecipe: Sendable {
  /// Items that say how well a task is done.
  public struct Test: Sendable, Hashable {
    public enum Kind: String, KeyChoice { case answers, choices }

    public let name: String
    public let kind: Kind
    public let path: String
    /// At most; nil: all.
    public let items: Int?
    public let maximumTokens: Int

    public init(name: String, kind: Kind, path: String, items: Int?, maximumTokens: Int) {
      self.name = name
      self.kind = kind
      self.path = path
      self.items = items
      self.maximumTokens = maximumTokens
    }

    init(_ reader: KeyReader, name: String) {
      self.init(
        name: name,
        kind: reader.value("kind", default: .answers, doc: "`answers`: exact match of the greedy answer; `choices`: the likeliest option; rows as in `evaluate`."),
        path: reader.required("path", doc: "JSONL file of the items."),
        items: reader.optional("items", in: 1..., otherwise: "all", unit: "items", doc: "Only the first ones."),
        maximumTokens: reader.value("max_tokens", default: 64, in: 1..., unit: "tokens", doc: "Of an answer at most."))
    }
  }

  public struct Stage: Sendable {
    public let name: String
    /// nil: this stage is no column of the matrix.
    public let test: Test?
    /// With the model that the first stage begins with; `recipe(after:final:)` gives the one that runs.
    public let recipe: Recipe
    fileprivate let source: KeySource
    fileprivate let catalog: [MethodKeys]

    /// The recipe over what the stage before left in `final`: its model, or its adapter, which then goes on training over the
    /// model that it belongs to. By `olora` a new adapter trains instead, over that one and those under it, unless `over` or `from` is said.
    public func recipe(after earlier: Recipe, final: String) throws(Problems) -> Recipe {
      var source = source
      var model = final
      if let adapter = earlier.adapter {
        model = earlier.model
        let kind = adapter.configuration.kind.rawValue
        var knobs = source.object["adapter"]?[kind]?.object ?? JSONObject()
        let isApart = recipe.methods.contains { $0.name == "olora" }
        if isApart, knobs["over"] == nil, knobs["from"] == nil {
          knobs["over"] = (adapter.over + [final]).json
        } else if !isApart {
          knobs["from"] = .string(final)
        }
        source.object["adapter"] = [kind: .object(knobs)]
      }
      source.object["model"] = .string(model)
      source.overrides["model"] = nil
      if earlier.adapter == nil {
        source.object["initialize"] = "pretrained"
        source.overrides["initialize"] = nil
      }
      return try Recipe(source, methods: catalog)
    }
  }

  public let stages: [Stage]
  /// Measured before, between and after all stages beside their own tests: what should not be forgotten.
  public let general: [Test]
  public let output: String?
  /// Everything, as a resume reads it again.
  public let object: JSONObject

  /// Keys that only stand beside `stages`.
  private static let shared = ["model", "initialize", "output", "artifacts", "general_tests"]
  /// Keys that only stand in a stage.
  private static let own = ["name", "test"]

  /// Whether a recipe's file has stages; it is read no further.
  public static func has(file path: String) throws -> Bool { try KeySource(file: path).object["stages"] != nil }

  /// - Throws: every complaint about every stage, each once.
  public init(file path: String, overrides: [(key: String, value: String)] = [], methods: [MethodKeys] = []) throws {
    var source = try KeySource(file: path)
    try source.override(with: overrides)
    try self.init(source, methods: methods)
  }

  /// From what `object` was.
  public init(_ object: JSONObject, subject: String = "recipe", methods: [MethodKeys] = []) throws(Problems) {
    try self.init(KeySource(subject: subject, object: object), methods: methods)
  }

  private init(_ source: KeySource, methods catalog: [MethodKeys]) throws(Problems) {
    var problems = Problems(source.subject)
    var common = source.object
    let list = common["stages"]?.array ?? []
    common["stages"] = nil
    if list.isEmpty { problems.add("stages: is not valid; a list of at least one stage is") }
    general = Self.tests(common["general_tests"], &problems)
    common["general_tests"] = nil
    output = (source.overrides["output"].map { .string($0.text) } ?? common["output"])?.string

    // A flag of the whole wins over every stage; stages[1].steps over that one.
    var stages: [Stage] = [], names: [String] = [], complaints: [[String]] = []
    var whole = source.object
    for (index, element) in list.enumerated() {
      let prefix = "stages[\(index)]"
      guard let own = element.object else {
        problems.add("\(prefix): is not valid; keys with values are")
        continue
      }
      for key in Self.shared + ["stages"] where own[key] != nil { problems.add("\(prefix).\(key): stands beside stages, for all of them") }
      var object = common, lines = source.lines
      for (key, value) in own.members where !(Self.shared + Self.own).contains(key) {
        object[key] = value
        if key == "steps" { object["epochs"] = nil }
        if key == "epochs" { object["steps"] = nil }
      }
      for (path, line) in source.lines where path.hasPrefix(prefix + ".") { lines[String(path.dropFirst(prefix.count + 1))] = line }
      var overrides: [String: (value: JSON, text: String)] = [:]
      for (path, value) in source.overrides {
        if path.hasPrefix(prefix + ".") { overrides[String(path.dropFirst(prefix.count + 1))] = value } else if !path.hasPrefix("stages[") { overrides[path] = value }
      }
      let name = own["name"]?.string ?? "\(index + 1)"
      if own["name"] != nil, !Self.isName(name) { problems.add("\(prefix).name: letters, digits, - and _ make a name, which is also a folder's") }
      if names.contains(name) { problems.add("\(prefix).name: \(name) stands twice; their draws and folders would be the same") }
      names.append(name)
      let test = own["test"].flatMap { Self.tests(["\(name)": $0], &problems, at: prefix + ".test").first }
      let part = KeySource(subject: source.subject, object: object, lines: lines, overrides: overrides)
      do throws(Problems) {
        let recipe = try Recipe(part, methods: catalog)
        stages.append(Stage(name: name, test: test, recipe: recipe, source: part, catalog: catalog))
        var refused: [String] = []
        if recipe.export == .delta { refused.append("export: is delta, but a stage leaves a whole model to the next one") }
        if recipe.search != nil { refused.append("search: does not stand beside stages") }
        complaints.append(refused)
      } catch {
        complaints.append(error.complaints)
      }
    }
    for test in general where stages.contains(where: { $0.test?.name == test.name }) { problems.add("general_tests.\(test.name): is the name of a stage too") }
    for (earlier, stage) in zip(stages, stages.dropFirst()) where earlier.recipe.adapter != nil {
      if stage.recipe.adapter?.configuration.kind != earlier.recipe.adapter?.configuration.kind {
        problems.add("stage \(stage.name) has no adapter of the kind that \(earlier.name) trains, and so nothing to go on with: give all stages the same, or none")
      }
    }
    if let first = stages.first?.recipe, first.adapter != nil, first.initialize == .random, !(stages.compactMap(\.test) + general).isEmpty {
      problems.add("initialize: random beside an adapter leaves no model to test it on")
    }
    // What is wrong beside the stages is wrong in each of them, and said once.
    let everywhere = complaints.dropFirst().reduce(Set(complaints.first ?? [])) { $0.intersection($1) }
    for words in complaints.first ?? [] where everywhere.contains(words) { problems.add(words) }
    for (index, list) in complaints.enumerated() { for words in list where !everywhere.contains(words) { problems.add("stages[\(index)]: \(words)") } }
    for (path, _) in source.overrides.sorted(by: { $0.key < $1.key }) where path.hasPrefix("stages[") {
      if !list.indices.contains(where: { path.hasPrefix("stages[\($0)].") }) { problems.add("\(path): there is no such stage") }
    }
    try problems.check()
    whole["stages"] = .array(zip(stages, list).map { stage, written in
      var object = stage.recipe.resolved
      for key in Self.shared { object[key] = nil }
      object["name"] = .string(stage.name)
      object["test"] = written["test"]
      return .object(object)
    })
    for key in whole.keys where !(Self.shared + ["stages"]).contains(key) { whole[key] = nil }
    for key in ["model", "initialize"] { whole[key] = stages[0].recipe.resolved[key] }
    if let output { whole["output"] = .string(output) }
    object = whole
    self.stages = stages
  }

  /// `{name: path}` or `{name: {path: …}}`.
  private static func tests(_ value: JSON?, _ problems: inout Problems, at place: String = "general_tests") -> [Test] {
    guard let value else { return [] }
    guard let object = value.object, !object.isEmpty else {
      problems.add("\(place): is not valid; names with files are, as in {arithmetic: {path: items.jsonl}}")
      return []
    }
    var tests: [Test] = []
    for (name, entry) in object.members {
      let knobs: JSONObject = entry.object ?? ["path": entry]
      do throws(Problems) {
        tests.append(try KeyReader.read(KeySource(subject: "", object: knobs)) { Test($0, name: name) }.0)
      } catch {
        for words in error.complaints { problems.add("\(place == "general_tests" ? "general_tests.\(name)" : place).\(words)") }
      }
    }
    return tests
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" || $0 == "_") }
  }

  static var documentation: String {
    let rows = [
      KeyRow(path: "stages[]", kind: "keys of a recipe, with `name` and `test`", unit: "", fallback: "", doc: "What a stage has in place of what stands beside `stages`. Each stage trains the weights that the one before left, with a fresh optimizer."),
      KeyRow(path: "stages[].name", kind: "a text", unit: "", fallback: "its number", doc: "What tables and folders call the stage."),
    ] + KeyReader.document(at: "stages[].test") { Test($0, name: "") } + KeyReader.document(at: "general_tests.NAME") { Test($0, name: "") }
    return KeyRow.markdown(rows)
  }
}
