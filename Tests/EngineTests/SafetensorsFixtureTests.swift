import HoldfastBasics
import HoldfastEngine
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Files that Python wrote, read here: the numbers in them must hang together.
struct SafetensorsFixtures {
  static let models = Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Tests/Fixtures/models"

  private func floats(_ file: SafetensorsFile, _ name: String) -> [Float] { Array(file.bytes(name).bindMemory(to: Float.self)) }
  private func integers(_ file: SafetensorsFile, _ name: String) -> [Int] { file.bytes(name).bindMemory(to: Int64.self).map(Int.init) }

  /// The loss that transformers wrote is the mean over the labels that count of what its logits say.
  @Test(arguments: [
    "llama", "llama-tied-grouped", "llama3-rope-biases", "mistral-window", "qwen2", "qwen3", "llama-bfloat16-shards",
  ])
  func lossFollowsFromLogits(_ name: String) throws {
    let file = try SafetensorsFile(path: "\(Self.models)/\(name)/reference.safetensors")
    let shape = try #require(file.entry("logits")).shape
    let (rows, length, vocabulary) = (shape[0], shape[1], shape[2])
    let logits = floats(file, "logits"), labels = integers(file, "labels")
    var sum = 0.0, count = 0
    for row in 0..<rows {
      for t in 1..<length where labels[row * length + t] != -100 {
        let start = (row * length + t - 1) * vocabulary
        let line = logits[start..<start + vocabulary].map(Double.init)
        let most = line.max()!
        sum += most + log(line.reduce(0) { $0 + exp($1 - most) }) - line[labels[row * length + t]]
        count += 1
      }
    }
    #expect(abs(sum / Double(count) - Double(floats(file, "loss")[0])) < 1e-5)
    #expect(file.metadata["labels_that_count"] == String(count))
  }

  @Test func shardsTogetherAreTheModel() throws {
    let weights = try WeightFiles(folder: Self.models + "/llama-bfloat16-shards")
    #expect(weights.files.count == 3)
    let reference = try SafetensorsFile(path: Self.models + "/llama-bfloat16-shards/reference.safetensors")
    let gradients = Set(reference.names.filter { $0.hasPrefix("grad.") }.map { String($0.dropFirst(5)) })
    #expect(Set(weights.names) == gradients)
    for name in weights.names {
      #expect(weights.entry(name)?.dtype == .bfloat16)
      #expect(weights.entry(name)?.shape == reference.entry("grad." + name)?.shape)
    }
  }
}
