// Python's json.dumps, which is what `tojson` is in chat templates, and JSON into template values.

internal import HoldfastBasics

extension TemplateInterpreter {
  struct JSONStyle {
    var ascii = false
    /// What one level is indented by; nil writes one line.
    var indent: [UInt8]?
    var comma: [UInt8] = Array(", ".utf8)
    var colon: [UInt8] = Array(": ".utf8)
    var sortsKeys = false
  }

  func json(_ value: TemplateValue, _ style: JSONStyle) throws(TemplateError) -> TemplateText {
    var out = TemplateText()
    try write(value, style, into: &out, .variable, level: 0)
    return out
  }

  private func write(
    _ value: TemplateValue, _ style: JSONStyle, into out: inout TemplateText, _ origin: Origin, level: Int
  ) throws(TemplateError) {
    try step()
    if level > 150 { throw fail(.limit, "a value nested too deeply for JSON") }
    if out.bytes.count > limits.output { throw fail(.limit, "a text longer than \(limits.output) bytes") }
    switch value {
    case .none: out.append("null".utf8, origin)
    case .bool(let value): out.append((value ? "true" : "false").utf8, origin)
    case .integer(let value): out.append(String(value).utf8, origin)
    case .number(let value): out.append(Self.jsonNumber(value).utf8, origin)
    case .text(let text): out.append(Self.jsonText(text, style, origin))
    case .list(let list):
      try write(
        list.elements.count, "[", "]", style, into: &out, list.origin == .template ? origin : list.origin, level
      ) { (i, out, own) throws(TemplateError) in
        try self.write(list.elements[i], style, into: &out, own, level: level + 1)
      }
    case .dict(let dict):
      var order = Array(dict.keys.indices)
      if style.sortsKeys {
        order = try sorted(order) { (a, b) throws(TemplateError) in try self.less(dict.keys[a], dict.keys[b]) }
      }
      let keys = try dict.keys.map { (key) throws(TemplateError) in try self.jsonKey(key) }
      try write(
        order.count, "{", "}", style, into: &out, dict.origin == .template ? origin : dict.origin, level
      ) { (i, out, own) throws(TemplateError) in
        out.append(Self.jsonText(keys[order[i]], style, own))
        out.append(style.colon, own)
        try self.write(dict.values[order[i]], style, into: &out, own, level: level + 1)
      }
    default: throw fail(.type, "a \(value.typeName) cannot be written as JSON")
    }
  }

  private func write(
    _ count: Int, _ open: String, _ close: String, _ style: JSONStyle, into out: inout TemplateText,
    _ origin: Origin, _ level: Int,
    _ element: (Int, inout TemplateText, Origin) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    out.append(open.utf8, origin)
    for i in 0..<count {
      if i > 0 { out.append(style.comma, origin) }
      try breakLine(style, into: &out, origin, level + 1)
      try element(i, &out, origin)
    }
    if count > 0 { try breakLine(style, into: &out, origin, level) }
    out.append(close.utf8, origin)
  }

  private func breakLine(
    _ style: JSONStyle, into out: inout TemplateText, _ origin: Origin, _ level: Int
  ) throws(TemplateError) {
    guard let indent = style.indent else { return }
    out.append([0x0A], origin)
    if level == 0 || indent.isEmpty { return }
    try take(level, times: indent.count)
    for _ in 0..<level { out.append(indent, origin) }
  }

  private func jsonKey(_ key: TemplateValue) throws(TemplateError) -> TemplateText {
    switch key {
    case .text(let text): return text
    case .none: return TemplateText("null")
    case .bool(let value): return TemplateText(value ? "true" : "false")
    case .integer(let value): return TemplateText(String(value))
    case .number(let value): return TemplateText(Self.jsonNumber(value))
    default: throw fail(.type, "a \(key.typeName) cannot be a key in JSON")
    }
  }

  private static func jsonNumber(_ value: Double) -> String {
    value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : python(value)
  }

  private static func jsonText(_ text: TemplateText, _ style: JSONStyle, _ origin: Origin) -> TemplateText {
    let text = text.runs.isEmpty ? text.withOrigin(origin) : text
    var out = TemplateText()
    out.append([UInt8(ascii: "\"")], text.origin)
    out.append(text.mapped { escape($0, ascii: style.ascii) })
    out.append([UInt8(ascii: "\"")], text.runs.last?.origin ?? .template)
    return out
  }

  private static func escape(_ piece: ArraySlice<UInt8>, ascii: Bool) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(piece.count)
    if ascii, piece.contains(where: { $0 >= 0x7F }) {
      for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
        if scalar.value < 0x7F {
          escape(UInt8(scalar.value), into: &out)
        } else {
          for unit in UTF16.encode(scalar)! { out += "\\u\(hexadecimal(UInt32(unit), width: 4))".utf8 }
        }
      }
    } else {
      for byte in piece { escape(byte, into: &out) }
    }
    return out
  }

  private static func escape(_ byte: UInt8, into out: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""): out += #"\""#.utf8
    case UInt8(ascii: "\\"): out += #"\\"#.utf8
    case 0x0A: out += #"\n"#.utf8
    case 0x0D: out += #"\r"#.utf8
    case 0x09: out += #"\t"#.utf8
    case 0x08: out += #"\b"#.utf8
    case 0x0C: out += #"\f"#.utf8
    case 0..<0x20: out += "\\u\(hexadecimal(UInt32(byte), width: 4))".utf8
    default: out.append(byte)
    }
  }
}

extension TemplateValue {
  /// A JSON value all of one origin.
  init(_ json: JSON, _ origin: Origin) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .text(TemplateText(value, origin))
    case .array(let elements): self = .list(List(elements.map { TemplateValue($0, origin) }, origin: origin))
    case .object(let object):
      self = .dict(Dict(
        keys: object.keys.map { .text($0) }, values: object.values.map { TemplateValue($0, origin) },
        origin: origin))
    }
  }

  /// The value of `messages`: every field of every message knows which it is.
  init(messages: JSON) {
    guard case .array(let elements) = messages else {
      self.init(messages, .variable)
      return
    }
    self = .list(List(elements.enumerated().map { number, message in
      guard case .object(let object) = message else { return TemplateValue(message, .variable) }
      let values = object.members.map { key, value in
        TemplateValue(value, Origin(source: TextSource(key: key), message: Int32(number)))
      }
      return .dict(Dict(
        keys: object.keys.map { .text($0) }, values: values,
        origin: Origin(source: .otherField, message: Int32(number)), isMessage: true))
    }))
  }
}
