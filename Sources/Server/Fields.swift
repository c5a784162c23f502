internal import HoldfastBasics

/// Reads the members of a request's body; every complaint is kept, with the field it is about.
struct Fields {
  private let object: JSONObject
  private var known: Set<String> = []
  private(set) var complaints: [(field: String, words: String)] = []

  init(_ object: JSONObject) { self.object = object }

  mutating func complain(_ field: String, _ words: String) { complaints.append((field, "\(field) \(words)")) }

  /// A member that is there and not null.
  mutating func json(_ field: String) -> JSON? {
    known.insert(field)
    guard let value = object[field], value != .null else { return nil }
    return value
  }

  mutating func integer(_ field: String, in range: ClosedRange<Int>? = nil) -> Int? {
    guard let value = json(field) else { return nil }
    guard let number = value.int, range?.contains(number) ?? true else {
      complain(field, range.map { "is a whole number from \($0.lowerBound) to \($0.upperBound)" } ?? "is a whole number")
      return nil
    }
    return number
  }

  mutating func number(_ field: String, in range: ClosedRange<Double>? = nil) -> Double? {
    guard let value = json(field) else { return nil }
    guard let number = value.double, number.isFinite, range?.contains(number) ?? true else {
      complain(field, range.map { "is a number from \($0.lowerBound) to \($0.upperBound)" } ?? "is a number")
      return nil
    }
    return number
  }

  mutating func flag(_ field: String) -> Bool {
    guard let value = json(field) else { return false }
    guard let flag = value.bool else {
      complain(field, "is true or false")
      return false
    }
    return flag
  }

  mutating func string(_ field: String) -> String? {
    guard let value = json(field) else { return nil }
    guard let text = value.string else {
      complain(field, "is a text")
      return nil
    }
    return text
  }

  /// What changes nothing in an answer of this server.
  mutating func ignore(_ fields: [String]) { known.formUnion(fields) }

  /// What this server does not do, and the values that ask for nothing.
  mutating func refuse(_ field: String, unless neutral: [JSON], _ words: String) {
    if let value = json(field), !neutral.contains(value) { complain(field, words) }
  }

  /// - Throws: everything that is wrong, fields that nobody read included.
  mutating func check() throws(APIError) {
    for field in object.keys where !known.contains(field) {
      complain(field, "is no field of this request" + (nearestName(to: field, among: known.sorted()).map { "; did you mean \($0)?" } ?? ""))
    }
    guard let first = complaints.first else { return }
    throw .bad(complaints.map(\.words).joined(separator: "; "), parameter: first.field)
  }
}
