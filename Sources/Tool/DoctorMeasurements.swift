import HoldfastEngine

/// How fast this machine computes and reads, through the engine itself.
enum Measurements {
  static func run() throws -> [String] {
    var lines: [String] = []
    for (dtype, name) in [(DType.float32, "f32"), (.bfloat16, "bf16")] {
      lines.append("  matrix rate \(name)   \(shown(try matrixRate(dtype) / 1e12)) TFLOP/s")
    }
    lines.append("  memory reading    \(shown(try readBandwidth() / 1e9)) GB/s")
    return lines
  }

  /// Floating-point operations a second of a product of square matrices; the best of several.
  static func matrixRate(_ dtype: DType) throws -> Double {
    let size = 1024
    let generator = try Generator(seed: 1)
    let a = try generator.normal([size, size]).cast(dtype), b = try generator.normal([size, size]).cast(dtype)
    return try Double(2 * size * size * size) / fastest { _ = try a.linear(b) }
  }

  /// Bytes a second of a sum over more memory than caches hold.
  static func readBandwidth() throws -> Double {
    let count = 64 << 20
    let numbers = try Tensor.full([count], 1)
    return try Double(count * 4) / fastest { _ = try numbers.sum() }
  }

  /// Seconds of the fastest of at least three runs, for half a second at most where they are quick.
  private static func fastest(_ body: () throws -> Void) throws -> Double {
    let clock = ContinuousClock(), begun = clock.now
    try body()
    var best = Double.infinity, runs = 0
    while runs < 3 || clock.now - begun < .milliseconds(500) {
      best = min(best, try clock.measure(body) / .seconds(1))
      runs += 1
    }
    return best
  }

  private static func shown(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100)." + (hundredths % 100 < 10 ? "0" : "") + "\(hundredths % 100)"
  }
}
