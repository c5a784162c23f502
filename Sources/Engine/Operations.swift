// One crossing an operation. Everything here can be differentiated unless it says otherwise.
internal import CTorch

extension Tensor {
  public static func + (a: Tensor, b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.add(a.handle, b.handle, 1, $1) }
  }
  public static func - (a: Tensor, b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.add(a.handle, b.handle, -1, $1) }
  }
  public static func * (a: Tensor, b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.multiply(a.handle, b.handle, $1) }
  }
  public static func / (a: Tensor, b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.divide(a.handle, b.handle, $1) }
  }
  public static func * (a: Tensor, scale: Double) throws(EngineError) -> Tensor {
    try derive { $0.pointee.affine(a.handle, scale, 0, $1) }
  }
  public static func + (a: Tensor, shift: Double) throws(EngineError) -> Tensor {
    try derive { $0.pointee.affine(a.handle, 1, shift, $1) }
  }
  public static prefix func - (a: Tensor) throws(EngineError) -> Tensor { try a * -1 }

  public func exp() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.exponential(handle, $1) } }
  public func log() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.logarithm(handle, $1) } }
  public func abs() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.absolute(handle, $1) } }
  public func squareRoot() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.square_root(handle, $1) } }
  public func sin() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.sine(handle, $1) } }
  public func cos() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.cosine(handle, $1) } }
  public func sign() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.sign(handle, $1) } }
  public func sigmoid() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.sigmoid(handle, $1) } }
  public func silu() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.silu(handle, $1) } }
  public func cast(_ dtype: DType) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.cast(handle, dtype.code, $1) } }
  public func to(_ device: Device) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.to_device(handle, device.code, $1) } }
  /// The same memory, cut off from the record for gradients.
  public func detached() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.detach(handle, $1) } }
  /// Memory of its own, contiguous.
  public func copy() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.clone(handle, $1) } }

  /// Where the condition holds, `a`; elsewhere `b`.
  public static func choose(_ condition: Tensor, _ a: Tensor, _ b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.select_where(condition.handle, a.handle, b.handle, $1) }
  }

  /// Boolean, for `choose`: where a is larger than b.
  public static func > (a: Tensor, b: Tensor) throws(EngineError) -> Tensor {
    try derive { $0.pointee.greater(a.handle, b.handle, $1) }
  }
  /// Moved toward zero by `threshold` and no further: sign(a) · max(|a| − threshold, 0).
  public func shrunk(by threshold: Double) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.soft_shrink(handle, threshold, $1) }
  }
  /// u8 of this shape: 1 for the `count` entries of the largest magnitude. Entries equal to the least of them count too.
  public func largest(_ count: Int) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.largest(handle, Int64(count), $1) }
  }
  public func reshaped(_ shape: [Int]) throws(EngineError) -> Tensor {
    let sizes = shape.map(Int64.init)
    return try Tensor.derive { $0.pointee.reshape(handle, sizes, Int64(sizes.count), $1) }
  }
  public func transposed(_ first: Int, _ second: Int) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.transpose(handle, Int64(first), Int64(second), $1) }
  }
  /// A view of part of an axis.
  public func sliced(axis: Int, _ range: Range<Int>) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.slice(handle, Int64(axis), Int64(range.lowerBound), Int64(range.upperBound), $1) }
  }
  public func expanded(_ shape: [Int]) throws(EngineError) -> Tensor {
    let sizes = shape.map(Int64.init)
    return try Tensor.derive { $0.pointee.expand(handle, sizes, Int64(sizes.count), $1) }
  }
  public static func concatenated(_ parts: [Tensor], axis: Int) throws(EngineError) -> Tensor {
    let handles = parts.map(\.handle)
    return try derive { $0.pointee.concatenate(handles, Int64(handles.count), Int64(axis), $1) }
  }
  public func selecting(_ index: Tensor, axis: Int) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.index_select(handle, Int64(axis), index.handle, $1) }
  }
  public func gathering(_ index: Tensor, axis: Int) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.gather(handle, Int64(axis), index.handle, $1) }
  }

  public func sum() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.sum(handle, 0, 1, $1) } }
  public func sum(axis: Int) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.sum(handle, Int64(axis), 0, $1) } }
  public func max() throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.maximum(handle, 0, 1, $1) } }
  /// Index of the largest element along an axis, i64.
  public func argmax(axis: Int) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.argmax(handle, Int64(axis), $1) } }
  public func softmax(axis: Int) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.softmax(handle, Int64(axis), $1) } }
  public func logSoftmax(axis: Int) throws(EngineError) -> Tensor { try Tensor.derive { $0.pointee.log_softmax(handle, Int64(axis), $1) } }

  public func matmul(_ other: Tensor) throws(EngineError) -> Tensor {
    try Tensor.derive { $0.pointee.matmul(handle, other.handle, $1) }
  }
}

// MARK: - In place, outside the record for gradients

extension Tensor {
  public func assign(_ source: Tensor) throws(EngineError) { try run { $0.pointee.copy_into(handle, source.handle) } }
  public func add(_ source: Tensor, scale: Double = 1) throws(EngineError) { try run { $0.pointee.add_into(handle, source.handle, scale) } }
  public func scale(by factor: Double) throws(EngineError) { try run { $0.pointee.scale_in_place(handle, factor) } }
}

// MARK: - Gradients

extension Tensor {
  public var requiresGradient: Bool {
    get throws(EngineError) {
      var on: Int32 = 0
      try run { $0.pointee.requires_grad(handle, &on) }
      return on != 0
    }
  }

  public func setRequiresGradient(_ on: Bool) throws(EngineError) { try run { $0.pointee.set_requires_grad(handle, on ? 1 : 0) } }

  /// Adds the gradient of this scalar to every tensor that asks for one.
  public func backward() throws(EngineError) { try run { $0.pointee.backward(handle) } }

  /// The gradient collected so far, taken away; nil where none has arrived.
  public func takeGradient() throws(EngineError) -> Tensor? {
    var out = ct_tensor(pointer: nil)
    try run { $0.pointee.take_grad(handle, &out) }
    return out.pointer == nil ? nil : Tensor(out)
  }

  /// Runs a block without keeping its activations; the backward pass runs it once more (Chen et al. 2016).
  public func recomputing(_ block: @escaping (Tensor) throws(EngineError) -> Tensor) throws(EngineError) -> Tensor {
    let box = Unmanaged.passRetained(BlockBox(block)).toOpaque()
    return try Tensor.derive {
      $0.pointee.recompute(
        { context, input, output in
          let box = Unmanaged<BlockBox>.fromOpaque(context!).takeUnretainedValue()
          return box.run(input, output)
        },
        { Unmanaged<BlockBox>.fromOpaque($0!).release() }, box, handle, $1)
    }
  }
}

/// Carries a Swift closure through C.
private final class BlockBox {
  let block: (Tensor) throws(EngineError) -> Tensor
  init(_ block: @escaping (Tensor) throws(EngineError) -> Tensor) { self.block = block }

  func run(_ input: ct_tensor, _ output: UnsafeMutablePointer<ct_tensor>) -> ct_status {
    do throws(EngineError) {
      // A handle of our own on the input, since the tensor given belongs to the caller.
      let result = try block(try Tensor.derive { $0.pointee.affine(input, 1, 0, $1) })
      return Torch.opened.pointee.affine(result.handle, 1, 0, output)
    } catch {
      Torch.opened.pointee.fail(error.reason)
      return 1
    }
  }
}
