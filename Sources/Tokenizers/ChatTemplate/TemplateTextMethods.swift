// The methods of strings. Pieces of a text keep their origins.

extension TemplateInterpreter {
  func invoke(
    _ method: Method, on text: TemplateText, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    try step(text.bytes.count >> 6)
    switch method {
    case .format: return try self.text(try formatFields(text, arguments))
    case .strip, .lstrip, .rstrip:
      let characters = try bind(arguments, to: method.rawValue, "chars")[0]
      return .text(try strip(text, characters, left: method != .rstrip, right: method != .lstrip))
    case .split, .rsplit: return try split(text, fromRight: method == .rsplit, arguments)
    case .splitlines:
      let keeps = try bind(arguments, to: "splitlines", "keepends")[0]?.isTrue ?? false
      return try texts(text.lines(keepsEnds: keeps))
    case .startswith, .endswith: return try hasEnd(text, atStart: method == .startswith, arguments)
    case .find, .rfind, .index, .rindex, .count: return try find(text, method, arguments)
    case .replace:
      let bound = try bind(arguments, to: "replace", "old", "new", "count", required: 2)
      let count = try whole(bound[2], or: -1, in: "replace")
      let (old, new) = (try requireText(bound[0], "replace"), try requireText(bound[1], "replace"))
      return .text(try replace(text, old, text.isMarkup ? new.escaped : new, count))
    case .join:
      let elements = try elements(of: try bind(arguments, to: "join", "iterable", required: 1)[0] ?? .none, for: "join")
      var pieces: [TemplateText] = []
      for element in elements { pieces.append(try requireText(element, "join")) }
      return .text(try join(pieces, by: text))
    case .partition, .rpartition:
      let separator = try requireText(try bind(arguments, to: method.rawValue, "separator", required: 1)[0], "partition")
      if separator.isEmpty { throw fail(.value, "an empty separator") }
      let place = method == .partition ? text.find(separator.bytes) : text.findLast(separator.bytes)
      guard let place else {
        let empty = TemplateText()
        return try list(
          (method == .partition ? [text, empty, empty] : [empty, empty, text]).map { .text($0) }, isTuple: true)
      }
      let end = place + separator.bytes.count
      return try list(
        [0..<place, place..<end, end..<text.bytes.count].map { .text(text.piece($0)) }, isTuple: true)
    case .removeprefix, .removesuffix:
      let part = try requireText(try bind(arguments, to: method.rawValue, "part", required: 1)[0], method.rawValue)
      if method == .removeprefix {
        return .text(text.starts(with: part.bytes) ? text.piece(part.bytes.count..<text.bytes.count) : text)
      }
      let isEnd = !part.isEmpty && text.hasSuffix(part.bytes)
      return .text(isEnd ? text.piece(0..<text.bytes.count - part.bytes.count) : text)
    case .center, .ljust, .rjust, .zfill: return try pad(text, method, arguments)
    case .expandtabs:
      let size = try whole(try bind(arguments, to: "expandtabs", "tabsize")[0], or: 8, in: "expandtabs")
      return try self.text(try expandTabs(text, size))
    default:
      _ = try bind(arguments, to: method.rawValue)
      return try simple(method, text)
    }
  }

  /// Methods without arguments.
  private func simple(_ method: Method, _ text: TemplateText) throws(TemplateError) -> TemplateValue {
    switch method {
    case .upper: return try self.text(text.uppercased)
    case .lower: return try self.text(text.lowercased)
    case .casefold: return try self.text(text.lowercased)
    case .capitalize: return try self.text(text.capitalized)
    case .title: return try self.text(text.titled)
    case .swapcase: return try self.text(text.swappedCase)
    default:
      let scalars = text.string.unicodeScalars
      func all(_ test: (Unicode.Scalar) -> Bool) -> TemplateValue { .bool(!scalars.isEmpty && scalars.allSatisfy(test)) }
      switch method {
      case .isalnum: return all { $0.isPythonAlphabetic || $0.properties.numericType != nil }
      case .isalpha: return all(\.isPythonAlphabetic)
      case .isascii: return .bool(text.isASCII)
      case .isdecimal: return all { $0.properties.numericType == .decimal }
      case .isdigit: return all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
      case .isnumeric: return all { $0.properties.numericType != nil }
      case .isspace: return all(\.isPythonSpace)
      case .islower: return .bool(text.isLower)
      case .isupper: return .bool(text.isUpper)
      case .istitle: return .bool(text.isTitle)
      default: throw fail(.unsupported, "the method '\(method.rawValue)' of strings is not known here")
      }
    }
  }

  // MARK: - Arguments

  func requireText(_ value: TemplateValue?, _ function: String) throws(TemplateError) -> TemplateText {
    switch value {
    case .text(let text): return text
    case .undefined(let undefined): throw fail(undefined.kind == .refused ? .refused : .type, undefined.message)
    default: throw fail(.type, "'\(function)' needs a string, not a \(value?.typeName ?? "NoneType")")
    }
  }

  func whole(_ value: TemplateValue?, or standard: Int, in function: String) throws(TemplateError) -> Int {
    guard let value else { return standard }
    if let number = value.asInteger { return number }
    if case .undefined(let undefined) = value { throw fail(undefined.kind, undefined.message) }
    throw fail(.type, "'\(function)' needs a whole number, not a \(value.typeName)")
  }

  func texts(_ pieces: [TemplateText]) throws(TemplateError) -> TemplateValue {
    var bytes = 0
    for piece in pieces { bytes += piece.bytes.count + 64 }
    try take(bytes)
    return .list(pieces.map { .text($0) })
  }

  // MARK: - Pieces

  func strip(
    _ text: TemplateText, _ characters: TemplateValue?, left: Bool = true, right: Bool = true
  ) throws(TemplateError) -> TemplateText {
    guard let characters, !characters.isNone else { return text.stripped(left: left, right: right, \.isPythonSpace) }
    let set = Set(try requireText(characters, "strip").string.unicodeScalars)
    return text.stripped(left: left, right: right) { set.contains($0) }
  }

  private func split(
    _ text: TemplateText, fromRight: Bool, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "split", "sep", "maxsplit")
    let limit = try whole(bound[1], or: -1, in: "split")
    guard let separator = bound[0], !separator.isNone else {
      return try texts(text.words(limit: limit, fromRight: fromRight))
    }
    let mark = try requireText(separator, "split").bytes
    if mark.isEmpty { throw fail(.value, "an empty separator") }
    return try texts(text.split(by: mark, limit: limit, fromRight: fromRight))
  }

  func join(_ pieces: [TemplateText], by separator: TemplateText) throws(TemplateError) -> TemplateText {
    var bytes = 0
    for piece in pieces {
      bytes += piece.bytes.count + separator.bytes.count
      if bytes > limits.output { break }
    }
    try take(bytes)
    var out = TemplateText()
    for (i, piece) in pieces.enumerated() {
      if i > 0 { out.append(separator, turn: turn) }
      out.append(separator.isMarkup ? piece.escaped : piece, turn: turn)
    }
    out.isMarkup = separator.isMarkup
    return out
  }

  func replace(
    _ text: TemplateText, _ old: TemplateText, _ new: TemplateText, _ limit: Int
  ) throws(TemplateError) -> TemplateText {
    if limit == 0 { return text }
    var limit = limit < 0 ? .max : limit
    if old.isEmpty {
      let characters = text.characters
      try take(characters.count + 1, times: new.bytes.count + 8)
      var out = TemplateText()
      for character in characters {
        if limit > 0 {
          out.append(new)
          limit -= 1
        }
        out.append(character)
      }
      if limit > 0 { out.append(new) }
      out.isMarkup = text.isMarkup
      return out
    }
    guard var place = text.find(old.bytes) else { return text }
    var out = TemplateText()
    var start = 0
    while limit > 0 {
      out.append(text.piece(start..<place))
      out.append(new)
      if out.bytes.count > limits.output { throw fail(.limit, "a text longer than \(limits.output) bytes") }
      start = place + old.bytes.count
      limit -= 1
      guard let next = text.find(old.bytes, from: start) else { break }
      place = next
    }
    out.append(text.piece(start..<text.bytes.count))
    out.isMarkup = text.isMarkup
    try take(out.bytes.count)
    return out
  }

  // MARK: - Searching

  /// The scalars `start..<end` of a text by Python's rules; nil where they are beyond it.
  private func window(
    _ text: TemplateText, _ start: TemplateValue?, _ end: TemplateValue?, _ function: String
  ) throws(TemplateError) -> (bytes: Range<Int>, start: Int)? {
    func bound(_ value: TemplateValue?) throws(TemplateError) -> Int? {
      guard let value, !value.isNone else { return nil }
      return try whole(value, or: 0, in: function)
    }
    guard start != nil || end != nil else { return (0..<text.bytes.count, 0) }
    let offsets = text.scalarOffsets
    let count = offsets.count - 1
    let first = try bound(start) ?? 0
    if first > count { return nil }
    let places = Self.places(first, try bound(end), 1, count: count)
    if places.start > places.stop { return nil }
    return (offsets[places.start]..<offsets[places.stop], places.start)
  }

  private func hasEnd(
    _ text: TemplateText, atStart: Bool, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let name = atStart ? "startswith" : "endswith"
    let bound = try bind(arguments, to: name, "part", "start", "end", required: 1)
    var parts: [TemplateText] = []
    if case .list(let list) = bound[0], list.isTuple {
      for element in list.elements { parts.append(try requireText(element, name)) }
    } else {
      parts = [try requireText(bound[0], name)]
    }
    guard let window = try window(text, bound[1], bound[2], name) else { return .bool(false) }
    let piece = text.piece(window.bytes)
    return .bool(parts.contains { atStart ? piece.starts(with: $0.bytes) : piece.hasSuffix($0.bytes) })
  }

  private func find(
    _ text: TemplateText, _ method: Method, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: method.rawValue, "part", "start", "end", required: 1)
    let part = try requireText(bound[0], method.rawValue).bytes
    let found = try window(text, bound[1], bound[2], method.rawValue)
    let isIndex = method == .index || method == .rindex
    guard let found else {
      if isIndex { throw fail(.value, "the substring was not found") }
      return .integer(method == .count ? 0 : -1)
    }
    let piece = text.piece(found.bytes)
    if method == .count {
      if part.isEmpty { return .integer(piece.scalarCount + 1) }
      var count = 0
      var at = 0
      while let place = piece.find(part, from: at) {
        count += 1
        at = place + part.count
      }
      return .integer(count)
    }
    let place = method == .find || method == .index ? piece.find(part) : piece.findLast(part)
    guard let place else {
      if isIndex { throw fail(.value, "the substring was not found") }
      return .integer(-1)
    }
    return .integer(found.start + piece.piece(0..<place).scalarCount)
  }

  // MARK: - Width

  private func pad(
    _ text: TemplateText, _ method: Method, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: method.rawValue, "width", "fill", required: 1)
    let width = try whole(bound[0], or: 0, in: method.rawValue)
    var fill = TemplateText(method == .zfill ? "0" : " ")
    if let given = bound[1] { fill = try requireText(given, method.rawValue) }
    if fill.scalarCount != 1 { throw fail(.type, "the fill has to be one character") }
    let count = text.scalarCount
    if width <= count { return .text(text) }
    try take(width - count, times: fill.bytes.count)
    let missing = width - count
    let left: Int
    switch method {
    case .ljust: left = 0
    case .center: left = missing / 2 + (missing & width & 1)
    default: left = missing
    }
    var out = TemplateText()
    var rest = text
    if method == .zfill, let sign = text.bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      out.append(text.piece(0..<1))
      rest = text.piece(1..<text.bytes.count)
    }
    for _ in 0..<left { out.append(fill) }
    out.append(rest)
    for _ in 0..<missing - left { out.append(fill) }
    out.isMarkup = text.isMarkup
    return .text(out)
  }

  private func expandTabs(_ text: TemplateText, _ size: Int) throws(TemplateError) -> TemplateText {
    try take(text.bytes.reduce(1) { $1 == 0x09 ? $0 + 1 : $0 }, times: size)
    var column = 0
    return text.mapped { piece in
      var out: [UInt8] = []
      for byte in piece {
        if byte == 0x09 {
          let spaces = size > 0 ? size - column % size : 0
          out += Array(repeating: 0x20, count: spaces)
          column += spaces
        } else {
          out.append(byte)
          if byte == 0x0A || byte == 0x0D { column = 0 } else if byte & 0xC0 != 0x80 { column += 1 }
        }
      }
      return out
    }
  }
}
