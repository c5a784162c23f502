internal import HoldfastBasics

/// A number above 0, or a word that lets the method find it.
struct AutoNumber: KeyValue, Hashable {
  static var kindOfValue: String { "a number at least 0, or auto" }
  static var placeholder: AutoNumber { AutoNumber(number: nil) }
  /// nil: `auto`.
  let number: Double?

  init(number: Double?) { self.number = number }
  init?(key json: JSON) {
    if json == "auto" { self.init(number: nil) } else if let number = Double(key: json), number >= 0 { self.init(number: number) } else { return nil }
  }
  var json: JSON { number.map { .number($0) } ?? "auto" }
}

/// A number above 0, or `mean`.
struct MeanOrNumber: KeyValue, Hashable {
  static var kindOfValue: String { "a number above 0, or mean" }
  static var placeholder: MeanOrNumber { MeanOrNumber(number: nil) }
  /// nil: `mean`.
  let number: Double?

  init(number: Double?) { self.number = number }
  init?(key json: JSON) {
    if json == "mean" { self.init(number: nil) } else if let number = Double(key: json), number > 0 { self.init(number: number) } else { return nil }
  }
  var json: JSON { number.map { .number($0) } ?? "mean" }
}
