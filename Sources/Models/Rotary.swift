internal import HoldfastEngine
internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// How positions become angles (Su et al. 2021), with the stretchings that published checkpoints use.
public struct RotaryConfiguration: Sendable, Hashable {
  public enum Scaling: Sendable, Hashable {
    case none
    /// Positions divided by a factor (Chen et al. 2023).
    case linear(factor: Double)
    /// Llama 3.1: long wavelengths are divided by the factor, short ones stay, those between are blended.
    case llama3(factor: Double, low: Double, high: Double, original: Int)
  }

  /// Base of the wavelengths.
  public var theta: Double
  public var scaling: Scaling = .none

  /// Radians a position for each pair, [width / 2]. Computed in f32 steps, as the reference implementations do.
  func frequencies(width: Int) -> [Float] {
    let base = (0..<width / 2).map { i in 1 / powf(Float(theta), Float(2 * i) / Float(width)) }
    switch scaling {
    case .none: return base
    case .linear(let factor): return base.map { $0 / Float(factor) }
    case .llama3(let factor, let low, let high, let original):
      let longest = Float(original) / Float(low), shortest = Float(original) / Float(high)
      return base.map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength > longest { return frequency / Float(factor) }
        if wavelength < shortest { return frequency }
        let smooth = (Float(original) / wavelength - Float(low)) / Float(high - low)
        return (1 - smooth) * frequency / Float(factor) + smooth * frequency
      }
    }
  }
}

/// Cosine and sine of every token's angles, f32 [tokens, width / 2]; made once a forward pass and shared by the layers.
struct RotaryTable {
  let cosine: Tensor
  let sine: Tensor

  init(positions: Tensor, frequencies: Tensor) throws(EngineError) {
    let tokens = try positions.count
    let angles = try positions.cast(.float32).reshaped([tokens, 1]) * frequencies
    cosine = try angles.cos()
    sine = try angles.sin()
  }
}
