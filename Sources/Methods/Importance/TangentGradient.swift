package import HoldfastEngine

/// dL/dU as far as the gradients of the factors tell it: the projection of the dense gradient on the tangent space of the
/// product, from products of factors and pseudo-inverses of rank × rank alone.
///
/// G_T = (gB/s)·(A·Aᵀ)⁺·A + B·(Bᵀ·B)⁺·(gA/s) − B·(Bᵀ·B)⁺·(gA/s)·Aᵀ·(A·Aᵀ)⁺·A
package enum TangentGradient {
  package static func gradient(a: Tensor, b: Tensor, toA: Tensor, toB: Tensor, scale: Double) throws(EngineError) -> Tensor {
    let across = try a.transposed(0, 1), turned = try b.transposed(0, 1)
    let rows = try inverse(a.matmul(across)), columns = try inverse(turned.matmul(b))
    let left = try (toB * (1 / scale)).matmul(rows.matmul(a))
    let right = try b.matmul(columns.matmul(toA * (1 / scale)))
    return try left + right - right.matmul(across).matmul(rows.matmul(a))
  }

  /// Moore–Penrose inverse of a small symmetric matrix without negative eigenvalues, by Jacobi's rotations in f64 on the host.
  package static func inverse(_ matrix: Tensor) throws(EngineError) -> Tensor {
    let n = try matrix.shape[0], dtype = try matrix.dtype
    var m = try matrix.doubles()
    var v = [Double](repeating: 0, count: n * n)
    for i in 0..<n { v[i * n + i] = 1 }
    for _ in 0..<60 {
      var off = 0.0, size = 0.0
      for i in 0..<n { for j in 0..<n { if i == j { size += m[i * n + j] * m[i * n + j] } else { off += m[i * n + j] * m[i * n + j] } } }
      if off <= 1e-30 * size || off == 0 { break }
      for p in 0..<n {
        for q in (p + 1)..<max(p + 1, n) where m[p * n + q] != 0 {
          let theta = (m[q * n + q] - m[p * n + p]) / (2 * m[p * n + q])
          let t = (theta >= 0 ? 1.0 : -1.0) / (theta.magnitude + (theta * theta + 1).squareRoot())
          let c = 1 / (t * t + 1).squareRoot(), s = t * c
          for k in 0..<n {
            let x = m[k * n + p], y = m[k * n + q]
            m[k * n + p] = c * x - s * y
            m[k * n + q] = s * x + c * y
          }
          for k in 0..<n {
            let x = m[p * n + k], y = m[q * n + k]
            m[p * n + k] = c * x - s * y
            m[q * n + k] = s * x + c * y
            let a = v[k * n + p], b = v[k * n + q]
            v[k * n + p] = c * a - s * b
            v[k * n + q] = s * a + c * b
          }
        }
      }
    }
    let values = (0..<n).map { m[$0 * n + $0] }
    // What f32 cannot tell from 0 is 0.
    let edge = (values.max() ?? 0) * Double(n) * (dtype == .float64 ? 1e-13 : 1e-6)
    var result = [Double](repeating: 0, count: n * n)
    for k in 0..<n where values[k] > edge {
      for i in 0..<n { for j in 0..<n { result[i * n + j] += v[i * n + k] * v[j * n + k] / values[k] } }
    }
    return try Tensor(result, shape: [n, n], dtype: .float64, device: .cpu).cast(dtype).to(matrix.device)
  }
}
