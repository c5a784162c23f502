/// Why a pattern cannot be used: a mistake in it, or a construct that this engine does not have.
struct RegexError: Error, CustomStringConvertible {
  let pattern: String
  let reason: String
  var description: String { "the regular expression \(pattern.debugDescription) \(reason)" }
}

/// A pattern as a tree.
indirect enum RegexNode {
  case empty
  case set(ScalarSet)
  case sequence([RegexNode])
  case alternatives([RegexNode])
  case repeated(RegexNode, least: Int, most: Int?, kind: RepeatKind)
  case look(RegexNode, negated: Bool)
  case atomic(RegexNode)
  case assertion(RegexAssertion)

  enum RepeatKind { case greedy, lazy, possessive }

  /// Whether it can match without consuming anything.
  var canBeEmpty: Bool {
    switch self {
    case .empty, .look, .assertion: true
    case .set: false
    case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
    case .alternatives(let parts): parts.contains(where: \.canBeEmpty)
    case .repeated(let body, let least, _, _): least == 0 || body.canBeEmpty
    case .atomic(let body): body.canBeEmpty
    }
  }
}

extension RegexNode {
  /// Marks the ASCII scalars that what it consumes may begin with.
  func addFirst(to first: inout [Bool]) {
    switch self {
    case .empty, .look, .assertion: break
    case .set(let set): for value in 0..<128 where set.contains(UInt32(value)) { first[value] = true }
    case .sequence(let parts):
      for part in parts.prefix(while: \.canBeEmpty) { part.addFirst(to: &first) }
      parts.first { !$0.canBeEmpty }?.addFirst(to: &first)
    case .alternatives(let parts): for part in parts { part.addFirst(to: &first) }
    case .repeated(let body, _, _, _), .atomic(let body): body.addFirst(to: &first)
    }
  }
}

enum RegexAssertion: Sendable {
  case textStart, textEnd, textEndOrNewline, lineStart, lineEnd, wordBoundary, notWordBoundary
}

/// Reads the part of Oniguruma's Ruby syntax (what the `tokenizers` library uses) that split patterns need.
struct RegexParser {
  private let pattern: String
  private let text: [Unicode.Scalar]
  private var at = 0
  private var depth = 0

  private init(_ pattern: String) {
    self.pattern = pattern
    text = Array(pattern.unicodeScalars)
  }

  static func parse(_ pattern: String) throws(RegexError) -> RegexNode {
    var parser = RegexParser(pattern)
    let node = try parser.alternatives(ignoringCase: false)
    guard parser.at == parser.text.count else { throw parser.fail("has an unmatched ')'") }
    return node
  }

  private func fail(_ reason: String) -> RegexError { RegexError(pattern: pattern, reason: reason) }
  private func unsupported(_ construct: String) -> RegexError { fail("uses \(construct), which is not supported") }

  private var peek: Unicode.Scalar? { at < text.count ? text[at] : nil }
  private func ahead(_ word: String) -> Bool { text[at...].starts(with: word.unicodeScalars) }
  private mutating func take(_ word: String) -> Bool {
    guard ahead(word) else { return false }
    at += word.unicodeScalars.count
    return true
  }

  private mutating func alternatives(ignoringCase: Bool) throws(RegexError) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw fail("is nested deeper than 100") }
    var ignoringCase = ignoringCase
    var parts: [RegexNode] = []
    repeat { parts.append(try sequence(&ignoringCase)) } while take("|")
    return parts.count == 1 ? parts[0] : .alternatives(parts)
  }

  private mutating func sequence(_ ignoringCase: inout Bool) throws(RegexError) -> RegexNode {
    var parts: [RegexNode] = []
    while let next = peek, next != "|", next != ")" {
      if take("(?i)") {
        ignoringCase = true
      } else if take("(?-i)") {
        ignoringCase = false
      } else {
        parts.append(try quantified(try atom(ignoringCase: ignoringCase)))
      }
    }
    return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
  }

  private mutating func quantified(_ atom: RegexNode) throws(RegexError) -> RegexNode {
    var node = atom
    while let next = peek {
      let least: Int, most: Int?
      var isCounted = false
      switch next {
      case "*": (least, most, at) = (0, nil, at + 1)
      case "+": (least, most, at) = (1, nil, at + 1)
      case "?": (least, most, at) = (0, 1, at + 1)
      case "{":
        guard let counts = try counts() else { return node }
        (least, most) = counts
        isCounted = true
      default: return node
      }
      if most == nil, node.canBeEmpty { throw unsupported("an endless repeat of something that may be empty") }
      // In this syntax "{1,3}+" is a repeat of a repeat; only after * + ? does "+" mean possessive.
      var kind = RegexNode.RepeatKind.greedy
      if take("?") {
        kind = .lazy
      } else if !isCounted, take("+") {
        kind = .possessive
      }
      node = .repeated(node, least: least, most: most, kind: kind)
    }
    return node
  }

  /// `{n}`, `{n,}`, `{n,m}`, `{,m}`; nil, and nothing read, when the brace stands for itself.
  private mutating func counts() throws(RegexError) -> (Int, Int?)? {
    let start = at
    at += 1
    let least = number()
    var most = least
    if take(",") { most = number() } else if least == nil { at = start }
    guard at > start, take("}"), least != nil || most != nil else {
      at = start
      throw unsupported("'{' without counts (write \\{ for a brace)")
    }
    if let most, most < least ?? 0 { throw fail("counts from \(least ?? 0) to \(most)") }
    if (most ?? least ?? 0) > 1000 { throw unsupported("a count over 1000") }
    return (least ?? 0, most)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let digit = peek.flatMap({ $0.isASCII ? Int(String($0)) : nil }), (value ?? 0) < 100_000 {
      value = (value ?? 0) * 10 + digit
      at += 1
    }
    return value
  }

  private mutating func atom(ignoringCase: Bool) throws(RegexError) -> RegexNode {
    guard let next = peek else { return .empty }
    switch next {
    case "(": return try group(ignoringCase: ignoringCase)
    case "[":
      at += 1
      return .set(try bracket(ignoringCase: ignoringCase))
    case ".":
      at += 1
      return .set(ScalarSet([.range(0x0A, 0x0A)], isNegated: true))
    case "^":
      at += 1
      return .assertion(.lineStart)
    case "$":
      at += 1
      return .assertion(.lineEnd)
    case "*", "+", "?": throw fail("repeats nothing at '\(next)'")
    case "\\":
      if let assertion = assertionEscape() { return .assertion(assertion) }
      return .set(ScalarSet([try escape(inBrackets: false)], ignoresCase: ignoringCase))
    default:
      at += 1
      return .set(ScalarSet([.range(next.value, next.value)], ignoresCase: ignoringCase))
    }
  }

  private mutating func assertionEscape() -> RegexAssertion? {
    let table: [(String, RegexAssertion)] = [
      ("\\A", .textStart), ("\\z", .textEnd), ("\\Z", .textEndOrNewline), ("\\b", .wordBoundary),
      ("\\B", .notWordBoundary),
    ]
    for (word, assertion) in table where take(word) { return assertion }
    return nil
  }

  private mutating func group(ignoringCase: Bool) throws(RegexError) -> RegexNode {
    let wrap: (RegexNode) -> RegexNode
    var ignoringCase = ignoringCase
    if take("(?:") {
      wrap = { $0 }
    } else if take("(?i:") {
      ignoringCase = true
      wrap = { $0 }
    } else if take("(?-i:") {
      ignoringCase = false
      wrap = { $0 }
    } else if take("(?=") {
      wrap = { .look($0, negated: false) }
    } else if take("(?!") {
      wrap = { .look($0, negated: true) }
    } else if take("(?>") {
      wrap = { .atomic($0) }
    } else if ahead("(?<=") || ahead("(?<!") {
      throw unsupported("lookbehind (?<= or (?<!")
    } else if ahead("(?") {
      throw unsupported("the group \(String(String.UnicodeScalarView(text[at...].prefix(5))))…")
    } else {
      at += 1  // A capture: nobody asks what it held.
      wrap = { $0 }
    }
    let body = try alternatives(ignoringCase: ignoringCase)
    guard take(")") else { throw fail("lacks a ')'") }
    return wrap(body)
  }

  private mutating func bracket(ignoringCase: Bool) throws(RegexError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw fail("is nested deeper than 100") }
    if ahead(":") { throw unsupported("a POSIX bracket such as [:alpha:]") }
    let isNegated = take("^")
    var items: [ScalarSet.Item] = []
    var isFirst = true
    while true {
      guard let next = peek else { throw fail("lacks a ']'") }
      if next == "]", !isFirst {
        at += 1
        return ScalarSet(items, isNegated: isNegated, ignoresCase: ignoringCase)
      }
      isFirst = false
      if ahead("&&") { throw unsupported("an intersection && of sets") }
      if ahead("[:") { throw unsupported("a POSIX bracket such as [:alpha:]") }
      if take("[") {
        items.append(.nested(try bracket(ignoringCase: ignoringCase)))
        continue
      }
      var item = ScalarSet.Item.range(next.value, next.value)
      if next == "\\" { item = try escape(inBrackets: true) } else { at += 1 }
      if case .range(let first, _) = item, ahead("-"), at + 1 < text.count, text[at + 1] != "]" {
        at += 1
        guard let end = peek, end != "[" else { throw fail("has a broken range in brackets") }
        var last = ScalarSet.Item.range(end.value, end.value)
        if end == "\\" { last = try escape(inBrackets: true) } else { at += 1 }
        guard case .range(let value, _) = last, value >= first else { throw fail("has a broken range in brackets") }
        item = .range(first, value)
      }
      items.append(item)
    }
  }

  private mutating func escape(inBrackets: Bool) throws(RegexError) -> ScalarSet.Item {
    at += 1
    guard let letter = peek else { throw fail("ends with a backslash") }
    at += 1
    func only(_ value: UInt32) -> ScalarSet.Item { .range(value, value) }
    switch letter {
    case "s": return .whitespace(negated: false)
    case "S": return .whitespace(negated: true)
    case "d": return .category(.decimal, negated: false)
    case "D": return .category(.decimal, negated: true)
    case "w": return .word(negated: false)
    case "W": return .word(negated: true)
    case "n": return only(0x0A)
    case "r": return only(0x0D)
    case "t": return only(0x09)
    case "f": return only(0x0C)
    case "v": return only(0x0B)
    case "a": return only(0x07)
    case "e": return only(0x1B)
    case "b" where inBrackets: return only(0x08)
    case "p", "P": return try property(negated: letter == "P")
    case "x", "u": return only(try hexadecimal(letter))
    default:
      let isLetterOrDigit = letter.isASCII && (letter.properties.isAlphabetic || ("0"..."9").contains(letter))
      if isLetterOrDigit { throw unsupported("\\\(letter)") }
      return only(letter.value)
    }
  }

  private mutating func property(negated: Bool) throws(RegexError) -> ScalarSet.Item {
    var name = ""
    guard take("{") else { throw fail("has \\p without braces") }
    while let next = peek, next != "}" {
      name.unicodeScalars.append(next)
      at += 1
    }
    guard take("}") else { throw fail("lacks a '}' after \\p{") }
    var isNegated = negated
    var plain = Substring(name)
    if plain.hasPrefix("^") {
      plain = plain.dropFirst()
      isNegated.toggle()
    }
    switch plain.lowercased() {
    case "space", "white_space": return .whitespace(negated: isNegated)
    case "word": return .word(negated: isNegated)
    default: break
    }
    guard let mask = GeneralCategoryMask(name: String(plain)) else { throw unsupported("the property \\p{\(name)}") }
    return .category(mask, negated: isNegated)
  }

  /// `\xHH`, `\x{H…}` or `\uHHHH`, after the letter.
  private mutating func hexadecimal(_ letter: Unicode.Scalar) throws(RegexError) -> UInt32 {
    let isBraced = letter == "x" && take("{")
    let most = isBraced ? 8 : letter == "x" ? 2 : 4
    var digits = ""
    while digits.count < most, let next = peek, next.properties.isASCIIHexDigit {
      digits.unicodeScalars.append(next)
      at += 1
    }
    guard let value = UInt32(digits, radix: 16), value < 0x110000, !isBraced || take("}") else {
      throw fail("has a broken \\\(letter)")
    }
    if letter == "x", !isBraced, value >= 0x80 { throw unsupported("a single byte over 7F as \\x") }
    return value
  }
}
