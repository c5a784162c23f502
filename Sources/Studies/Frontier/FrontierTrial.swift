extension FrontierStudy.Method {
  /// What is tried of it first; a rate stands in where none is named.
  var firstTrial: FrontierTrial { FrontierTrial.grid(strengths: strengths, rates: rates.isEmpty ? [1] : rates)[0] }
}

/// One setting of a method's knobs: what is tried of it beside others.
public struct FrontierTrial: Sendable, Hashable {
  /// Of the method's knob; nil where the study varies none.
  public let strength: Double?
  /// nil where nothing trains.
  public let rate: Double?

  public init(strength: Double? = nil, rate: Double? = nil) {
    self.strength = strength
    self.rate = rate
  }

  /// Such as `lambda 10, rate 1e-3`; `knob` is the path of the knob, whose last word is shown.
  public func label(knob: String?) -> String {
    var parts: [String] = []
    if let strength { parts.append("\(knob.map { $0.split(separator: ".").last.map(String.init) ?? $0 } ?? "strength") \(Self.text(strength))") }
    if let rate { parts.append("rate \(Self.text(rate))") }
    return parts.joined(separator: ", ")
  }

  /// The shortest form: 1e-3, 3e-4, 0.25, 10.
  static func text(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e6 { return "\(Int(value))" }
    if abs(value) >= 0.01 { return "\(value)" }
    var exponent = 0, digits = abs(value)
    while digits < 0.9999999 {
      digits *= 10
      exponent -= 1
    }
    digits = (digits * 1e6).rounded() / 1e6
    let text = digits == digits.rounded() ? "\(Int(digits))" : "\(digits)"
    return "\(value < 0 ? "-" : "")\(text)e\(exponent)"
  }

  /// All pairs of strengths and rates, from the middle outwards: what is tried first says most. Of two that are as far from the
  /// middle the higher rate comes first.
  package static func grid(strengths: [Double], rates: [Double]) -> [FrontierTrial] {
    let strengths: [Double?] = strengths.isEmpty ? [nil] : strengths.sorted(), rates: [Double?] = rates.isEmpty ? [nil] : rates.sorted()
    var found: [(distance: Int, rate: Int, strength: Int)] = []
    for s in strengths.indices {
      for r in rates.indices { found.append((abs(s - strengths.count / 2) + abs(r - rates.count / 2), r, s)) }
    }
    return found.sorted { ($0.distance, -$0.rate, $0.strength) < ($1.distance, -$1.rate, $1.strength) }
      .map { FrontierTrial(strength: strengths[$0.strength], rate: rates[$0.rate]) }
  }
}
