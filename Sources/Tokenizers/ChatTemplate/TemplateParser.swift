// Tokens → tree: the statements. Expressions are in ExpressionParser.swift; the grammar is jinja2's.

struct TemplateParser {
  let tokens: [TemplateToken]
  var at = 0
  /// Expressions and statements inside one another at this point.
  var nesting = 0
  /// Operators so far in the expression being read: a chain of them is a deep tree too.
  var operators = 0
  /// How often names with a special meaning were read, to see whether a body uses them.
  var uses = ["loop": 0, "caller": 0, "kwargs": 0, "varargs": 0]
  /// Whether what is being read may never run, so that unknown filters are no error yet.
  var isConditional = false
  /// `for` statements around this point; break and continue see those inside the same function.
  private var loops = 0
  private var breakableLoops = 0

  static let nestingLimit = 100
  static let operatorLimit = 400

  private init(_ tokens: [TemplateToken]) { self.tokens = tokens }

  static func statements(of tokens: [TemplateToken]) throws(TemplateError) -> [Statement] {
    var parser = TemplateParser(tokens)
    return try parser.body(until: [], of: nil, line: 1)
  }

  // MARK: - Tokens

  var token: TemplateToken { tokens[at] }
  var line: Int { tokens[at].line }

  mutating func next() {
    if at < tokens.count - 1 { at += 1 }
  }

  func fail(_ message: String, line: Int? = nil) -> TemplateError {
    TemplateError(kind: .syntax, message: message, line: line ?? self.line)
  }

  func stands(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }
  func standsName(_ name: String) -> Bool { token.kind == .name(name) }

  mutating func skip(_ symbol: String) -> Bool {
    guard stands(symbol) else { return false }
    next()
    return true
  }

  mutating func skipName(_ name: String) -> Bool {
    guard standsName(name) else { return false }
    next()
    return true
  }

  mutating func expect(_ symbol: String) throws(TemplateError) {
    if !skip(symbol) { throw fail("expected '\(symbol)', got \(token.kind.words)") }
  }

  mutating func expectName() throws(TemplateError) -> String {
    guard case .name(let name) = token.kind else { throw fail("expected a name, got \(token.kind.words)") }
    next()
    return name
  }

  mutating func nested<Result>(
    _ read: (inout TemplateParser) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= Self.nestingLimit else {
      throw TemplateError(
        kind: .limit, message: "expressions or statements nested deeper than \(Self.nestingLimit)", line: line)
    }
    return try read(&self)
  }

  mutating func conditionally<Result>(
    _ value: Bool, _ read: (inout TemplateParser) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    let before = isConditional
    isConditional = value
    defer { isConditional = before }
    return try read(&self)
  }

  // MARK: - Bodies

  /// Statements up to one of the end tags, whose name is left to be read; the whole template when there are none.
  private mutating func body(
    until ends: [String], of tag: String?, line start: Int
  ) throws(TemplateError) -> [Statement] {
    var result: [Statement] = []
    while true {
      switch token.kind {
      case .data(let text):
        result.append(.text(TemplateText(text)))
        next()
      case .beginPrint:
        let line = line
        next()
        result.append(.print(try wholeExpression(), line: line))
        guard token.kind == .endPrint else { throw fail("expected the end of the print tag, got \(token.kind.words)") }
        next()
      case .beginBlock:
        next()
        guard case .name(let name) = token.kind else { throw fail("a tag has no name") }
        if ends.contains(name) { return result }
        result += try nested { (parser) throws(TemplateError) in try parser.statement(name) }
        try endBlock()
      case .end:
        if let tag { throw fail("{% \(tag) %} of line \(start) is not closed") }
        return result
      default: throw fail("unexpected \(token.kind.words)")
      }
    }
  }

  private mutating func endBlock() throws(TemplateError) {
    guard token.kind == .endBlock else { throw fail("expected the end of the tag, got \(token.kind.words)") }
    next()
  }

  /// The end of the opening tag, the body, and the name of the tag that ended it.
  private mutating func body(
    of tag: String, until ends: [String], line start: Int
  ) throws(TemplateError) -> (body: [Statement], end: String) {
    _ = skip(":")
    try endBlock()
    let statements = try body(until: ends, of: tag, line: start)
    return (statements, try expectName())
  }

  /// A body whose names and loops are not those outside: a macro's, a caller's, a generation block's.
  private mutating func functionBody(of tag: String, line: Int) throws(TemplateError) -> [Statement] {
    let breakable = breakableLoops
    breakableLoops = 0
    defer { breakableLoops = breakable }
    return try conditionally(false) { (parser) throws(TemplateError) in
      try parser.body(of: tag, until: ["end" + tag], line: line).body
    }
  }

  // MARK: - Statements

  private mutating func statement(_ tag: String) throws(TemplateError) -> [Statement] {
    let line = line
    next()
    switch tag {
    case "if": return [try condition(line)]
    case "for": return [.loop(try loop(line))]
    case "set": return [try set(line)]
    case "macro": return [try macro(line)]
    case "call": return [try callBlock(line)]
    case "generation":
      let body = try functionBody(of: tag, line: line)
      return [.generation(Macro(
        name: "generation", parameters: [], defaults: [], body: body, caller: nil, namedRest: nil, rest: nil,
        line: line))]
    case "filter":
      let filters = try filterNames(first: true)
      return [.filtered(Block(try blockBody(of: tag, line), line: line), filters: filters)]
    case "with": return [try with(line)]
    case "print":
      var result: [Statement] = []
      while token.kind != .endBlock {
        if !result.isEmpty { try expect(",") }
        result.append(.print(try expression(), line: line))
      }
      return result
    case "break", "continue":
      if breakableLoops == 0 { throw fail("{% \(tag) %} stands outside a loop", line: line) }
      return [tag == "break" ? .breakLoop : .continueLoop]
    case "include", "import", "from", "extends", "block", "autoescape", "trans", "do", "debug":
      throw TemplateError(kind: .unsupported, message: "the tag '\(tag)' is not known in chat templates", line: line)
    default: throw fail("unknown tag '\(tag)'", line: line)
    }
  }

  private mutating func blockBody(of tag: String, _ line: Int) throws(TemplateError) -> [Statement] {
    try conditionally(false) { (parser) throws(TemplateError) in
      try parser.body(of: tag, until: ["end" + tag], line: line).body
    }
  }

  private mutating func condition(_ line: Int) throws(TemplateError) -> Statement {
    try conditionally(true) { (parser) throws(TemplateError) in
      var branches: [(test: Expression, body: [Statement])] = []
      while true {
        let test = try parser.wholeExpression(conditional: false)
        let (body, end) = try parser.body(of: "if", until: ["elif", "else", "endif"], line: line)
        branches.append((test, body))
        if end == "elif" { continue }
        let otherwise = end == "else" ? try parser.body(of: "if", until: ["endif"], line: line).body : []
        return .condition(branches, otherwise: otherwise, line: line)
      }
    }
  }

  private mutating func loop(_ line: Int) throws(TemplateError) -> Loop {
    loops += 1
    breakableLoops += 1
    defer {
      loops -= 1
      breakableLoops -= 1
    }
    let target = try target(until: "in")
    guard skipName("in") else { throw fail("expected 'in', got \(token.kind.words)") }
    let iterable = try wholeExpression(conditional: false, until: "recursive")
    let test: Expression? = skipName("if") ? try expression() : nil
    let isRecursive = skipName("recursive")
    let usesBefore = uses["loop"]
    return try conditionally(false) { (parser) throws(TemplateError) in
      let (body, end) = try parser.body(of: "for", until: ["endfor", "else"], line: line)
      let usesLoop = isRecursive || parser.uses["loop"] != usesBefore
      parser.breakableLoops -= 1
      defer { parser.breakableLoops += 1 }
      let otherwise = end == "else" ? try parser.body(of: "for", until: ["endfor"], line: line).body : []
      return Loop(
        target: target, testTarget: target.copy, iterable: iterable, test: test, isRecursive: isRecursive,
        body: body, otherwise: otherwise, context: usesLoop ? Variable("loop", line: line) : nil, line: line)
    }
  }

  private mutating func set(_ line: Int) throws(TemplateError) -> Statement {
    let target = try target(until: nil, attributes: true)
    if skip("=") { return .set(target, try wholeExpression(), line: line) }
    let filters = try filterNames(first: false)
    return .capture(Block(try blockBody(of: "set", line), line: line), target, filters: filters)
  }

  private mutating func with(_ line: Int) throws(TemplateError) -> Statement {
    var assignments: [(target: Target, value: Expression)] = []
    while token.kind != .endBlock {
      if !assignments.isEmpty { try expect(",") }
      let target = try target(until: nil)
      try expect("=")
      assignments.append((target, try expression()))
    }
    return .with(assignments, Block(try blockBody(of: "with", line), line: line))
  }

  private mutating func macro(_ line: Int) throws(TemplateError) -> Statement {
    let name = Variable(try expectName(), line: line)
    if name.name == "loop", loops > 0 { throw fail("'loop' cannot be assigned to inside a loop", line: line) }
    let (parameters, defaults) = try signature()
    return .macro(try macro(named: name.name, parameters, defaults, tag: "macro", line), name)
  }

  private mutating func callBlock(_ line: Int) throws(TemplateError) -> Statement {
    let (parameters, defaults) = stands("(") ? try signature() : ([], [])
    guard case .call(let call) = try expression() else { throw fail("{% call %} needs a call", line: line) }
    return .callBlock(try macro(named: "caller", parameters, defaults, tag: "call", line), call)
  }

  private mutating func signature() throws(TemplateError) -> ([Variable], [Expression]) {
    var parameters: [Variable] = []
    var defaults: [Expression] = []
    try expect("(")
    while !stands(")") {
      if !parameters.isEmpty { try expect(",") }
      let line = line
      let name = try expectName()
      if parameters.contains(where: { $0.name == name }) { throw fail("two parameters are named '\(name)'", line: line) }
      parameters.append(Variable(name, line: line))
      if skip("=") {
        defaults.append(try expression())
      } else if !defaults.isEmpty {
        throw fail("a parameter without default follows one with a default")
      }
    }
    next()
    return (parameters, defaults)
  }

  private mutating func macro(
    named name: String, _ parameters: [Variable], _ defaults: [Expression], tag: String, _ line: Int
  ) throws(TemplateError) -> Macro {
    let before = uses
    let body = try functionBody(of: tag, line: line)
    func special(_ name: String) -> Variable? {
      guard uses[name] != before[name], !parameters.contains(where: { $0.name == name }) else { return nil }
      return Variable(name, line: line)
    }
    return Macro(
      name: name, parameters: parameters, defaults: defaults, body: body, caller: special("caller"),
      namedRest: special("kwargs"), rest: special("varargs"), line: line)
  }

  // MARK: - Targets

  private mutating func target(until end: String?, attributes: Bool = false) throws(TemplateError) -> Target {
    var targets: [Target] = []
    var isTuple = false
    while true {
      if token.kind == .endBlock || stands(")") || stands("=") { break }
      if let end, standsName(end) { break }
      targets.append(try singleTarget(attributes))
      guard skip(",") else { break }
      isTuple = true
    }
    guard let first = targets.first else { throw fail("expected a name to assign to, got \(token.kind.words)") }
    return isTuple ? .tuple(targets) : first
  }

  private mutating func singleTarget(_ attributes: Bool) throws(TemplateError) -> Target {
    let line = line
    if skip("(") {
      let inner = try nested { (parser) throws(TemplateError) in
        try parser.target(until: nil, attributes: attributes)
      }
      try expect(")")
      return inner
    }
    let name = try expectName()
    if ["true", "false", "none", "True", "False", "None"].contains(name) {
      throw fail("'\(name)' cannot be assigned to", line: line)
    }
    if attributes, skip(".") { return .attribute(Variable(name, line: line), Array(try expectName().utf8)) }
    if name == "loop", loops > 0 { throw fail("'loop' cannot be assigned to inside a loop", line: line) }
    return .name(Variable(name, line: line))
  }
}

extension Target {
  /// The same target with places of its own.
  fileprivate var copy: Target {
    switch self {
    case .name(let variable): .name(Variable(variable.name, line: variable.line))
    case .tuple(let targets): .tuple(targets.map(\.copy))
    case .attribute(let variable, let name): .attribute(Variable(variable.name, line: variable.line), name)
    }
  }
}

extension TemplateToken.Kind {
  /// For messages.
  var words: String {
    switch self {
    case .data: "text"
    case .beginBlock, .beginPrint: "the beginning of a tag"
    case .endBlock, .endPrint: "the end of the tag"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }
}
