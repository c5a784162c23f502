// Values as Python prints them.

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension TemplateInterpreter {
  /// Python's `str(value)`.
  func string(of value: TemplateValue) throws(TemplateError) -> TemplateText {
    switch value {
    case .text(let text): return text
    case .missing, .undefined: return TemplateText()
    default:
      var out = TemplateText()
      try describe(value, into: &out, .variable, depth: 0)
      return out
    }
  }

  /// Python's `repr(value)`; punctuation has the origin of the container.
  func describe(
    _ value: TemplateValue, into out: inout TemplateText, _ origin: Origin, depth: Int
  ) throws(TemplateError) {
    try step()
    if depth > 150 { throw fail(.limit, "a value nested too deeply to print") }
    switch value {
    case .missing, .undefined: out.append("Undefined".utf8, origin)
    case .none: out.append("None".utf8, origin)
    case .bool(let value): out.append((value ? "True" : "False").utf8, origin)
    case .integer(let value): out.append(String(value).utf8, origin)
    case .number(let value): out.append(Self.python(value).utf8, origin)
    case .text(let text): out.append(text.runs.isEmpty ? text.quoted.withOrigin(origin) : text.quoted)
    case .list(let list):
      let own = list.origin == .template ? origin : list.origin
      out.append((list.isTuple ? "(" : "[").utf8, own)
      for (i, element) in list.elements.enumerated() {
        if i > 0 { out.append(", ".utf8, own) }
        try describe(element, into: &out, own, depth: depth + 1)
      }
      if list.isTuple, list.elements.count == 1 { out.append(",".utf8, own) }
      out.append((list.isTuple ? ")" : "]").utf8, own)
    case .dict(let dict):
      let own = dict.origin == .template ? origin : dict.origin
      out.append("{".utf8, own)
      for i in dict.keys.indices {
        if i > 0 { out.append(", ".utf8, own) }
        try describe(dict.keys[i], into: &out, own, depth: depth + 1)
        out.append(": ".utf8, own)
        try describe(dict.values[i], into: &out, own, depth: depth + 1)
      }
      out.append("}".utf8, own)
    case .namespace(let namespace):
      out.append("<Namespace {".utf8, origin)
      for i in namespace.names.indices {
        if i > 0 { out.append(", ".utf8, origin) }
        out.append(TemplateText(bytes: namespace.names[i], origin: origin).quoted)
        out.append(": ".utf8, origin)
        try describe(namespace.values[i], into: &out, origin, depth: depth + 1)
      }
      out.append("}>".utf8, origin)
    case .stream(let stream): try describe(stream, into: &out, origin, depth: depth)
    case .callable(let callable): out.append(Self.words(callable).utf8, origin)
    }
    if out.bytes.count > limits.output { throw fail(.limit, "a text longer than \(limits.output) bytes") }
  }

  private func describe(
    _ stream: Stream, into out: inout TemplateText, _ origin: Origin, depth: Int
  ) throws(TemplateError) {
    switch stream.kind {
    case .range:
      let (start, stop, step) = stream.bounds
      out.append("range(\(start), \(stop)\(step == 1 ? "" : ", \(step)"))".utf8, origin)
    case .iterator: throw fail(.unsupported, "printing an iterator: Python prints its address; add '| list'")
    case .keys, .values, .items:
      out.append(stream.kind.rawValue.utf8, origin)
      out.append("(".utf8, origin)
      try describe(.list(List(stream.elements)), into: &out, origin, depth: depth + 1)
      out.append(")".utf8, origin)
    }
  }

  private static func words(_ callable: Callable) -> String {
    switch callable {
    case .macro(let closure): "<Macro '\(closure.macro.name)'>"
    case .loop(let loop): "<LoopContext \(loop.index + 1)/\(loop.items.count)>"
    default: "<\(callable.typeName)>"
    }
  }

  /// Python's `repr` of a float: the shortest digits that give the number back, an exponent from 1e16 and below 1e-4.
  static func python(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    let size = value.magnitude
    if size >= 9_007_199_254_740_992, size < 1e16 { return "\(Int(value)).0" }
    return value.description
  }

  static func power(_ a: Double, _ b: Double) -> Double { pow(a, b) }
}

extension TemplateText {
  func withOrigin(_ origin: Origin) -> TemplateText {
    var result = TemplateText(bytes: bytes, origin: origin)
    result.isMarkup = isMarkup
    return result
  }

  /// Python's `repr` of a string.
  var quoted: TemplateText {
    let quote: UInt8 =
      bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\"")) ? UInt8(ascii: "\"") : UInt8(ascii: "'")
    let middle = mapped { piece in
      var out: [UInt8] = []
      out.reserveCapacity(piece.count)
      for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
        switch scalar {
        case "\n": out += "\\n".utf8
        case "\r": out += "\\r".utf8
        case "\t": out += "\\t".utf8
        case "\\": out += "\\\\".utf8
        case _ where scalar.value == UInt32(quote):
          out.append(UInt8(ascii: "\\"))
          out.append(quote)
        case _ where scalar.isPythonPrintable: out += String(Character(scalar)).utf8
        default:
          let (mark, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
          out.append(UInt8(ascii: "\\"))
          out += mark.utf8
          out += hexadecimal(scalar.value, width: width).utf8
        }
      }
      return out
    }
    var result = TemplateText()
    result.append([quote], origin)
    result.append(middle)
    result.append([quote], runs.last?.origin ?? .template)
    if isMarkup {
      var markup = TemplateText("Markup(")
      markup.append(result)
      markup.append(")".utf8)
      result = markup
    }
    result.isMarkup = false
    return result
  }
}

/// `value` in hexadecimal, padded with zeros.
func hexadecimal(_ value: UInt32, width: Int) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Unicode.Scalar {
  var isPythonPrintable: Bool {
    if value < 0x7F { return value >= 0x20 }
    return switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
      .spaceSeparator:
      false
    default: true
    }
  }
}
