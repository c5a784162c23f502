public import HoldfastBasics

/// A tensor about to be written.
public struct TensorDescription: Sendable, Hashable {
  public var name: String
  public var dtype: DType
  public var shape: [Int]

  public init(name: String, dtype: DType, shape: [Int]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }

  /// Bytes it takes; a shape that cannot be counted is a mistake of the program and traps.
  public var size: Int {
    guard let size = SafetensorsHeader.size(shape, dtype) else { preconditionFailure("\(name) cannot be counted: \(shape)") }
    return size
  }
}

/// Writes a safetensors file in one pass, without holding more than the caller hands over at a time.
///
/// The header is padded with spaces so that the data begins at a multiple of 64 bytes, and tensors whose size is a
/// multiple of 64 come first: each of them can be used where it is mapped. The format forbids holes, so what
/// follows the first tensor of another size cannot be aligned at will; those come last, the most divisible first, and are
/// small in practice (norms and biases of odd width). The order says nothing to a reader, who goes by name.
/// The same tensors and metadata give the same bytes.
public struct SafetensorsWriter: ~Copyable {
  /// The order in which the bytes must come.
  public let entries: [TensorEntry]
  private let file: FileWriter
  /// The tensor being written, and how many of its bytes are there.
  private var current = 0
  private var written = 0

  public init(path: String, tensors: [TensorDescription], metadata: [String: String] = [:], replacing: Bool = false)
    throws(FileError)
  {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "a tensor's name stands twice")
    precondition(!tensors.contains { $0.name == "__metadata__" }, "__metadata__ is no name for a tensor")
    let ordered = tensors.map { (tensor: $0, divisibility: min($0.size == 0 ? 64 : 1 << $0.size.trailingZeroBitCount, 64)) }
      .sorted { ($1.divisibility, $0.tensor.name) < ($0.divisibility, $1.tensor.name) }
      .map(\.tensor)

    var header = JSONObject()
    if !metadata.isEmpty {
      header["__metadata__"] = .object(JSONObject(metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
    var end = 0
    for tensor in ordered {
      let begin = end
      end += tensor.size
      header[tensor.name] = [
        "dtype": .string(tensor.dtype.rawValue), "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(begin), .integer(end)],
      ]
    }
    var text = Array(JSON.object(header).text().utf8)
    text.append(contentsOf: repeatElement(0x20, count: (64 - (8 + text.count) % 64) % 64))
    precondition(text.count <= SafetensorsHeader.longest && tensors.count <= SafetensorsHeader.mostEntries, "too many tensors for one file")

    var at = 8 + text.count
    var entries: [TensorEntry] = []
    for tensor in ordered {
      entries.append(TensorEntry(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, range: at..<at + tensor.size))
      at += tensor.size
    }
    self.entries = entries
    let file = try FileWriter(path: path, replacing: replacing)
    let length = UInt64(text.count).littleEndian
    try file.write(withUnsafeBytes(of: length) { Array($0) } + text)
    self.file = file
    skipWhole()
  }

  private mutating func skipWhole() {
    while current < entries.count, written == entries[current].range.count {
      current += 1
      written = 0
    }
  }

  /// The next bytes of the tensor whose turn it is in `entries`: the whole of it, or a piece.
  /// Another tensor's turn, or too many bytes, is a mistake of the program and traps.
  public mutating func write(_ bytes: UnsafeRawBufferPointer, of name: String) throws(FileError) {
    if bytes.isEmpty { return }
    precondition(current < entries.count && entries[current].name == name, "it is not the turn of \(name)")
    precondition(bytes.count <= entries[current].range.count - written, "too many bytes for \(name)")
    try file.write(bytes)
    written += bytes.count
    skipWhole()
  }

  /// Returns once the file is on the disk; a tensor without its bytes traps.
  public consuming func finish() throws(FileError) {
    precondition(current == entries.count, "\(entries[min(current, entries.count - 1)].name) was not written")
    try file.sync()
  }

  /// Writes a whole file beside its place and renames it there: the old one or the new one, never half.
  /// `contents` hands over a tensor's bytes to whoever asks, in `entries`' order.
  public static func save(
    to path: String, tensors: [TensorDescription], metadata: [String: String] = [:],
    contents: (TensorEntry, (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    let beside = path + ".partial"
    do {
      var writer = try SafetensorsWriter(path: beside, tensors: tensors, metadata: metadata, replacing: true)
      for entry in writer.entries { try contents(entry) { try writer.write($0, of: entry.name) } }
      try writer.finish()
    } catch {
      try? Files.remove(beside)
      throw error
    }
    try Files.rename(beside, to: path)
  }
}

extension FileWriter {
  fileprivate borrowing func write(_ bytes: [UInt8]) throws(FileError) {
    let result: Result<Void, FileError> = bytes.withUnsafeBytes { bytes in
      do throws(FileError) { return .success(try write(bytes)) } catch { return .failure(error) }
    }
    try result.get()
  }
}
