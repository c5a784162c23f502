internal import HoldfastTokenizers

/// Finds examples that say the same, or nearly, without comparing every two: MinHash over runs of three tokens.
///
/// Twelve minima an example, in four bands of three. Two are near duplicates when a band is equal and nine of the twelve
/// minima are, which estimates that three quarters of their runs are shared. Only what is learnt and the sixteen tokens
/// before it count: a long instruction that all rows share makes none of them alike.
struct NearDuplicates {
  /// What was found about a text.
  enum Finding: Sendable { case new, exact, near }

  private static let runLength = 3, before = 16, minima = 12, band = 3
  private static let factors: [UInt64] = (0..<12).map { scramble(UInt64($0) &+ 0x9E37) | 1 }

  private var whole: Set<UInt64> = []
  private var signatures: [UInt32] = []
  private var bands: [[UInt64: Int32]] = Array(repeating: [:], count: minima / band)

  /// Whether the text, or one like it, was remembered before.
  func find(_ rendering: Rendering) -> Finding { find(Self.whole(rendering.ids), Self.signature(rendering)) }

  /// Remembers the text and says what was known before.
  mutating func remember(_ rendering: Rendering) -> Finding {
    let hash = Self.whole(rendering.ids), signature = Self.signature(rendering)
    let finding = find(hash, signature)
    if finding == .exact { return .exact }
    whole.insert(hash)
    if let signature {
      let number = Int32(signatures.count / Self.minima)
      signatures += signature
      for place in bands.indices where bands[place][Self.key(signature, place)] == nil { bands[place][Self.key(signature, place)] = number }
    }
    return finding
  }

  private func find(_ hash: UInt64, _ signature: [UInt32]?) -> Finding {
    if whole.contains(hash) { return .exact }
    guard let signature else { return .new }
    for place in bands.indices {
      guard let number = bands[place][Self.key(signature, place)] else { continue }
      let start = Int(number) * Self.minima
      let same = (0..<Self.minima).count { signatures[start + $0] == signature[$0] }
      if same >= Self.minima * 3 / 4 { return .near }
    }
    return .new
  }

  // MARK: - Hashes

  private static func scramble(_ value: UInt64) -> UInt64 {
    var x = value &+ 0x9E37_79B9_7F4A_7C15
    x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
    return x ^ x >> 31
  }

  private static func whole(_ ids: [Int]) -> UInt64 {
    ids.reduce(UInt64(ids.count)) { scramble($0 ^ UInt64(bitPattern: Int64($1))) }
  }

  /// nil where a text is too short for a run: it is compared whole only.
  private static func signature(_ rendering: Rendering) -> [UInt32]? {
    var ids: [Int] = [], distance = before + 1  // to the next learnt token
    for (id, isTrained) in zip(rendering.ids, rendering.isTrained).reversed() {
      distance = isTrained ? 0 : distance + 1
      if distance <= before { ids.append(id) }
    }
    guard ids.count >= runLength else { return nil }
    var least = [UInt32](repeating: .max, count: minima)
    for start in 0...ids.count - runLength {
      let hash = ids[start..<start + runLength].reduce(UInt64(0)) { scramble($0 ^ UInt64(bitPattern: Int64($1))) }
      for i in 0..<minima { least[i] = min(least[i], UInt32(truncatingIfNeeded: scramble(hash ^ factors[i]) >> 32)) }
    }
    return least
  }

  private static func key(_ signature: [UInt32], _ place: Int) -> UInt64 {
    signature[place * band..<(place + 1) * band].reduce(UInt64(0)) { scramble($0 ^ UInt64($1)) }
  }
}
