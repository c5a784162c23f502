/// Random numbers as a pure function of a key and a counter: the same anywhere, with nothing hidden to resume.
///
/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators") over a key that is
/// hashed from words. Whoever draws names what the numbers are for, so two uses never share a stream.
public struct CounterGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A stream for a seed and any words that tell this use from the others, such as `"order", epoch`.
  public init(seed: UInt64, _ words: (any CounterWord)...) {
    var hash = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    for word in words {
      for piece in word.counterWords { hash = Self.mix((hash ^ piece) &+ 0x9E37_79B9_7F4A_7C15) }
    }
    state = hash
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// Uniform in 0 ..< bound, without bias (Lemire 2019).
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "nothing lies below \(bound)")
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let least = (0 &- bound) % bound
      while product.low < least { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }

  /// Uniform in [0, 1), 53 bits.
  public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A uniformly drawn order of 0 ..< count (Fisher–Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    if count > 1 { for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) } }
    return order
  }

  /// A uniformly drawn k-subset of 0 ..< count, ascending.
  public mutating func subset(of count: Int, size: Int) -> [Int] {
    precondition((0...count).contains(size), "no subset of \(size) in \(count)")
    return Array(permutation(count).prefix(size)).sorted()
  }

  /// A uniformly drawn element.
  public mutating func pick<T>(_ elements: [T]) -> T { elements[below(elements.count)] }
}

/// What can tell one stream of random numbers from another.
public protocol CounterWord {
  var counterWords: [UInt64] { get }
}

extension Int: CounterWord { public var counterWords: [UInt64] { [UInt64(bitPattern: Int64(self))] } }
extension UInt64: CounterWord { public var counterWords: [UInt64] { [self] } }
extension String: CounterWord {
  /// FNV-1a over the UTF-8, then the length, so that no two short words meet.
  public var counterWords: [UInt64] {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return [hash, UInt64(utf8.count)]
  }
}
