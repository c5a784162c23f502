public import HoldfastEngine

/// The pull of a low-rank product U = s·B·A back to where it started: R = λ/2 · ‖U − U₀‖², from the factors alone. Only
/// products of rank × rank are made beside factors.
public struct ProductAnchor {
  public let scale: Double
  /// A₀ [rank, in] and B₀ [out, rank]; nil where U₀ = 0.
  public let start: (a: Tensor, b: Tensor)?

  public init(scale: Double, start: (a: Tensor, b: Tensor)? = nil) {
    self.scale = scale
    self.start = start
  }

  /// ‖U − U₀‖²
  public func squaredDistance(a: Tensor, b: Tensor) throws(EngineError) -> Double {
    var sum = try Self.inner(a, b, a, b)
    if let start { sum += try Self.inner(start.a, start.b, start.a, start.b) - 2 * Self.inner(a, b, start.a, start.b) }
    return max(0, sum) * scale * scale
  }

  /// ⟨B·A, D·C⟩ = Σ (Bᵀ·D) ⊙ (A·Cᵀ)
  private static func inner(_ a: Tensor, _ b: Tensor, _ c: Tensor, _ d: Tensor) throws(EngineError) -> Double {
    try (b.transposed(0, 1).matmul(d) * a.matmul(c.transposed(0, 1))).sum().item()
  }

  /// The gradients of ‖U − U₀‖² / 2: s·Bᵀ·(U − U₀) and s·(U − U₀)·Aᵀ.
  public func gradients(a: Tensor, b: Tensor) throws(EngineError) -> (a: Tensor, b: Tensor) {
    let turned = try b.transposed(0, 1), across = try a.transposed(0, 1)
    var toA = try turned.matmul(b).matmul(a), toB = try b.matmul(a.matmul(across))
    if let start {
      toA = try toA - turned.matmul(start.b).matmul(start.a)
      toB = try toB - start.b.matmul(start.a.matmul(across))
    }
    return (try toA * (scale * scale), try toB * (scale * scale))
  }
}
