internal import HoldfastBasics

/// Reads the members of a record that we wrote ourselves, collecting what does not fit.
struct FactReader {
  private let object: JSONObject
  private let place: String
  private(set) var problems: Problems

  init(_ json: JSON, subject: String, place: String = "") {
    problems = Problems(subject)
    self.place = place
    object = json.object ?? JSONObject()
    if json.object == nil { complain("\(place.isEmpty ? "the record" : place) is not an object") }
  }

  mutating func complain(_ words: String) { problems.add(words) }

  private mutating func take<T>(_ key: String, _ kind: String, _ fallback: T, _ convert: (JSON) -> T?) -> T {
    guard let value = object[key].flatMap(convert) else {
      complain("\(place.isEmpty ? "" : place + ".")\(key) is \(object[key] == nil ? "missing" : "not \(kind)")")
      return fallback
    }
    return value
  }

  mutating func string(_ key: String) -> String { take(key, "a text", "") { $0.string } }
  mutating func int(_ key: String) -> Int { take(key, "a whole number", 0) { $0.int } }
  mutating func object(_ key: String) -> JSONObject { take(key, "an object", JSONObject()) { $0.object } }

  /// A number; null stands for one that is not finite.
  mutating func number(_ key: String) -> Double {
    take(key, "a number", .nan) { $0 == .null ? .nan : $0.double }
  }

  func optionalNumber(_ key: String) -> Double? { object[key]?.double }
  func optionalInt(_ key: String) -> Int? { object[key]?.int }
  func optionalString(_ key: String) -> String? { object[key]?.string }
  func optionalObject(_ key: String) -> JSONObject? { object[key]?.object }

  mutating func list<T>(_ key: String, _ read: (inout FactReader) -> T) -> [T] {
    var values: [T] = []
    for (index, element) in take(key, "a list", [], { $0.array }).enumerated() {
      var reader = FactReader(element, subject: problems.subject, place: "\(key)[\(index)]")
      values.append(read(&reader))
      for words in reader.problems.complaints { complain(words) }
    }
    return values
  }
}
