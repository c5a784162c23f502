// Template text → tokens, as jinja2's lexer does it with trim_blocks and lstrip_blocks on.

struct TemplateToken: Sendable {
  enum Kind: Sendable, Equatable {
    case data(String)
    case beginBlock, endBlock, beginPrint, endPrint
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    /// One of the operators and brackets.
    case symbol(String)
    case end
  }
  let kind: Kind
  let line: Int
}

struct TemplateLexer {
  private let source: [Unicode.Scalar]
  private var at = 0
  private var line = 1
  /// Whether what was read last ended a line.
  private var startsLine = true
  private var tokens: [TemplateToken] = []

  /// Line ends become line feeds, and one at the very end goes.
  init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if scalar == "\n", scalars.last == "\r" { scalars[scalars.count - 1] = "\n" } else { scalars.append(scalar) }
    }
    for i in scalars.indices where scalars[i] == "\r" { scalars[i] = "\n" }
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  static func tokens(of text: String) throws(TemplateError) -> [TemplateToken] {
    var lexer = TemplateLexer(text)
    try lexer.readAll()
    return lexer.tokens
  }

  private func fail(_ message: String) -> TemplateError { TemplateError(kind: .syntax, message: message, line: line) }

  private func stands(_ text: StaticString, at place: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard place + count <= source.count else { return false }
    for i in 0..<count where source[place + i].value != UInt32(text.utf8Start[i]) { return false }
    return true
  }

  private mutating func advance(to end: Int) {
    for i in at..<end where source[i] == "\n" { line += 1 }
    if end > at { startsLine = source[end - 1] == "\n" }
    at = end
  }

  private func skipSpace(_ place: Int) -> Int {
    var place = place
    while place < source.count, source[place].isPythonSpace { place += 1 }
    return place
  }

  private mutating func readAll() throws(TemplateError) {
    while at < source.count {
      var open = at
      while open < source.count, !(source[open] == "{" && opens(open)) { open += 1 }
      guard open < source.count else {
        emit(source[at...])
        advance(to: source.count)
        break
      }
      let sign = open + 2 < source.count ? source[open + 2] : " "
      let isPrint = source[open + 1] == "{"
      let raw = source[open + 1] == "%" ? rawEnd(open) : nil
      emit(strip(at..<open, sign: sign, keepsIndentation: isPrint))
      advance(to: open)
      if let raw {
        advance(to: raw)
        try readRaw()
      } else if source[open + 1] == "#" {
        try skipComment(from: open + 2)
      } else {
        let start = open + (sign == "-" || sign == "+" ? 3 : 2)
        tokens.append(TemplateToken(kind: isPrint ? .beginPrint : .beginBlock, line: line))
        advance(to: start)
        try readTag(isPrint: isPrint)
      }
    }
    tokens.append(TemplateToken(kind: .end, line: line))
  }

  private func opens(_ place: Int) -> Bool {
    guard place + 1 < source.count else { return false }
    let next = source[place + 1]
    return next == "{" || next == "%" || next == "#"
  }

  private mutating func emit(_ text: some Collection<Unicode.Scalar>) {
    if text.isEmpty { return }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: text)
    tokens.append(TemplateToken(kind: .data(String(view)), line: line))
  }

  /// The text before a tag, without the white space that the tag takes away.
  private func strip(_ range: Range<Int>, sign: Unicode.Scalar, keepsIndentation: Bool) -> ArraySlice<Unicode.Scalar> {
    var text = source[range]
    if sign == "-" {
      while let last = text.last, last.isPythonSpace { text.removeLast() }
    } else if sign != "+", !keepsIndentation {
      let lineStart = text.lastIndex(of: "\n").map { $0 + 1 } ?? range.lowerBound
      if lineStart > range.lowerBound || startsLine, text[lineStart...].allSatisfy(\.isPythonSpace) {
        text = text[..<lineStart]
      }
    }
    return text
  }

  /// Where the text of `{% raw %}` begins, if that is what stands here.
  private func rawEnd(_ open: Int) -> Int? {
    var place = open + 2
    if place < source.count, source[place] == "-" || source[place] == "+" { place += 1 }
    place = skipSpace(place)
    guard stands("raw", at: place) else { return nil }
    place = skipSpace(place + 3)
    if stands("-%}", at: place) { return skipSpace(place + 3) }
    return stands("%}", at: place) ? place + 2 : nil
  }

  /// What follows a closing mark of a statement or comment: `+` keeps the line feed, `-` takes all white space.
  private func close(_ mark: StaticString, at place: Int) -> Int? {
    if place < source.count, source[place] == "+", stands(mark, at: place + 1) { return place + 3 }
    if place < source.count, source[place] == "-", stands(mark, at: place + 1) { return skipSpace(place + 3) }
    guard stands(mark, at: place) else { return nil }
    return place + 2 < source.count && source[place + 2] == "\n" ? place + 3 : place + 2
  }

  private mutating func readRaw() throws(TemplateError) {
    var place = at
    while place < source.count {
      if stands("{%", at: place) {
        let sign = place + 2 < source.count ? source[place + 2] : " "
        var name = place + (sign == "-" || sign == "+" ? 3 : 2)
        name = skipSpace(name)
        if stands("endraw", at: name), let end = close("%}", at: skipSpace(name + 6)) {
          emit(strip(at..<place, sign: sign, keepsIndentation: false))
          advance(to: end)
          return
        }
      }
      place += 1
    }
    throw fail("{% raw %} is not closed")
  }

  private mutating func skipComment(from start: Int) throws(TemplateError) {
    var place = start
    while place < source.count {
      if let end = close("#}", at: place) {
        advance(to: end)
        return
      }
      place += 1
    }
    throw fail("a comment is not closed")
  }

  private mutating func readTag(isPrint: Bool) throws(TemplateError) {
    var brackets: [Unicode.Scalar] = []
    while true {
      if brackets.isEmpty {
        if isPrint {
          if stands("-}}", at: at) || stands("}}", at: at) {
            tokens.append(TemplateToken(kind: .endPrint, line: line))
            return advance(to: source[at] == "-" ? skipSpace(at + 3) : at + 2)
          }
        } else if let end = close("%}", at: at) {
          tokens.append(TemplateToken(kind: .endBlock, line: line))
          return advance(to: end)
        }
      }
      guard at < source.count else { throw fail("the template ends inside a tag") }
      let scalar = source[at]
      if scalar.isPythonSpace {
        advance(to: skipSpace(at))
      } else if scalar.isDigit {
        try readNumber()
      } else if scalar == "_" || scalar.properties.isXIDContinue {
        try readName()
      } else if scalar == "'" || scalar == "\"" {
        try readString(scalar)
      } else {
        try readSymbol(&brackets)
      }
    }
  }

  private mutating func readName() throws(TemplateError) {
    var end = at
    var name = String.UnicodeScalarView()
    while end < source.count, source[end] == "_" || source[end].properties.isXIDContinue {
      name.append(source[end])
      end += 1
    }
    guard source[at] == "_" || source[at].properties.isXIDStart else {
      throw fail("'\(String(name))' is no name: it begins with a character that no name begins with")
    }
    tokens.append(TemplateToken(kind: .name(String(name)), line: line))
    advance(to: end)
  }

  private mutating func readSymbol(_ brackets: inout [Unicode.Scalar]) throws(TemplateError) {
    for pair in ["**", "//", "==", "!=", ">=", "<="] {
      let scalars = Array(pair.unicodeScalars)
      if at + 1 < source.count, source[at] == scalars[0], source[at + 1] == scalars[1] {
        tokens.append(TemplateToken(kind: .symbol(pair), line: line))
        return advance(to: at + 2)
      }
    }
    let scalar = source[at]
    switch scalar {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard let expected = brackets.popLast() else { throw fail("unexpected '\(scalar)'") }
      guard expected == scalar else { throw fail("unexpected '\(scalar)', expected '\(expected)'") }
    case "+", "-", "/", "*", "%", "~", ">", "<", "=", ".", ":", "|", ",", ";": break
    default: throw fail("unexpected character '\(scalar)'")
    }
    tokens.append(TemplateToken(kind: .symbol(String(Character(scalar))), line: line))
    advance(to: at + 1)
  }

  // MARK: - Literals

  private mutating func readNumber() throws(TemplateError) {
    func digits(_ place: Int, _ isDigit: (Unicode.Scalar) -> Bool) -> Int {
      var place = place
      while place < source.count,
        isDigit(source[place]) || source[place] == "_" && place + 1 < source.count && isDigit(source[place + 1])
      { place += 1 }
      return place
    }
    var end = digits(at, \.isDigit)
    var isInteger = true
    if at == 0 || source[at - 1] != "." {
      var tail = end
      if tail + 1 < source.count, source[tail] == ".", source[tail + 1].isDigit {
        tail = digits(tail + 1, \.isDigit)
        isInteger = false
      }
      if tail < source.count, source[tail] == "e" || source[tail] == "E" {
        var exponent = tail + 1
        if exponent < source.count, source[exponent] == "+" || source[exponent] == "-" { exponent += 1 }
        if exponent < source.count, source[exponent].isDigit {
          tail = digits(exponent, \.isDigit)
          isInteger = false
        }
      }
      if !isInteger { end = tail }
    }
    var radix = 10
    var start = at
    if isInteger, source[at] == "0", at + 1 < source.count {
      let radices: [Unicode.Scalar: Int] = ["x": 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2]
      if let found = radices[source[at + 1]] {
        let tail = digits(at + 2) { scalar in
          Int(String(Character(scalar)), radix: found) != nil && scalar.isASCII
        }
        if tail > at + 2 { (radix, start, end) = (found, at + 2, tail) }
      }
      if radix == 10 {  // zeros only: any other digit begins a number of its own
        end = digits(at) { $0 == "0" }
      }
    }
    var text = ""
    for scalar in source[start..<end] where scalar != "_" { text.unicodeScalars.append(scalar) }
    if isInteger {
      guard let value = Int(text, radix: radix) else {
        throw TemplateError(kind: .unsupported, message: "the number \(text) has more than 64 bits", line: line)
      }
      tokens.append(TemplateToken(kind: .integer(value), line: line))
    } else {
      tokens.append(TemplateToken(kind: .number(Double(text) ?? .infinity), line: line))
    }
    advance(to: end)
  }

  private mutating func readString(_ quote: Unicode.Scalar) throws(TemplateError) {
    let start = line
    var place = at + 1
    var text = String.UnicodeScalarView()
    while place < source.count, source[place] != quote {
      guard source[place] == "\\" else {
        text.append(source[place])
        place += 1
        continue
      }
      guard place + 1 < source.count else { break }
      try unescape(&place, into: &text)
    }
    guard place < source.count else { throw fail("a string is not closed") }
    tokens.append(TemplateToken(kind: .string(String(text)), line: start))
    advance(to: place + 1)
  }

  /// Python's escapes; one that it does not know stays as it stands.
  private func unescape(_ place: inout Int, into text: inout String.UnicodeScalarView) throws(TemplateError) {
    let simple: [Unicode.Scalar: Unicode.Scalar] = [
      "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}",
      "f": "\u{C}", "v": "\u{B}",
    ]
    let code = source[place + 1]
    place += 2
    if let scalar = simple[code] {
      text.append(scalar)
    } else if code == "\n" {
      return
    } else if code.isOctalDigit {
      var value = code.value - 48
      var count = 1
      while count < 3, place < source.count, source[place].isOctalDigit {
        value = value * 8 + source[place].value - 48
        place += 1
        count += 1
      }
      text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
    } else if code == "x" || code == "u" || code == "U" {
      let width = code == "x" ? 2 : code == "u" ? 4 : 8
      guard place + width <= source.count else { throw fail("an escape is cut off") }
      var value: UInt32 = 0
      for scalar in source[place..<place + width] {
        guard let digit = Character(scalar).hexDigitValue, scalar.isASCII else {
          throw fail("the escape \\\(code) needs \(width) hexadecimal digits")
        }
        value = value << 4 | UInt32(digit)
      }
      if value > 0x10FFFF { throw fail("an escape names no character") }
      place += width
      text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
    } else if code == "N" {
      throw TemplateError(kind: .unsupported, message: "characters by name (\\N{...}) are not known here", line: line)
    } else {
      text.append("\\")
      text.append(code)
    }
  }
}

extension Unicode.Scalar {
  var isDigit: Bool { value >= 48 && value <= 57 }
  fileprivate var isOctalDigit: Bool { value >= 48 && value <= 55 }

  /// What Python's `str.isspace` calls white space.
  var isPythonSpace: Bool {
    switch value {
    case 9...13, 28...31, 32, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}
