internal import HoldfastBasics
internal import HoldfastDatasets

/// Items that are asked and were trained on.
enum FrontierOverlap {
  /// How many rows of each file of items stand in the training files, letter for letter but for white space: what was learnt by
  /// heart is no measure of what was learnt.
  static func complaints(items: [String], training: [String]) throws -> [String] {
    var owners: [String: [String]] = [:]
    for path in Set(items).sorted() {
      for text in try texts(path) where !text.isEmpty { owners[text, default: []].append(path) }
    }
    var found: [String: [String: Int]] = [:]
    for path in Set(training).sorted() {
      for text in try texts(path) {
        guard let files = owners[text] else { continue }
        for file in Set(files) { found[file, default: [:]][path, default: 0] += 1 }
      }
    }
    return found.sorted { $0.key < $1.key }.flatMap { file, sources in
      sources.sorted { $0.key < $1.key }.map { source, count in
        "\(file): \(count) of its rows \(count == 1 ? "is" : "are") trained on in \(source); what was learnt by heart is no measure (trained_items: true says that it is meant so)"
      }
    }
  }

  /// Rows without white space; of a plain text, all of it.
  private static func texts(_ path: String) throws -> [String] {
    var result: [String] = [], rows = Rows([path])
    while let (_, _, row) = try rows.next() {
      guard let object = try? row.get() else { continue }
      var text = ""
      collect(.object(object), into: &text)
      result.append(text)
    }
    return result
  }

  private static func collect(_ json: JSON, into text: inout String) {
    switch json {
    case .string(let word): text.unicodeScalars.append(contentsOf: word.unicodeScalars.filter { !$0.properties.isWhitespace })
    case .array(let list): for entry in list { collect(entry, into: &text) }
    case .object(let object): for value in object.values { collect(value, into: &text) }
    default: break
    }
  }
}
