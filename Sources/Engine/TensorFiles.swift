internal import HoldfastBasics

extension Tensor {
  /// Writes named tensors to one safetensors file: the old file or the new one, never half. The same tensors give the
  /// same bytes.
  public static func save(_ tensors: [String: Tensor], to path: String, metadata: [String: String] = [:]) throws {
    let descriptions = try tensors.sorted { $0.key < $1.key }
      .map { TensorDescription(name: $0.key, dtype: try $0.value.dtype, shape: try $0.value.shape) }
    try SafetensorsWriter.save(to: path, tensors: descriptions, metadata: metadata) { entry, write in
      try tensors[entry.name]!.bytes().withUnsafeBytes { try write($0) }
    }
  }
}
