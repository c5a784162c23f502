// Filters on strings. What is no string was made one before.

extension TemplateInterpreter {
  func text(
    _ filter: TemplateFilter, _ text: TemplateText, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    try step(text.bytes.count >> 6)
    switch filter {
    case .trim: return .text(try strip(text, try bind(arguments, to: "trim", "chars")[0]))
    case .replace:
      let bound = try bind(arguments, to: "replace", "old", "new", "count", required: 2)
      let count = bound[2].map { $0.isNone ? TemplateValue.integer(-1) : $0 }
      var plain = text
      plain.isMarkup = false
      return .text(try replace(
        plain, try string(of: bound[0] ?? .none), try string(of: bound[1] ?? .none),
        try whole(count, or: -1, in: "replace")))
    case .center:
      var call = arguments
      if call.positional.isEmpty, call.named.isEmpty { call.positional = [.integer(80)] }
      guard call.positional.count + call.named.count == 1 else { throw fail(.type, "'center' takes a width") }
      return try invoke(.center, on: text, call)
    case .format:
      if !arguments.positional.isEmpty, !arguments.named.isEmpty {
        throw fail(.type, "'format' takes values by place or by name, not both")
      }
      if arguments.named.isEmpty {
        return try self.text(try format(text, with: try list(arguments.positional, isTuple: true)))
      }
      var builder = DictBuilder()
      for (name, value) in arguments.named { builder.set(.text(name), value) }
      return try self.text(try format(text, with: try dict(builder)))
    case .indent: return try indent(text, arguments)
    case .truncate: return try truncate(text, arguments)
    default:
      _ = try bind(arguments, to: filter.rawValue)
      return try plain(filter, text)
    }
  }

  /// Filters without arguments.
  private func plain(_ filter: TemplateFilter, _ text: TemplateText) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .upper: return try self.text(text.uppercased)
    case .lower: return try self.text(text.lowercased)
    case .capitalize: return try self.text(text.capitalized)
    case .title: return try self.text(text.titledWords)
    case .wordcount: return .integer(text.wordCount)
    case .striptags: return try self.text(text.withoutTags)
    case .urlencode: return try self.text(text.percentEncoded)
    default: throw fail(.unsupported, "the filter '\(filter.rawValue)' is not known here")
    }
  }

  private func indent(_ text: TemplateText, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "indent", "width", "first", "blank")
    var indentation: TemplateText
    if case .text(let given) = bound[0] {
      indentation = given
    } else {
      let width = try whole(bound[0], or: 4, in: "indent")
      try take(width)
      indentation = TemplateText(String(repeating: " ", count: max(0, width)))
    }
    if text.isMarkup { indentation = indentation.escaped }
    var whole = text
    whole.append("\n".utf8, text.runs.last?.origin ?? .template)
    let lines = whole.lines()
    try take(lines.count, times: indentation.bytes.count + 1)
    let indentsBlank = bound[2]?.isTrue ?? false
    var out = TemplateText()
    if bound[1]?.isTrue ?? false { out.append(indentation) }
    for (i, line) in lines.enumerated() {
      if i > 0 {
        out.append("\n".utf8, text.origin)
        if indentsBlank || !line.isEmpty { out.append(indentation) }
      }
      out.append(line)
    }
    out.isMarkup = text.isMarkup
    return try self.text(out)
  }

  private func truncate(_ text: TemplateText, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "truncate", "length", "killwords", "end", "leeway")
    let length = try whole(bound[0], or: 255, in: "truncate")
    let end = try bound[2].map { (value) throws(TemplateError) in try requireText(value, "truncate") }
      ?? TemplateText("...")
    let leeway = try whole(bound[3].flatMap { $0.isNone ? nil : $0 }, or: 5, in: "truncate")
    guard length >= end.scalarCount, leeway >= 0 else { throw fail(.value, "'truncate' is given too small a length") }
    let count = text.scalarCount
    if count - leeway <= length { return .text(text) }
    var kept = text.scalars(0..<length - end.scalarCount)
    if !(bound[1]?.isTrue ?? false), let space = kept.findLast([0x20]) { kept = kept.piece(0..<space) }
    return try self.text(try join(kept, end))
  }
}

extension TemplateText {
  /// jinja2's `title`: words begin after white space, hyphens and opening brackets.
  fileprivate var titledWords: TemplateText {
    var result = changed { scalar, at, scalars in
      at == 0 || Self.opensWord(scalars[at - 1])
        ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
    }
    result.isMarkup = false
    return result
  }

  private static func opensWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "-", "(", "{", "[", "<": true
    default: scalar.isPythonSpace
    }
  }

  fileprivate var wordCount: Int {
    var count = 0
    var inside = false
    for scalar in string.unicodeScalars {
      let isWord = scalar == "_" || scalar.isPythonAlphabetic || scalar.properties.numericType != nil
      if isWord, !inside { count += 1 }
      inside = isWord
    }
    return count
  }

  /// Without what stands between `<` and `>`, entities undone, white space joined.
  fileprivate var withoutTags: TemplateText {
    var text = self
    text.isMarkup = false
    func remove(from open: [UInt8], to close: [UInt8]) {
      while let start = text.find(open), let end = text.find(close, from: start) {
        var rest = text.piece(0..<start)
        rest.append(text.piece(end + close.count..<text.bytes.count))
        text = rest
      }
    }
    remove(from: Array("<!--".utf8), to: Array("-->".utf8))
    remove(from: [UInt8(ascii: "<")], to: [UInt8(ascii: ">")])
    var out = TemplateText()
    for (i, word) in text.words(limit: -1, fromRight: false).enumerated() {
      if i > 0 { out.append([0x20]) }
      out.append(word)
    }
    for (entity, character) in [
      ("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&"),
    ] {
      var rest = TemplateText()
      for (i, piece) in out.split(by: Array(entity.utf8), limit: -1, fromRight: false).enumerated() {
        if i > 0 { rest.append(character.utf8) }
        rest.append(piece)
      }
      out = rest
    }
    return out
  }

  fileprivate var percentEncoded: TemplateText {
    mapped { piece in
      var out: [UInt8] = []
      for byte in piece {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
          UInt8(ascii: "~"), UInt8(ascii: "/"):
          out.append(byte)
        default:
          out.append(UInt8(ascii: "%"))
          out += hexadecimal(UInt32(byte), width: 2).uppercased().utf8
        }
      }
      return out
    }
  }
}
