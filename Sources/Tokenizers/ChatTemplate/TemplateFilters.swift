// `value | filter(arguments)`: jinja2's filters, with `tojson` as Transformers has it.

enum TemplateFilter: String, Sendable {
  case abs, attr, batch, capitalize, center, count, d, `default`, dictsort, e, escape, first, float, forceescape
  case format, groupby, indent, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr
  case replace, reverse, round, safe, select, selectattr, slice, sort, string, striptags, sum, title, tojson, trim
  case truncate, unique, upper, urlencode, wordcount
}

extension TemplateInterpreter {
  func apply(
    _ call: FilterCall, to value: TemplateValue, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    guard let filter = call.filter else { throw noFilter(call.name, call.line) }
    let arguments = try arguments(call.arguments, activation)
    line = call.line
    return try apply(filter, to: value, arguments)
  }

  private func noFilter(_ name: String, _ line: Int) -> TemplateError {
    TemplateError(kind: .unsupported, message: "no filter is named '\(name)'", line: line)
  }

  /// A filter by a name that is a value: `map('upper')`.
  func apply(
    named name: TemplateValue?, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let name = try requireText(name, "map").string
    guard let filter = TemplateFilter(rawValue: name) else { throw noFilter(name, line) }
    return try apply(filter, to: value, arguments)
  }

  func apply(
    _ filter: TemplateFilter, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .abs, .float, .int, .round, .sum: return try number(filter, value, arguments)
    case .attr:
      let name = try requireText(try bind(arguments, to: "attr", "name", required: 1)[0], "attr")
      if case .dict = value, Method.named(name.bytes, of: value) == nil {
        return .undefined(Undefined(.member(type: value.typeName, key: name)))
      }
      return try attribute(name, of: value)
    case .d, .default:
      let bound = try bind(arguments, to: "default", "default_value", "boolean")
      let isMissing = value.isUndefined || (bound[1]?.isTrue ?? false) && !value.isTrue
      return isMissing ? bound[0] ?? .text("") : value
    case .count, .length:
      _ = try bind(arguments, to: "length")
      return .integer(try length(of: value))
    case .list:
      _ = try bind(arguments, to: "list")
      return try list(try elements(of: value, for: "list"))
    case .string:
      _ = try bind(arguments, to: "string")
      return .text(try string(of: value))
    case .tojson: return try json(value, arguments)
    case .items:
      _ = try bind(arguments, to: "items")
      if value.isUndefined { return try iterator([]) }
      guard case .dict(let dict) = value else { throw fail(.type, "only a dictionary has items") }
      guard case .stream(let view) = try view(dict, .items) else { return .none }
      return try iterator(view.take())
    case .safe, .e, .escape, .forceescape:
      _ = try bind(arguments, to: filter.rawValue)
      var text = try string(of: value)
      if filter == .forceescape { text.isMarkup = false }
      if filter != .safe { text = text.escaped }
      text.isMarkup = true
      return try self.text(text)
    case .join:
      let bound = try bind(arguments, to: "join", "d", "attribute")
      let separator = try bound[0].map { (value) throws(TemplateError) in try string(of: value) } ?? TemplateText()
      var pieces: [TemplateText] = []
      for element in try elements(of: value, for: "join") {
        var piece = try string(of: try path(bound[1], of: element))
        piece.isMarkup = false
        pieces.append(piece)
      }
      var plain = separator
      plain.isMarkup = false
      return .text(try join(pieces, by: plain))
    case .batch, .dictsort, .first, .groupby, .last, .map, .max, .min, .reject, .rejectattr, .reverse, .select,
      .selectattr, .slice, .sort, .unique:
      return try sequence(filter, value, arguments)
    default: return try text(filter, try string(of: value), arguments)
    }
  }

  func length(of value: TemplateValue) throws(TemplateError) -> Int {
    switch value {
    case .text(let text): return text.scalarCount
    case .list(let list): return list.elements.count
    case .dict(let dict): return dict.keys.count
    case .stream(let stream) where stream.kind != .iterator: return stream.elements.count
    case .callable(.loop(let loop)): return loop.items.count
    case .undefined: return 0
    default: throw fail(.type, "a \(value.typeName) has no length")
    }
  }

  /// `attribute` of a filter: names and numbers joined by dots, looked up one after the other.
  func path(
    _ path: TemplateValue?, of value: TemplateValue, default standard: TemplateValue? = nil
  ) throws(TemplateError) -> TemplateValue {
    guard let path, !path.isNone else { return value }
    guard case .text(let text) = path else { return try item(path, of: value) }
    var value = value
    for part in text.split(by: [UInt8(ascii: ".")], limit: -1, fromRight: false) {
      let number = part.bytes.allSatisfy { $0 >= 48 && $0 <= 57 } ? Int(part.string) : nil
      value = try item(number.map { .integer($0) } ?? .text(part), of: value)
      if let standard, !standard.isNone, value.isUndefined { value = standard }
    }
    return value
  }

  private func json(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "tojson", "ensure_ascii", "indent", "separators", "sort_keys")
    var style = JSONStyle()
    style.ascii = bound[0]?.isTrue ?? false
    style.sortsKeys = bound[3]?.isTrue ?? false
    switch bound[1] {
    case nil, TemplateValue.none?: break
    case .text(let text): style.indent = text.bytes
    case let value?:
      let width = try whole(value, or: 0, in: "tojson")
      if width > 1000 { throw fail(.limit, "tojson indents by more than 1000") }
      style.indent = Array(repeating: 0x20, count: Swift.max(0, width))
    }
    if style.indent != nil { style.comma = [UInt8(ascii: ",")] }
    if let separators = bound[2], !separators.isNone {
      let parts = try elements(of: separators, for: "unpack")
      guard parts.count == 2 else { throw fail(.value, "tojson needs two separators") }
      style.comma = try requireText(parts[0], "tojson").bytes
      style.colon = try requireText(parts[1], "tojson").bytes
    }
    return try text(try json(value, style))
  }

  // MARK: - Numbers

  private func number(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .abs:
      _ = try bind(arguments, to: "abs")
      if let number = value.asInteger {
        if number == .min { throw fail(.unsupported, "a whole number beyond 64 bits") }
        return .integer(Swift.abs(number))
      }
      guard let number = value.asDouble else { throw notANumber(value, "abs") }
      return .number(number.magnitude)
    case .float:
      let standard = try bind(arguments, to: "float", "default")[0]
      if case .undefined(let undefined) = value { throw fail(undefined.kind, undefined.message) }
      return try pythonFloat(value).map { .number($0) } ?? standard ?? .number(0)
    case .int:
      let bound = try bind(arguments, to: "int", "default", "base")
      return try int(value, bound[0] ?? .integer(0), base: try whole(bound[1], or: 10, in: "int"))
    case .round: return try round(value, arguments)
    default:
      let bound = try bind(arguments, to: "sum", "attribute", "start")
      var total = bound[1] ?? .integer(0)
      for element in try elements(of: value, for: "sum") {
        if case .text = total { throw fail(.type, "strings cannot be summed; join them") }
        total = try arithmetic(.add, total, try path(bound[0], of: element))
      }
      return total
    }
  }

  private func notANumber(_ value: TemplateValue, _ function: String) -> TemplateError {
    if case .undefined(let undefined) = value { return fail(undefined.kind, undefined.message) }
    return fail(.type, "'\(function)' needs a number, not a \(value.typeName)")
  }

  /// Python's `float(value)`.
  private func pythonFloat(_ value: TemplateValue) throws(TemplateError) -> Double? {
    guard case .text(let text) = value else { return value.asDouble }
    let word = text.stripped(\.isPythonSpace).string
    if word.hasPrefix("_") || word.hasSuffix("_") || word.contains("__") { return nil }
    let plain = String(word.filter { $0 != "_" })
    guard !plain.lowercased().hasPrefix("0x"), !plain.lowercased().contains("0x"), !plain.contains("(") else {
      return nil
    }
    return Double(plain)
  }

  private func int(_ value: TemplateValue, _ standard: TemplateValue, base: Int) throws(TemplateError) -> TemplateValue {
    if case .undefined(let undefined) = value { throw fail(undefined.kind, undefined.message) }
    if let number = value.asInteger { return .integer(number) }
    if case .text(let text) = value {
      guard base == 0 || (2...36).contains(base) else { return standard }
      if let number = Self.pythonInt(text.stripped(\.isPythonSpace).string, base: base) { return .integer(number) }
    }
    guard let double = try pythonFloat(value), double.isFinite else {
      if case .number(let number) = value, number.isInfinite { throw fail(.value, "infinity as a whole number") }
      return standard
    }
    guard let number = Int(exactly: double.rounded(.towardZero)) else {
      throw fail(.unsupported, "a whole number beyond 64 bits")
    }
    return .integer(number)
  }

  /// Python's `int(text, base)`.
  private static func pythonInt(_ text: String, base: Int) -> Int? {
    var word = Substring(text.lowercased())
    var sign = ""
    if let first = word.first, first == "-" || first == "+" {
      sign = String(first)
      word = word.dropFirst()
    }
    var radix = base
    for (prefix, value) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
      if base == value || base == 0 {
        word = word.dropFirst(2)
        radix = value
        if word.hasPrefix("_") { word = word.dropFirst() }
      }
    }
    if radix == 0 {
      radix = 10
      if word.hasPrefix("0"), word.contains(where: { $0 != "0" && $0 != "_" }) { return nil }
    }
    guard !word.isEmpty, !word.hasPrefix("_"), !word.hasSuffix("_"), !word.contains("__"), word.first != "-",
      word.first != "+"
    else { return nil }
    return Int(sign + word.filter { $0 != "_" }, radix: radix)
  }

  private func round(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "round", "precision", "method")
    let places = try whole(bound[0], or: 0, in: "round")
    let method = try bound[1].map { (value) throws(TemplateError) in try requireText(value, "round").string } ?? "common"
    guard Swift.abs(places) <= 300 else { throw fail(.limit, "rounding to more than 300 places") }
    switch method {
    case "common":
      if let number = value.asInteger {
        if places >= 0 { return .integer(number) }
        guard places > -19 else { return .integer(0) }
        let unit = (0..<(-places)).reduce(1) { unit, _ in unit * 10 }
        let rest = ((number % unit) + unit) % unit
        let down = number - rest
        let isUp = rest * 2 > unit || rest * 2 == unit && (down / unit) % 2 != 0
        return .integer(isUp ? down + unit : down)
      }
      guard let number = value.asDouble else { throw notANumber(value, "round") }
      guard number.isFinite else { return .number(number) }
      if places < 0 {
        let unit = Self.power(10, Double(-places))
        return .number((number / unit).rounded(.toNearestOrEven) * unit)
      }
      return .number(Double(try fixed(number, places)) ?? number)
    case "ceil", "floor":
      guard let number = value.asDouble else { throw notANumber(value, "round") }
      let unit = Self.power(10, Double(places))
      let scaled = number * unit
      guard scaled.isFinite else { throw fail(.value, "a number too large to round") }
      return .number((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / unit)
    default: throw fail(.value, "'round' knows common, ceil and floor")
    }
  }
}
