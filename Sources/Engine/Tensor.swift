package import CTorch
internal import HoldfastBasics

/// A tensor of libtorch: this object owns one reference to it and lets go when it is freed.
///
/// Not `Sendable`, because autograd records through tensors and libtorch's grad mode belongs to a thread; whoever
/// needs tensors on another thread hands over the whole model that owns them.
public final class Tensor {
  package let handle: ct_tensor

  package init(_ handle: ct_tensor) { self.handle = handle }

  deinit { Torch.opened.pointee.release(handle) }

  /// Makes a tensor from an operation that writes a handle.
  @inline(__always)
  package static func make(
    _ operation: (ct_api, UnsafeMutablePointer<ct_tensor>) -> ct_status
  ) throws(EngineError) -> Tensor {
    var out = ct_tensor(pointer: nil)
    let api = try Torch.api
    try Torch.check(operation(api, &out))
    return Tensor(out)
  }

  /// The same for operations on tensors, where the table is open already.
  @inline(__always)
  package static func derive(
    _ operation: (UnsafePointer<ct_api>, UnsafeMutablePointer<ct_tensor>) -> ct_status
  ) throws(EngineError) -> Tensor {
    var out = ct_tensor(pointer: nil)
    try Torch.check(operation(Torch.opened, &out))
    return Tensor(out)
  }

  @inline(__always)
  package func run(_ operation: (UnsafePointer<ct_api>) -> ct_status) throws(EngineError) {
    try Torch.check(operation(Torch.opened))
  }
}

// MARK: - Making

extension Tensor {
  /// A copy of host memory. The element type of `data` must be the one of `dtype` (Float for f32, Int for i64 …).
  public convenience init<T: BitwiseCopyable>(
    _ data: [T], shape: [Int], dtype: DType, device: Device = .cpu
  ) throws(EngineError) {
    precondition(MemoryLayout<T>.stride == dtype.size, "elements of \(MemoryLayout<T>.stride) bytes are not \(dtype)")
    precondition(shape.reduce(1, *) == data.count, "\(data.count) elements do not fill \(shape)")
    let sizes = shape.map(Int64.init)
    var out = ct_tensor(pointer: nil)
    let api = try Torch.api
    try Torch.check(data.withUnsafeBytes { api.from_host($0.baseAddress, dtype.code, sizes, Int64(sizes.count), device.code, &out) })
    self.init(out)
  }

  public convenience init(_ data: [Float], shape: [Int]? = nil, device: Device = .cpu) throws(EngineError) {
    try self.init(data, shape: shape ?? [data.count], dtype: .float32, device: device)
  }

  public convenience init(_ data: [Int], shape: [Int]? = nil, device: Device = .cpu) throws(EngineError) {
    try self.init(data, shape: shape ?? [data.count], dtype: .int64, device: device)
  }

  /// A copy of bytes as a file holds them.
  public convenience init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device = .cpu) throws(EngineError) {
    precondition(shape.reduce(1, *) * dtype.size == bytes.count)
    let sizes = shape.map(Int64.init)
    var out = ct_tensor(pointer: nil)
    try Torch.check(try Torch.api.from_host(bytes.baseAddress, dtype.code, sizes, Int64(sizes.count), device.code, &out))
    self.init(out)
  }

  /// A read-only view of memory that `owner` keeps alive; nothing is copied.
  package convenience init(
    mapping bytes: UnsafeRawBufferPointer, of owner: AnyObject, shape: [Int], dtype: DType
  ) throws(EngineError) {
    precondition(shape.reduce(1, *) * dtype.size == bytes.count && !bytes.isEmpty)
    let sizes = shape.map(Int64.init)
    var out = ct_tensor(pointer: nil)
    let api = try Torch.api
    let context = Unmanaged.passRetained(owner).toOpaque()
    let status = api.from_mapped(
      bytes.baseAddress!, dtype.code, sizes, Int64(sizes.count),
      { context in Unmanaged<AnyObject>.fromOpaque(context!).release() }, context, &out)
    try Torch.check(status)
    self.init(out)
  }

  public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) throws(EngineError) -> Tensor {
    let sizes = shape.map(Int64.init)
    return try make { $0.full(sizes, Int64(sizes.count), value, dtype.code, device.code, $1) }
  }

  public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws(EngineError) -> Tensor {
    try full(shape, 0, dtype: dtype, device: device)
  }

  /// start, start + 1, …, end − 1 as i64.
  public static func range(_ start: Int, _ end: Int, device: Device = .cpu) throws(EngineError) -> Tensor {
    try make { $0.arange(Int64(start), Int64(end), device.code, $1) }
  }
}

// MARK: - Facts

extension Tensor {
  public var shape: [Int] {
    get throws(EngineError) {
      var rank: Int64 = 0
      try run { $0.pointee.rank(handle, &rank) }
      var sizes = [Int64](repeating: 0, count: Int(rank))
      try run { $0.pointee.shape(handle, &sizes) }
      return sizes.map(Int.init)
    }
  }

  public var dtype: DType {
    get throws(EngineError) {
      var code = ct_dtype(code: 0)
      try run { $0.pointee.dtype(handle, &code) }
      return DType(code: code)
    }
  }

  public var device: Device {
    get throws(EngineError) {
      var code = ct_device(kind: 0, index: 0)
      try run { $0.pointee.device(handle, &code) }
      return Device(code: code)
    }
  }

  public var count: Int { get throws(EngineError) { try shape.reduce(1, *) } }

  /// Elements as host floats, whatever the type; row-major.
  public func floats() throws(EngineError) -> [Float] {
    let source = try dtype == .float32 ? self : cast(.float32)
    return try source.hostCopy(Float.self)
  }

  /// Elements as host doubles, whatever the type; row-major.
  public func doubles() throws(EngineError) -> [Double] {
    let source = try dtype == .float64 ? self : cast(.float64)
    return try source.hostCopy(Double.self)
  }

  /// Elements of an integer tensor; row-major.
  public func ints() throws(EngineError) -> [Int] {
    let source = try dtype == .int64 ? self : cast(.int64)
    return try source.hostCopy(Int.self)
  }

  private func hostCopy<T: BitwiseCopyable & Numeric>(_: T.Type) throws(EngineError) -> [T] {
    var result = [T](repeating: 0, count: try count)
    let bytes = Int64(result.count * MemoryLayout<T>.stride)
    try Torch.check(result.withUnsafeMutableBytes { buffer in
      var none: UInt8 = 0
      return Torch.opened.pointee.to_host(handle, buffer.baseAddress ?? withUnsafeMutablePointer(to: &none) { UnsafeMutableRawPointer($0) }, bytes)
    })
    return result
  }

  /// The elements' bytes as a file holds them.
  public func bytes() throws(EngineError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: try count * dtype.size)
    if result.isEmpty { return result }
    let bytes = Int64(result.count)
    try Torch.check(result.withUnsafeMutableBytes { Torch.opened.pointee.to_host(handle, $0.baseAddress!, bytes) })
    return result
  }

  /// The one element. Waits for the device: not for the hot path.
  public func item() throws(EngineError) -> Double {
    var value = 0.0
    try run { $0.pointee.item(handle, &value) }
    return value
  }

  /// Same type, same shape, same bits.
  public func hasSameBits(as other: Tensor) throws(EngineError) -> Bool {
    var same: Int32 = 0
    try run { $0.pointee.same_bits(handle, other.handle, &same) }
    return same != 0
  }

  /// Largest absolute difference, computed in f64; infinite where a NaN is met.
  public func largestDifference(to other: Tensor) throws(EngineError) -> Double {
    var value = 0.0
    try run { $0.pointee.largest_difference(handle, other.handle, &value) }
    return value
  }

  public func sharesStorage(with other: Tensor) throws(EngineError) -> Bool {
    var same: Int32 = 0
    try run { $0.pointee.same_storage(handle, other.handle, &same) }
    return same != 0
  }

  /// Sum of squares of all elements of all tensors, in f64 and in the order given.
  public static func squaredNorm(of tensors: [Tensor]) throws(EngineError) -> Double {
    guard !tensors.isEmpty else { return 0 }
    var value = 0.0
    let handles = tensors.map(\.handle)
    try Torch.check(Torch.opened.pointee.squared_norm(handles, Int64(handles.count), &value))
    return value
  }
}
