internal import HoldfastBasics

/// A part of tokenizer.json being read: its members, where it stands, and the complaints about the whole file.
struct PartReader {
  let json: JSON
  /// Such as `pre_tokenizer.pretokenizers[1]`.
  let place: String
  let problems: Complaints

  /// Complaints of one file, shared by the readers of its parts.
  final class Complaints {
    var problems: Problems
    init(_ subject: String) { problems = Problems(subject) }
  }

  func complain(_ what: String) { problems.problems.add("\(place): \(what)") }

  var type: String {
    if let type = json["type"]?.string { return type }
    complain("lacks its type")
    return ""
  }

  func unsupported(_ kinds: [String]) {
    complain("the type \(json["type"]?.string?.debugDescription ?? "?") is not supported (these are: \(kinds.joined(separator: ", ")))")
  }

  /// A member; the default where it is missing or null, a complaint where it is of another kind.
  private func member<T>(_ key: String, _ value: (JSON) -> T?, _ kind: String, default fallback: T?, empty: T) -> T {
    guard let found = json[key], !found.isNull else {
      if let fallback { return fallback }
      complain("lacks \(key)")
      return empty
    }
    if let result = value(found) { return result }
    complain("\(key) is not \(kind)")
    return empty
  }

  func bool(_ key: String, default fallback: Bool? = nil) -> Bool {
    member(key, \.bool, "true or false", default: fallback, empty: false)
  }
  func text(_ key: String, default fallback: String? = nil) -> String {
    member(key, \.string, "a string", default: fallback, empty: "")
  }
  /// A number that is not negative.
  func count(_ key: String, default fallback: Int? = nil) -> Int {
    member(key, { $0.int.flatMap { $0 >= 0 && $0 < 1 << 31 ? $0 : nil } }, "a count", default: fallback, empty: 0)
  }
  /// A string of one scalar.
  func character(_ key: String, default fallback: UInt32? = nil) -> UInt32 {
    member(
      key, { $0.string.flatMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first?.value : nil } },
      "a string of one character", default: fallback, empty: 0x20)
  }

  /// Readers of the elements of an array.
  func parts(_ key: String) -> [PartReader] {
    let elements = member(key, \.array, "an array", default: nil, empty: [])
    return elements.enumerated().map { i, element in
      PartReader(json: element, place: "\(place).\(key)[\(i)]", problems: problems)
    }
  }

  /// `{"String": …}`, `{"Regex": …}` or, in old files, a plain string.
  func pattern(_ key: String = "pattern") -> SplitPattern {
    let found = json[key]
    if let text = found?["String"]?.string ?? found?.string { return .literal(Array(text.utf8)) }
    guard let text = found?["Regex"]?.string else {
      complain("\(key) is neither {\"String\": …} nor {\"Regex\": …}")
      return .literal([])
    }
    do {
      return try SplitPattern(regex: text)
    } catch {
      complain("\(error)")
      return .literal([])
    }
  }
}
