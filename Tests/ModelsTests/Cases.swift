import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import Testing

/// Folders that tests read: Tests/Fixtures, and `shared` beside the project where it is there.
enum Cases {
  static let tests = Files.folder(of: Files.folder(of: #filePath))
  static let shared = Files.folder(of: Files.folder(of: tests)) + "/shared/parity"
  static let isShared = Files.isFolder(shared)
  static let families = ["llama", "mistral", "qwen2", "qwen3"]

  /// Every case of a family that can be read, with both forms of its configuration.
  static func all(in folder: String) -> [Case] {
    ((try? Files.list(folder)) ?? []).sorted().flatMap { name -> [Case] in
      let path = folder + "/" + name
      guard let json = try? MappedFile(path: path + "/config.json").json(), let family = json["model_type"]?.string,
        families.contains(family)
      else { return [] }
      return ["config.json", "config.v5.json"].map { Case(folder: path, name: name, configuration: $0) }
    }
  }
}

struct Case: Sendable, CustomStringConvertible {
  let folder, name, configuration: String
  var description: String { "\(name) with \(configuration)" }
}

/// A small decoder with grouped heads whose every weight matters.
func tinyDecoder(
  seed: UInt64 = 3, layers: Int = 2, tied: Bool = false, vocabulary: Int = 97, dtype: DType = .float32
) throws -> Decoder {
  let json = try JSON(text: """
    {"model_type": "llama", "vocab_size": \(vocabulary), "hidden_size": 32, "intermediate_size": 72, "num_hidden_layers": \(layers),
     "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": \(tied), "rms_norm_eps": 1e-5}
    """)
  return try Decoder(ModelConfiguration(json), weights: RandomWeights(seed: seed, deviation: 0.2, layerCount: layers), dtype: dtype)
}

/// Random texts of random lengths.
func randomTexts(_ count: Int, lengths: ClosedRange<Int>, vocabulary: Int, _ stream: inout CounterGenerator) -> [[Int]] {
  (0..<count).map { _ in
    (0..<lengths.lowerBound + stream.below(lengths.count)).map { _ in stream.below(vocabulary) }
  }
}

/// Texts one behind the other in rows of a length, cut nowhere; every token but a text's first is a label.
func packed(_ texts: [[Int]], length: Int) throws -> Batch {
  var rows: [[[Int]]] = [], room = 0
  for text in texts {
    if rows.isEmpty || room < text.count {
      rows.append([])
      room = length
    }
    rows[rows.count - 1].append(text)
    room -= text.count
  }
  var ids = [Int](repeating: 0, count: rows.count * length), labels = ids.map { _ in -1 }, positions = ids
  var spans: [Span] = []
  for (row, texts) in rows.enumerated() {
    var start = 0
    for text in texts {
      for (t, id) in text.enumerated() {
        ids[row * length + start + t] = id
        positions[row * length + start + t] = t
        if t + 1 < text.count { labels[row * length + start + t] = text[t + 1] }
      }
      spans.append(Span(row: row, start: start, length: text.count))
      start += text.count
    }
  }
  return try Batch(rows: rows.count, length: length, ids: ids, labels: labels, positions: positions, spans: spans)
}

extension Decoder {
  func train(_ isTrained: (String) -> Bool = { _ in true }) throws {
    for p in parameters { try p.value.setRequiresGradient(isTrained(p.name)) }
  }

  /// Sum over labels of −log p.
  func loss(_ batch: Batch) throws -> Tensor {
    try forward(batch).labelledHidden.headLoss(head.value, labels: batch.labels)
  }

  func takeGradients() throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for p in parameters { result[p.name] = try p.value.takeGradient() }
    return result
  }
}
