// Reading one safetensors file. Host memory only: nothing here needs libtorch.
internal import HoldfastBasics

/// What a tensor in a file is: its name, element type, shape (row-major, outermost first) and where its bytes lie.
public struct TensorEntry: Sendable, Hashable {
  public let name: String
  public let dtype: DType
  public let shape: [Int]
  /// Bytes in the file, from its very beginning.
  public let range: Range<Int>

  /// Number of elements; 1 for a scalar, whose shape is empty.
  public var count: Int { shape.reduce(1, *) }
}

/// Why a safetensors file cannot be read: which file, what is wrong with it, and what most likely helps.
public struct SafetensorsError: Error, Hashable, Sendable, CustomStringConvertible {
  public let file: String
  public let reason: String
  public let cure: String

  package init(file: String, reason: String, cure: String = Self.damaged) {
    self.file = file
    self.reason = reason
    self.cure = cure
  }

  static let damaged = "the file is damaged or was not written as safetensors; fetch or write it again"

  public var description: String { "\(file): \(reason); \(cure)" }
}

/// A safetensors file, mapped: opening reads the header only, and a tensor's bytes are read when somebody looks at them.
///
/// The header is checked in full before anything is believed (`SafetensorsHeader` lists the rules). Values are not
/// looked at: NaN and infinity are allowed. The format: an unsigned 64-bit length, that many bytes of JSON, then
/// the tensors' bytes without holes (github.com/huggingface/safetensors).
public final class SafetensorsFile: Sendable {
  public let path: String
  /// Tensors in the order of their bytes.
  public let names: [String]
  public let entries: [String: TensorEntry]
  /// What the writer noted under `__metadata__`.
  public let metadata: [String: String]
  private let file: MappedFile

  public init(path: String) throws(SafetensorsError) {
    do {
      file = try MappedFile(path: path)
    } catch {
      throw SafetensorsError(file: path, reason: "cannot \(error.doing) it: \(error.reason)", cure: "check the path")
    }
    let header = try SafetensorsHeader(file.bytes, file: path)
    self.path = path
    names = header.entries.map(\.name)
    entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    metadata = header.metadata
  }

  public func entry(_ name: String) -> TensorEntry? { entries[name] }

  /// The bytes of a tensor, little-endian and row-major; valid as long as this object lives.
  /// Asking for a tensor that is not in `entries` is a mistake of the program and traps.
  public func bytes(_ name: String) -> UnsafeRawBufferPointer {
    guard let entry = entries[name] else { preconditionFailure("\(path) holds no tensor \(name)") }
    return UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
  }
}
