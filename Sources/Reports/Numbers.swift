#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Numbers as people read them: no locale, a true minus sign, and no more digits than mean something.
public enum Numbers {
  /// Exactly so many decimals, rounded to nearest.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : value > 0 ? "∞" : "−∞" }
    let scaled = (abs(value) * pow(10, Double(decimals))).rounded()
    guard scaled < 0x1p62 else { return "\(value)" }
    var digits = String(Int(scaled))
    if decimals > 0 {
      digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
    }
    return (value < 0 && scaled > 0 ? "−" : "") + digits
  }

  /// A difference with its sign, `+0.021` or `−0.310`; what rounds to nothing has none.
  public static func change(_ value: Double, _ decimals: Int) -> String {
    let text = fixed(value, decimals)
    return value > 0 && text.contains(where: { $0 != "0" && $0 != "." }) ? "+" + text : text
  }

  /// So many significant digits, in powers of ten where fixed digits would be long.
  public static func significant(_ value: Double, _ digits: Int = 4) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
    let exponent = Int(floor(log10(abs(value))))
    if (-4..<6).contains(exponent) { return trimmed(fixed(value, max(0, digits - 1 - exponent))) }
    return "\(trimmed(fixed(value / pow(10, Double(exponent)), digits - 1)))e\(exponent < 0 ? "−" : "")\(abs(exponent))"
  }

  /// A value with its uncertainty; the uncertainty shows two digits unless `decimals` says otherwise.
  public static func plusMinus(_ value: Double, _ error: Double?, decimals: Int? = nil) -> String {
    guard let error, error.isFinite else { return decimals.map { fixed(value, $0) } ?? significant(value) }
    let shown = decimals ?? (error > 0 ? min(6, max(0, 1 - Int(floor(log10(error))))) : 3)
    return "\(fixed(value, shown)) ± \(fixed(error, shown))"
  }

  /// A share in percent, as `62.1 ± 1.1`, without the sign.
  public static func percent(_ share: Double, _ error: Double? = nil, decimals: Int = 1) -> String {
    plusMinus(share * 100, error.map { $0 * 100 }, decimals: decimals)
  }

  /// `1,234,567`
  public static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var out = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { out += "," }
      out.append(digit)
    }
    return (value < 0 ? "−" : "") + out
  }

  /// `853`, `12.3k`, `1.20M`: three significant digits.
  public static func compact(_ value: Double) -> String {
    for (size, letter) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= size * 0.9995 {
      let scaled = value / size
      return fixed(scaled, abs(scaled) < 9.995 ? 2 : abs(scaled) < 99.95 ? 1 : 0) + letter
    }
    return abs(value) < 9.995 && value != value.rounded() ? fixed(value, 2) : fixed(value, 0)
  }

  /// `512 B`, `3.21 GiB`
  public static func bytes(_ count: Int) -> String {
    for (power, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] where count >= 1 << power {
      let scaled = Double(count) / Double(1 << power)
      return fixed(scaled, scaled < 10 ? 2 : scaled < 100 ? 1 : 0) + " " + unit
    }
    return "\(count) B"
  }

  /// `0.4 s`, `42 s`, `3 min 20 s`, `2 h 05 min`, `1 d 4 h`
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "?" }
    if seconds < 9.95 { return fixed(seconds, 1) + " s" }
    let whole = Int(seconds.rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return "\(whole / 60) min \(two(whole % 60)) s"
    case ..<86400: return "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
    default: return "\(whole / 86400) d \(whole % 86400 / 3600) h"
    }
  }

  /// Without zeros at the end of the fraction.
  static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
