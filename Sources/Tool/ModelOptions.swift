import ArgumentParser
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers

/// Which model a command runs, and how.
struct ModelOptions: ParsableArguments {
  enum Precision: String, ExpressibleByArgument, CaseIterable { case f32, bf16 }

  @Option(help: "Model folder (config.json, weights as safetensors, tokenizer.json), or owner/name in the Hugging Face cache.") var model: String
  @Option(parsing: .upToNextOption, help: "Folder of an adapter on it, in PEFT's form, or of several that add up.") var adapter: [String] = []
  @Option(help: "Element type of weights and activations.") var precision: Precision = .f32
  @Option(help: "cpu, cuda, cuda:N or mps.") var device = "cpu"
  @Option(help: "Threads to compute with (default: libtorch's choice).") var threads: Int?

  func validate() throws {
    if Device(device) == nil { throw ValidationError("no device \"\(device)\"; there are cpu, cuda, cuda:N and mps") }
    if let threads, threads < 1 { throw ValidationError("--threads must be 1 or more") }
  }

  private func load(_ folder: ModelFolder, _ adapter: [String]) throws -> Decoder {
    if let threads { try Torch.setThreads(threads) }
    let place = Device(device)!
    guard try place.isAvailable else { throw EngineError("libtorch sees no device \(place) here; try --device cpu") }
    // An adapter that cannot be read is found out before the weights are.
    let adapters = try adapter.map { try AdapterFolder($0) }
    let model = try folder.load(dtype: precision == .f32 ? .float32 : .bfloat16, device: place)
    for adapter in adapters { try model.attach(adapter.configuration, weights: adapter.weights, subject: adapter.path) }
    return model
  }

  func evaluator() throws -> Evaluator { try evaluator(of: model, adapter) }

  private func evaluator(of model: String, _ adapter: [String]) throws -> Evaluator {
    let folder = try ModelFolder(modelFolder(model))
    let tokenizer = try Tokenizer(folder: folder.path)
    return try Evaluator(model: load(folder, adapter), tokenizer: tokenizer)
  }

  /// The model for a suite, loaded when something must be asked of it.
  func suiteModel() throws -> SuiteModel { try suiteModel(of: model, adapter) }

  /// Another model, run alike and without adapters.
  func suiteModel(of other: String) throws -> SuiteModel { try suiteModel(of: other, []) }

  private func suiteModel(of model: String, _ adapter: [String]) throws -> SuiteModel {
    // What is no model is found out before anything is hashed.
    let folder = try ModelFolder(modelFolder(model)).path
    return SuiteModel(hash: try SuiteModel.hash(folder: folder, adapters: adapter, precision: precision.rawValue)) { try evaluator(of: model, adapter) }
  }
}
