public import HoldfastBasics
public import HoldfastEngine

/// A model folder in Hugging Face's form: configuration, weights, tokenizer.
public struct ModelFolder: Sendable {
  public let path: String
  public let configuration: ModelConfiguration
  /// config.json as it stands, for an export.
  public let configurationJSON: JSON

  /// Reads the configuration alone. `configurationFile`: another file in its place.
  public init(_ path: String, configurationFile: String? = nil) throws {
    guard Files.isFolder(path) else {
      throw FileError(path: path, doing: "open the model folder", code: 0, reason: Files.exists(path) ? "not a folder" : "no such folder")
    }
    self.path = path
    let file = configurationFile ?? path + "/config.json"
    configurationJSON = try MappedFile(path: file).json()
    configuration = try ModelConfiguration(configurationJSON, path: file)
  }

  /// The element type the weights are kept in; f32 where nothing is said.
  public var storedType: DType {
    switch (configurationJSON["dtype"] ?? configurationJSON["torch_dtype"])?.string {
    case "bfloat16": .bfloat16
    case "float16": .float16
    case "float64": .float64
    default: .float32
    }
  }

  /// Builds the model with the folder's weights.
  public func load(dtype: DType = .float32, device: Device = .cpu) throws -> Decoder {
    try Decoder(configuration, weights: FileWeights(folder: path), subject: path, dtype: dtype, device: device)
  }
}

/// The tensors of a model folder's safetensors files.
public struct FileWeights: WeightSource {
  public let files: WeightFiles

  public init(folder: String) throws { files = try WeightFiles(folder: folder) }

  /// Without what is no weight: causal masks that very old exports keep.
  public var names: [String]? { files.names }
  public func shape(of name: String) -> [Int]? { files.entry(name)?.shape }

  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = files.entry(name) else { throw EngineError("\(files.folder) holds no tensor \(name)") }
    return try Tensor(bytes: files.bytes(name), shape: entry.shape, dtype: entry.dtype)
  }
}
