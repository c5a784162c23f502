internal import HoldfastBasics
internal import HoldfastTraining

/// The points of a study in the order in which they say most: every method at the first seed and its middle trial, then the first
/// seed's other trials from the middle outwards, then the other seeds. What comes after training stands behind the run it takes.
public struct FrontierPlan: Sendable {
  public struct Point: Sendable, Hashable {
    public let method: String
    public let trial: FrontierTrial
    public let seed: Int
    /// Such as `l2, lambda 10, rate 1e-3, seed 1`.
    public let label: String
    public let key: String
    /// Of the point whose model it takes; nil for a run of its own.
    public let parent: String?
    /// Whether something is trained for it.
    public let isRun: Bool

    /// Name of its folder.
    var slug: String {
      let words = label.map { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" ? String($0) : "-" }.joined()
      var short = ""
      for character in words where !(character == "-" && short.last == "-") { short.append(character) }
      return "\(short)-\(key.prefix(8))"
    }
  }

  public let base: String
  public let points: [Point]

  /// - Parameter suites: hashes of the suites that score it.
  init(_ study: FrontierStudy, suites: [String] = []) throws {
    var identity = FrontierIdentity(), points: [(phase: Int, rank: Int, method: Int, point: Point)] = []
    // Losses are part of the recipe; scores stand beside it.
    let scored: JSON = [
      "answer_tokens": .integer(study.answerTokens), "items": study.items.map { .integer($0) } ?? .null,
      "tasks": .array(study.scoreTasks.map { task in
        [
          "name": .string(task.name), "validation": .string(task.validation), "test": .string(task.test),
          "measure": .array(task.measures.filter { $0 != .loss }.map { .string($0.rawValue) }),
        ]
      }),
    ]
    let beside: JSON = suites.isEmpty ? study.scoreTasks.isEmpty ? .null : scored : .array(suites.map { .string($0) })
    var runs: [String: String] = [:], bases: JSONObject?
    func name(_ method: String, _ trial: FrontierTrial, _ seed: Int) -> String { "\(method)\n\(trial)\n\(seed)" }
    // Trained ones first: the others take their keys.
    for (number, method) in study.methods.enumerated() where !method.isAfterTraining {
      for (rank, trial) in FrontierTrial.grid(strengths: method.strengths, rates: method.rates).enumerated() {
        for (order, seed) in study.seeds.enumerated() {
          let recipe = try study.recipe(method, trial, seed: seed)
          if bases == nil { bases = recipe.resolved }
          let key = try identity.hash(recipe.resolved, beside: beside)
          runs[name(method.name, trial, seed)] = key
          points.append((order, rank, number, Self.point(method, trial, seed, key, nil)))
        }
      }
    }
    var start = bases ?? JSONObject()
    for key in start.keys where !["model", "initialize", "objective", "sequence_length", "packing", "evaluate", "precision"].contains(key) { start[key] = nil }
    base = try identity.hash(start, beside: beside)
    for (number, method) in study.methods.enumerated() {
      guard let emulated = method.emulated else { continue }
      for (order, seed) in study.seeds.enumerated() {
        let of = emulated.at(seed: seed)
        // The same models at every seed are no repetition.
        if order > 0, of == emulated.at(seed: study.seeds[0]) { continue }
        var object = start
        object["emulate"] = [
          "experts": .array(try of.experts.map { .string(try identity.hash(of: $0)) }), "anti_expert": .string(try identity.hash(of: of.antiExpert)),
          "weights": .array(of.weights.map { .number($0) }), "strengths": .array(method.strengths.sorted().map { .number($0) }),
        ]
        points.append((order, 0, number, Self.point(method, FrontierTrial(), seed, try identity.hash(object, beside: beside), nil)))
      }
    }
    for method in study.methods {
      guard let after = method.after, let parent = study.methods.first(where: { $0.name == after }), let blend = method.blend else { continue }
      let parentNumber = study.methods.firstIndex { $0.name == after }!
      for (rank, trial) in FrontierTrial.grid(strengths: parent.strengths, rates: parent.rates).enumerated() {
        for (order, seed) in study.seeds.enumerated() {
          let key = runs[name(after, trial, seed)]!
          let own = ContentHash.of("\(key) \(blend.rawValue) \(method.strengths.sorted())")
          // Straight behind its parent: before the others of that rank.
          points.append((order, rank, parentNumber, Self.point(method, trial, seed, own, key)))
        }
      }
    }
    self.points = points.sorted { a, b in
      (a.phase, a.rank, a.method, a.point.parent == nil ? 0 : 1) < (b.phase, b.rank, b.method, b.point.parent == nil ? 0 : 1)
    }.map(\.point)
  }

  private static func point(_ method: FrontierStudy.Method, _ trial: FrontierTrial, _ seed: Int, _ key: String, _ parent: String?) -> Point {
    let words = trial.label(knob: method.knob)
    return Point(
      method: method.name, trial: trial, seed: seed, label: [method.name, words, "seed \(seed)"].filter { !$0.isEmpty }.joined(separator: ", "),
      key: key, parent: parent, isRun: !method.isAfterTraining)
  }
}
