/// The exact decimal digits of a float, to round them as C and Python do: half to even on the value itself, not on its
/// shortest spelling.
struct DecimalExpansion {
  /// The digits of `value · 10^fraction`, without leading zeros but for a lone 0.
  private let digits: [UInt8]
  /// How many of them stand after the point.
  private let fraction: Int

  /// `value` finite and not negative.
  init(_ value: Double) {
    let exponent = value == 0 ? 0 : Int(value.exponent) - 52
    let significand = value.isNormal ? value.significandBitPattern | 1 << 52 : value.significandBitPattern
    // value = significand · 2^power
    let power = value.isNormal ? exponent : -1074
    var limbs: [UInt64] = []  // base 10^9, least first
    var rest = UInt64(significand)
    while rest > 0 {
      limbs.append(rest % 1_000_000_000)
      rest /= 1_000_000_000
    }
    func multiply(_ factor: UInt64) {
      var carry: UInt64 = 0
      for i in limbs.indices {
        let product = limbs[i] * factor + carry
        limbs[i] = product % 1_000_000_000
        carry = product / 1_000_000_000
      }
      if carry > 0 { limbs.append(carry) }
    }
    // m · 2^-k = m · 5^k / 10^k
    for _ in 0..<abs(power) { multiply(power > 0 ? 2 : 5) }
    fraction = value == 0 || power > 0 ? 0 : -power
    var text: [UInt8] = []
    for limb in limbs {
      var limb = limb
      for _ in 0..<9 {
        text.append(UInt8(limb % 10))
        limb /= 10
      }
    }
    while text.count > 1, text.last == 0 { text.removeLast() }
    digits = text.isEmpty ? [0] : text.reversed()
  }

  func rounded(places: Int, negative: Bool) -> String {
    var kept = digits
    while kept.count <= fraction { kept.insert(0, at: 0) }
    if places >= fraction {
      kept += Array(repeating: 0, count: places - fraction)
    } else {
      let cut = kept.count - (fraction - places)
      let tail = kept[cut...]
      kept = Array(kept[..<cut])
      let isHalf = tail.first == 5 && tail.dropFirst().allSatisfy { $0 == 0 }
      let goesUp = isHalf ? (kept.last ?? 0) % 2 == 1 : (tail.first ?? 0) >= 5
      if goesUp {
        var i = kept.count - 1
        while i >= 0, kept[i] == 9 {
          kept[i] = 0
          i -= 1
        }
        if i >= 0 { kept[i] += 1 } else { kept.insert(1, at: 0) }
      }
    }
    var text = String(decoding: kept.map { $0 + 48 }, as: UTF8.self)
    if places > 0 { text.insert(".", at: text.index(text.endIndex, offsetBy: -places)) }
    return (negative ? "-" : "") + text
  }
}
