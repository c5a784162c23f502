package import CTorch

/// A seeded source of random tensors. The same seed on the same kind of device gives the same numbers.
public final class Generator {
  package let handle: ct_generator
  public let device: Device

  public init(seed: UInt64, device: Device = .cpu) throws(EngineError) {
    var out = ct_generator(pointer: nil)
    try Torch.check(try Torch.api.generator(device.code, seed, &out))
    handle = out
    self.device = device
  }

  deinit { Torch.opened.pointee.release_generator(handle) }

  public func normal(_ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32) throws(EngineError) -> Tensor {
    let sizes = shape.map(Int64.init)
    return try Tensor.make { $0.normal(sizes, Int64(sizes.count), mean, deviation, handle, dtype.code, device.code, $1) }
  }

  /// Uniform in [0, 1).
  public func uniform(_ shape: [Int], dtype: DType = .float32) throws(EngineError) -> Tensor {
    let sizes = shape.map(Int64.init)
    return try Tensor.make { $0.uniform(sizes, Int64(sizes.count), handle, dtype.code, device.code, $1) }
  }
}
