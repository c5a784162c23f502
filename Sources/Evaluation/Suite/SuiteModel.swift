internal import HoldfastBasics
internal import HoldfastModels

/// A model that is loaded only when something must be asked of it.
public struct SuiteModel {
  /// Of everything that decides its answers.
  public let hash: String
  let load: () throws -> Evaluator

  /// - Parameter hash: of weights, tokenizer, adapters and precision; see `SuiteModel.hash`.
  public init(hash: String, load: @escaping () throws -> Evaluator) {
    self.hash = hash
    self.load = load
  }

  /// SHA-256 over a model folder's configuration, weights and tokenizer, adapters laid over it, and the type it computes in.
  ///
  /// - Parameter precision: such as `f32`.
  public static func hash(folder: String, adapters: [String] = [], precision: String = "f32") throws -> String {
    var hash = ContentHash()
    hash.update("model \(precision)\n")
    for (number, folder) in ([folder] + adapters).enumerated() {
      let isModel = number == 0
      for name in try Files.list(folder).sorted() where isModel ? isPart(name) : AdapterFolder.configurationFile == name || AdapterFolder.weightsFile == name {
        hash.update("\(number) \(name) \(try ContentHash.of(file: folder + "/" + name))\n")
      }
    }
    return hash.finish()
  }

  private static func isPart(_ name: String) -> Bool {
    name.hasSuffix(".safetensors") || name.hasSuffix(".jinja")
      || ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"].contains(name)
  }
}
