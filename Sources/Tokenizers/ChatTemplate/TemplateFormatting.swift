// `'%s %d' % values` and `'{} {name}'.format(...)`.

internal import HoldfastBasics

extension TemplateInterpreter {
  private struct Specification {
    var leftAligned = false, zeros = false, plus = false, space = false, alternative = false
    var width = 0
    var precision: Int?
  }

  /// Python's `template % values`.
  func format(_ template: TemplateText, with values: TemplateValue) throws(TemplateError) -> TemplateText {
    var rest: [TemplateValue]
    var mapping: TemplateValue?
    var usesAll = false
    if case .list(let list) = values, list.isTuple {
      rest = list.elements
      usesAll = true
    } else {
      rest = [values]
      if case .dict = values { mapping = values }
    }
    rest.reverse()
    var out = TemplateText()
    let bytes = template.bytes
    var at = 0
    var taken = 0
    while let mark = template.find([UInt8(ascii: "%")], from: at) {
      out.append(template.piece(at..<mark))
      at = mark + 1
      guard at < bytes.count else { throw fail(.value, "a format ends with '%'") }
      var value: TemplateValue?
      if bytes[at] == UInt8(ascii: "(") {
        guard let mapping, let end = template.find([UInt8(ascii: ")")], from: at) else {
          throw fail(.type, "a format with names needs a dictionary")
        }
        let name = Array(bytes[at + 1..<end])
        guard case .dict(let dict) = mapping, let found = dict[name] else {
          throw fail(.value, "the format names '\(String(decoding: name, as: UTF8.self))', which is not given")
        }
        value = found
        usesAll = false
        taken += 1
        at = end + 1
      }
      let specification = try specification(bytes, &at)
      guard at < bytes.count else { throw fail(.value, "a format is cut off") }
      let code = bytes[at]
      at += 1
      if code == UInt8(ascii: "%") {
        out.append([code], template.origin)
        continue
      }
      if value == nil {
        value = rest.popLast()
        taken += 1
      }
      guard let value else { throw fail(.type, "not enough values for the format") }
      let piece = try formatted(value, code, specification)
      try take(max(piece.bytes.count, specification.width))
      out.append(padded(template.isMarkup ? piece.escaped : piece, specification))
    }
    out.append(template.piece(at..<bytes.count))
    if !rest.isEmpty, usesAll || (mapping == nil && taken == 0) { throw fail(.type, "more values than the format takes") }
    out.isMarkup = template.isMarkup
    return out
  }

  private func specification(_ bytes: [UInt8], _ at: inout Int) throws(TemplateError) -> Specification {
    var result = Specification()
    flags: while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "-"): result.leftAligned = true
      case UInt8(ascii: "0"): result.zeros = true
      case UInt8(ascii: "+"): result.plus = true
      case UInt8(ascii: " "): result.space = true
      case UInt8(ascii: "#"): result.alternative = true
      default: break flags
      }
      at += 1
    }
    func number() throws(TemplateError) -> Int {
      var value = 0
      while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 {
        value = value * 10 + Int(bytes[at] - 48)
        if value > 1_000_000 { throw fail(.limit, "a format wider than 1000000") }
        at += 1
      }
      return value
    }
    result.width = try number()
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      result.precision = try number()
    }
    return result
  }

  private func formatted(
    _ value: TemplateValue, _ code: UInt8, _ specification: Specification
  ) throws(TemplateError) -> TemplateText {
    let name = String(decoding: [code], as: UTF8.self)
    switch code {
    case UInt8(ascii: "s"), UInt8(ascii: "r"), UInt8(ascii: "a"):
      var text: TemplateText
      if name == "s" {
        text = try string(of: value)
      } else {
        text = TemplateText()
        try describe(value, into: &text, .variable, depth: 0)
      }
      if let precision = specification.precision { text = text.scalars(0..<min(precision, text.scalarCount)) }
      return text
    case UInt8(ascii: "d"), UInt8(ascii: "i"), UInt8(ascii: "u"):
      var number: Int?
      if case .number(let double) = value { number = Int(exactly: double.rounded(.towardZero)) }
      guard let whole = number ?? value.asInteger else { throw fail(.type, "%\(name) needs a number") }
      return signed(String(whole.magnitude), negative: whole < 0, specification)
    case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"):
      guard let whole = value.asInteger else { throw fail(.type, "%\(name) needs a whole number") }
      let digits = String(whole.magnitude, radix: name == "o" ? 8 : 16, uppercase: name == "X")
      let prefix = specification.alternative ? "0" + name : ""
      return signed(prefix + digits, negative: whole < 0, specification)
    case UInt8(ascii: "f"), UInt8(ascii: "F"):
      guard let number = value.asDouble else { throw fail(.type, "%\(name) needs a number") }
      let digits = try fixed(number.magnitude, specification.precision ?? 6)
      return signed(digits, negative: number.sign == .minus, specification)
    default: throw fail(.unsupported, "the format %\(name) is not known here")
    }
  }

  private func signed(_ digits: String, negative: Bool, _ specification: Specification) -> TemplateText {
    let sign = negative ? "-" : specification.plus ? "+" : specification.space ? " " : ""
    var text = sign + digits
    if specification.zeros, !specification.leftAligned, text.count < specification.width {
      text = sign + String(repeating: "0", count: specification.width - text.count) + digits
    }
    return TemplateText(text, .variable)
  }

  private func padded(_ text: TemplateText, _ specification: Specification) -> TemplateText {
    let missing = specification.width - text.scalarCount
    if missing <= 0 { return text }
    let spaces = TemplateText(String(repeating: " ", count: missing))
    var out = specification.leftAligned ? text : spaces
    out.append(specification.leftAligned ? spaces : text)
    out.isMarkup = text.isMarkup
    return out
  }

  /// A number with so many digits after the point, rounded as C does it: half to even on the exact binary value.
  func fixed(_ value: Double, _ places: Int) throws(TemplateError) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    guard places <= 400 else { throw fail(.limit, "more than 400 digits after the point") }
    return DecimalExpansion(value.magnitude).rounded(places: places, negative: value.sign == .minus)
  }

  // MARK: - str.format

  /// Python's `template.format(...)`: fields by number, name, attribute and item, without format specifications.
  func formatFields(_ template: TemplateText, _ arguments: Arguments) throws(TemplateError) -> TemplateText {
    var out = TemplateText()
    let bytes = template.bytes
    var at = 0
    var automatic = 0
    while at < bytes.count {
      guard let mark = bytes[at...].firstIndex(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }) else {
        break
      }
      out.append(template.piece(at..<mark))
      at = mark + 1
      if at < bytes.count, bytes[at] == bytes[mark] {
        out.append(template.piece(mark..<at))
        at += 1
        continue
      }
      guard bytes[mark] == UInt8(ascii: "{"), let end = template.find([UInt8(ascii: "}")], from: at) else {
        throw fail(.value, "a single '{' or '}' in a format")
      }
      var field = String(decoding: bytes[at..<end], as: UTF8.self)
      at = end + 1
      var conversion: Character = "s"
      if let bang = field.lastIndex(of: "!") {
        conversion = field[field.index(after: bang)...].first ?? "s"
        field = String(field[..<bang])
      }
      if field.contains(":") { throw fail(.unsupported, "format specifications ('\(field)') are not known here") }
      let value = try self.field(field, arguments, &automatic)
      var piece = TemplateText()
      if conversion == "r" {
        try describe(value, into: &piece, .variable, depth: 0)
      } else {
        piece = try string(of: value)
      }
      try take(out.bytes.count + piece.bytes.count)
      out.append(template.isMarkup ? piece.escaped : piece)
    }
    out.append(template.piece(at..<bytes.count))
    out.isMarkup = template.isMarkup
    return out
  }

  private func field(
    _ field: String, _ arguments: Arguments, _ automatic: inout Int
  ) throws(TemplateError) -> TemplateValue {
    let parts = field.split(separator: ".", omittingEmptySubsequences: false)
    if field.contains("[") { throw fail(.unsupported, "items in a format field ('\(field)') are not known here") }
    var value: TemplateValue
    let first = parts.first.map(String.init) ?? ""
    if first.isEmpty || Int(first) != nil {
      let place = Int(first) ?? automatic
      if first.isEmpty { automatic += 1 }
      guard arguments.positional.indices.contains(place) else {
        throw fail(.value, "the format has no value number \(place)")
      }
      value = arguments.positional[place]
    } else {
      guard let found = arguments.named.first(where: { $0.name == first }) else {
        throw fail(.value, "the format names '\(first)', which is not given")
      }
      value = found.value
    }
    for part in parts.dropFirst() { value = try attribute(TemplateText(String(part)), of: value) }
    return value
  }
}
