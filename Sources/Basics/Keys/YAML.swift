internal import Yams

/// YAML as JSON values: the core schema of YAML 1.2, in which `1e-4` is a number and `no` is a word.
///
/// Bounded for hostile input: length (by the caller), depth (libyaml's 1,000 for the text, ours for the value),
/// elements after aliases are written out, and the aliases themselves, since a key made of nested aliases would be
/// hashed in time exponential in their number.
package enum YAML {
  static let deepest = 32
  static let mostElements = 100_000
  static let mostAliases = 16

  /// A document whose top is a mapping, with the line of every key.
  package static func source(_ text: String, subject: String) throws(Problems) -> KeySource {
    guard let node = try compose(text, subject: subject) else { throw Problems(subject, ["the file is empty"]) }
    var converter = Converter(subject: subject)
    let value = try converter.convert(node, path: "", depth: 0)
    guard case .object(let object) = value else { throw Problems(subject, ["not keys with values: expected `key: value` lines"]) }
    return KeySource(subject: subject, object: object, lines: converter.lines)
  }

  /// One value, as a flag carries it.
  package static func value(_ text: String, subject: String) throws(Problems) -> JSON {
    guard let node = try compose(text, subject: subject) else { return .null }
    var converter = Converter(subject: subject)
    return try converter.convert(node, path: "", depth: 0)
  }

  /// A value as YAML text.
  package static func text(_ value: JSON) -> String {
    // Emitting fails only for broken trees, which a JSON value cannot be.
    (try? Yams.serialize(node: node(value), width: -1, allowUnicode: true)) ?? value.text(.pretty)
  }

  private static func compose(_ text: String, subject: String) throws(Problems) -> Node? {
    guard aliases(in: text) <= mostAliases else { throw Problems(subject, ["more than \(mostAliases) aliases (words that begin with *)"]) }
    do {
      return try Yams.compose(yaml: text, .basic, .default, .utf8)
    } catch let error as YamlError {
      throw Problems(subject, [words(error)])
    } catch {
      throw Problems(subject, ["not valid YAML: \(error)"])
    }
  }

  /// How many words begin with an asterisk: at least as many as there are aliases.
  private static func aliases(in text: String) -> Int {
    var count = 0
    var before = UInt8(ascii: " ")
    for byte in text.utf8 {
      if byte == UInt8(ascii: "*"), before <= 0x20 || "[{,:-?".utf8.contains(before) { count += 1 }
      before = byte
    }
    return count
  }

  private static func words(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
      return "line \(mark.line), column \(mark.column): not valid YAML: \(problem)"
    case .reader(let problem, _, _, _): return "not valid YAML: \(problem)"
    case .duplicatedKeysInMapping(let keys, let context):
      return "line \(context.mark.line): \(keys.joined(separator: ", ")) stands twice"
    default: return "not valid YAML"
    }
  }

  // MARK: From YAML

  private struct Converter {
    let subject: String
    var lines: [String: Int] = [:]
    var elements = 0

    init(subject: String) { self.subject = subject }

    mutating func convert(_ node: Node, path: String, depth: Int) throws(Problems) -> JSON {
      if let line = node.mark?.line, !path.isEmpty { lines[path] = line }
      elements += 1
      guard depth <= deepest else { throw fail(node, "nested deeper than \(deepest)") }
      guard elements <= mostElements else { throw fail(node, "more than \(mostElements) elements") }
      switch node {
      case .scalar(let scalar):
        guard scalar.tag == .implicit || scalar.tag.description == "tag:yaml.org,2002:str" else {
          throw fail(node, "the tag \(scalar.tag) is not supported")
        }
        return scalar.style == .plain && scalar.tag == .implicit ? YAML.scalar(scalar.string) : .string(scalar.string)
      case .sequence(let sequence):
        guard sequence.tag == .implicit else { throw fail(node, "the tag \(sequence.tag) is not supported") }
        var values: [JSON] = []
        for (index, element) in sequence.enumerated() {
          values.append(try convert(element, path: "\(path)[\(index)]", depth: depth + 1))
        }
        return .array(values)
      case .mapping(let mapping):
        guard mapping.tag == .implicit else { throw fail(node, "the tag \(mapping.tag) is not supported") }
        var object = JSONObject()
        for (key, value) in mapping {
          guard case .scalar(let name) = key else { throw fail(key, "a key must be a word") }
          let below = path.isEmpty ? name.string : "\(path).\(name.string)"
          let converted = try convert(value, path: below, depth: depth + 1)
          if let line = key.mark?.line { lines[below] = line }
          guard object.appendNew(name.string, converted) else { throw fail(key, "\(name.string) stands twice") }
        }
        return .object(object)
      case .alias: throw fail(node, "an alias to nothing")
      }
    }

    private func fail(_ node: Node, _ words: String) -> Problems {
      Problems(subject, [(node.mark.map { "line \($0.line): " } ?? "") + words])
    }
  }

  /// A plain word by YAML 1.2's core schema, without its octal, hexadecimal and infinite numbers, which stay words.
  static func scalar(_ word: String) -> JSON {
    switch word {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    let digits = Array((word.first == "-" || word.first == "+" ? word.dropFirst() : word[...]).utf8)
    guard let first = digits.first, isDigit(first) || first == UInt8(ascii: "."), digits.contains(where: isDigit),
      !(digits.count > 1 && first == UInt8(ascii: "0") && isDigit(digits[1])),  // 007 is a name, not a number
      digits.allSatisfy({ isDigit($0) || ".eE+-".utf8.contains($0) })
    else { return .string(word) }
    if let value = Int(word) { return .integer(value) }
    guard let value = Double(word), value.isFinite else { return .string(word) }
    return .number(value)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  // MARK: To YAML

  private static func node(_ value: JSON) -> Node {
    switch value {
    case .string(let text):
      // What would be read as something else, now or by a YAML 1.1 reader, stands in quotation marks.
      let isPlain = scalar(text) == .string(text) && Node(text).tag.description == "tag:yaml.org,2002:str"
      return Node(text, Tag(.str), isPlain ? .any : .doubleQuoted)
    case .array(let elements):
      let isFlat = elements.allSatisfy { $0.array == nil && $0.object == nil }
      return Node(elements.map(node), .implicit, isFlat ? .flow : .block)
    case .object(let object):
      return Node(object.members.map { (node(.string($0)), node($1)) }, .implicit, object.isEmpty ? .flow : .block)
    default: return Node(value.text(), .implicit, .plain)
    }
  }
}
