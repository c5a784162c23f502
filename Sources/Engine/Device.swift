package import CTorch

/// Where tensors live and computations run.
public struct Device: Sendable, Hashable, CustomStringConvertible {
  public enum Kind: String, Sendable { case cpu, cuda, mps }

  public let kind: Kind
  public let index: Int

  public init(_ kind: Kind, index: Int = 0) {
    self.kind = kind
    self.index = index
  }

  public static let cpu = Device(.cpu)

  /// "cpu", "cuda", "cuda:1", "mps"; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first, let kind = Kind(rawValue: String(first)), parts.count <= 2 else { return nil }
    if parts.count == 2 {
      guard kind == .cuda, let index = Int(parts[1]), index >= 0 else { return nil }
      self.init(kind, index: index)
    } else {
      self.init(kind)
    }
  }

  public var description: String { kind == .cuda ? "cuda:\(index)" : kind.rawValue }

  package var code: ct_device {
    let code =
      switch kind {
      case .cpu: CT_CPU
      case .cuda: CT_CUDA
      case .mps: CT_MPS
      }
    return ct_device(kind: Int32(code), index: Int32(index))
  }

  package init(code: ct_device) {
    switch Int(code.kind) {
    case CT_CUDA: self.init(.cuda, index: Int(code.index))
    case CT_MPS: self.init(.mps)
    default: self.init(.cpu)
    }
  }

  /// Whether libtorch can use it here.
  public var isAvailable: Bool {
    get throws(EngineError) {
      var count: Int32 = 0
      try Torch.check(try Torch.api.device_count(code.kind, &count))
      return index < count
    }
  }

  /// The hardware's name, such as "NVIDIA H100"; "cpu" for a CPU.
  public var name: String {
    get throws(EngineError) {
      var text = [CChar](repeating: 0, count: 256)
      try Torch.check(try Torch.api.device_name(code, &text, text.count))
      return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
  }

  /// Most bytes that libtorch ever held there; 0 where it does not count.
  public var peakBytes: Int {
    get throws(EngineError) {
      var bytes: Int64 = 0
      try Torch.check(try Torch.api.device_peak_bytes(code, &bytes))
      return Int(bytes)
    }
  }

  /// Waits until everything asked of the device is done.
  public func synchronize() throws(EngineError) { try Torch.check(try Torch.api.synchronize(code)) }
}

extension DType {
  package var code: ct_dtype {
    let code =
      switch self {
      case .float64: CT_F64
      case .float32: CT_F32
      case .bfloat16: CT_BF16
      case .float16: CT_F16
      case .int64: CT_I64
      case .int32: CT_I32
      case .int16: CT_I16
      case .int8: CT_I8
      case .uint8: CT_U8
      case .bool: CT_BOOL
      }
    return ct_dtype(code: Int32(code))
  }

  package init(code: ct_dtype) {
    let all: [DType] = [.float64, .float32, .bfloat16, .float16, .int64, .int32, .int16, .int8, .uint8, .bool]
    self = all[Int(code.code)]
  }
}
