internal import HoldfastBasics

/// What a condition or an order may name: a column, or a score that some run has.
enum Field {
  case number(String)
  case text(String)
  case score(String)

  static let numbers = ["loss", "steps", "planned", "seed", "learning_rate", "trained", "seconds"]
  static let texts = ["kind", "state", "model", "method", "device", "libtorch", "path"]

  /// - Throws: `Problems` with the nearest name where there is no such field.
  init(_ name: String, scores: [String]) throws(Problems) {
    if Self.numbers.contains(name) {
      self = .number(name)
    } else if Self.texts.contains(name) {
      self = .text(name)
    } else if scores.contains(name) {
      self = .score(name)
    } else {
      let all = Self.numbers + Self.texts + scores
      let cure = nearestName(to: name, among: all).map { "did you mean \($0)?" } ?? "there are " + all.joined(separator: ", ")
      throw Problems("runs", ["no run has a fact or score \(name); \(cure)"])
    }
  }

  /// The value in SQL; a score's name is its argument.
  var sql: String {
    switch self {
    case .number(let column), .text(let column): "runs.\(column)"
    case .score: "(SELECT value FROM scores WHERE scores.path = runs.path AND scores.name = ?)"
    }
  }

  var argument: String? {
    if case .score(let name) = self { name } else { nil }
  }

  var isText: Bool {
    if case .text = self { true } else { false }
  }
}
