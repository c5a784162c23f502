// Tokens → tree: the expressions, with jinja2's precedence: if, or, and, not, comparison, + -, ~, * / // %, **, sign,
// then attributes, items, calls, filters and tests.

extension TemplateParser {
  /// An expression or, with commas, a tuple. `until`: a name that ends it.
  mutating func wholeExpression(
    conditional: Bool = true, until end: String? = nil
  ) throws(TemplateError) -> Expression {
    operators = 0
    return try tuple(conditional: conditional, until: end, inParentheses: false)
  }

  private mutating func tuple(
    conditional: Bool, until end: String? = nil, inParentheses: Bool
  ) throws(TemplateError) -> Expression {
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if token.kind == .endPrint || token.kind == .endBlock || stands(")") { break }
      if let end, standsName(end) { break }
      elements.append(try expression(conditional: conditional))
      guard skip(",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let first = elements.first { return first }
      if !inParentheses { throw fail("expected an expression, got \(token.kind.words)") }
    }
    return .tuple(elements)
  }

  mutating func expression(conditional: Bool = true) throws(TemplateError) -> Expression {
    try nested { (parser) throws(TemplateError) in
      conditional ? try parser.conditionalExpression() : try parser.disjunction()
    }
  }

  /// Counts an operator: the tree grows deeper with each.
  private mutating func count() throws(TemplateError) {
    operators += 1
    guard operators <= Self.operatorLimit else {
      throw TemplateError(
        kind: .limit, message: "more than \(Self.operatorLimit) operators in one expression", line: line)
    }
  }

  private mutating func conditionalExpression() throws(TemplateError) -> Expression {
    // Whether a filter stands in the branch of an inline `if` is known only after it was read, so what is unknown in
    // the first operand is looked up again when the `if` follows.
    let start = at
    let saved = (operators, uses)
    var value: Expression
    do throws(TemplateError) {
      value = try disjunction()
    } catch {
      guard error.kind == .unsupported, !isConditional else { throw error }
      let failure = error
      at = start
      (operators, uses) = saved
      value = try conditionally(true) { (parser) throws(TemplateError) in try parser.disjunction() }
      guard standsName("if") else { throw failure }
    }
    while skipName("if") {
      try count()
      value = try conditionally(true) { (parser) throws(TemplateError) in
        let test = try parser.disjunction()
        let otherwise: Expression? =
          parser.skipName("else")
          ? try parser.nested { (inner) throws(TemplateError) in try inner.conditionalExpression() } : nil
        return .conditional(test: test, then: value, otherwise: otherwise)
      }
    }
    return value
  }

  private mutating func disjunction() throws(TemplateError) -> Expression {
    var left = try conjunction()
    while skipName("or") {
      try count()
      left = .or(left, try conjunction())
    }
    return left
  }

  private mutating func conjunction() throws(TemplateError) -> Expression {
    var left = try negation()
    while skipName("and") {
      try count()
      left = .and(left, try negation())
    }
    return left
  }

  private mutating func negation() throws(TemplateError) -> Expression {
    guard skipName("not") else { return try comparison() }
    return .not(try nested { (parser) throws(TemplateError) in try parser.negation() })
  }

  private mutating func comparison() throws(TemplateError) -> Expression {
    let line = line
    let first = try sum()
    var rest: [(sign: ComparisonOperator, operand: Expression)] = []
    while true {
      if case .symbol(let symbol) = token.kind, let found = ComparisonOperator(rawValue: symbol) {
        next()
        rest.append((found, try sum()))
      } else if skipName("in") {
        rest.append((.contained, try sum()))
      } else if standsName("not"), at + 1 < tokens.count, tokens[at + 1].kind == .name("in") {
        next()
        next()
        rest.append((.notContained, try sum()))
      } else {
        return rest.isEmpty ? first : .comparison(first, rest, line: line)
      }
    }
  }

  private mutating func sum() throws(TemplateError) -> Expression {
    var left = try concatenation()
    while stands("+") || stands("-") {
      let line = line
      let sign: ArithmeticOperator = stands("+") ? .add : .subtract
      next()
      try count()
      left = .arithmetic(sign, left, try concatenation(), line: line)
    }
    return left
  }

  private mutating func concatenation() throws(TemplateError) -> Expression {
    let line = line
    let first = try product()
    guard stands("~") else { return first }
    var parts = [first]
    while skip("~") { parts.append(try product()) }
    return .concatenation(parts, line: line)
  }

  private mutating func product() throws(TemplateError) -> Expression {
    var left = try power()
    while case .symbol(let symbol) = token.kind, ["*", "/", "//", "%"].contains(symbol),
      let found = ArithmeticOperator(rawValue: symbol)
    {
      let line = line
      next()
      try count()
      left = .arithmetic(found, left, try power(), line: line)
    }
    return left
  }

  private mutating func power() throws(TemplateError) -> Expression {
    var left = try unary()
    while stands("**") {
      let line = line
      next()
      try count()
      left = .arithmetic(.power, left, try unary(), line: line)
    }
    return left
  }

  private mutating func unary(filters: Bool = true) throws(TemplateError) -> Expression {
    let line = line
    var value: Expression
    if stands("-") || stands("+") {
      let negative = stands("-")
      next()
      let operand = try nested { (parser) throws(TemplateError) in try parser.unary(filters: false) }
      value = .sign(isNegative: negative, of: operand, line: line)
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return filters ? try filtersAndTests(value) : value
  }

  // MARK: - Operands

  private mutating func primary() throws(TemplateError) -> Expression {
    let line = line
    switch token.kind {
    case .name(let name):
      next()
      switch name {
      case "true", "True": return .bool(true)
      case "false", "False": return .bool(false)
      case "none", "None": return .none
      default:
        if let count = uses[name] { uses[name] = count + 1 }
        return .name(Variable(name, line: line))
      }
    case .string(var text):
      next()
      while case .string(let more) = token.kind {
        text += more
        next()
      }
      return .text(TemplateText(text))
    case .integer(let value):
      next()
      return .integer(value)
    case .number(let value):
      next()
      return .number(value)
    case .symbol("("):
      next()
      let value = try tuple(conditional: true, inParentheses: true)
      try expect(")")
      return value
    case .symbol("["):
      next()
      let elements = try elements(until: "]")
      return .list(elements)
    case .symbol("{"):
      return try dictionary()
    default:
      throw fail("expected an expression, got \(token.kind.words)")
    }
  }

  private mutating func elements(until end: String) throws(TemplateError) -> [Expression] {
    var elements: [Expression] = []
    while !stands(end) {
      if !elements.isEmpty { try expect(",") }
      if stands(end) { break }
      elements.append(try expression())
    }
    next()
    return elements
  }

  private mutating func dictionary() throws(TemplateError) -> Expression {
    let line = line
    next()
    var members: [(key: Expression, value: Expression)] = []
    while !stands("}") {
      if !members.isEmpty { try expect(",") }
      if stands("}") { break }
      let key = try expression()
      try expect(":")
      members.append((key, try expression()))
    }
    next()
    return .dict(members, line: line)
  }

  private mutating func postfix(_ start: Expression) throws(TemplateError) -> Expression {
    var value = start
    while true {
      if stands(".") || stands("[") {
        try count()
        value = try subscripted(value)
      } else if stands("(") {
        try count()
        value = try call(value)
      } else {
        return value
      }
    }
  }

  private mutating func call(_ callee: Expression) throws(TemplateError) -> Expression {
    let line = line
    return .call(Call(callee: callee, arguments: try arguments(), line: line))
  }

  private mutating func subscripted(_ object: Expression) throws(TemplateError) -> Expression {
    let line = line
    if skip(".") {
      switch token.kind {
      case .name(let name):
        next()
        return .attribute(object, TemplateText(name), line: line)
      case .integer(let index):
        next()
        return .item(object, .integer(index), line: line)
      default: throw fail("expected a name or number after '.', got \(token.kind.words)")
      }
    }
    next()
    var keys: [Expression] = []
    while !stands("]") {
      if !keys.isEmpty { try expect(",") }
      if stands(":") {
        guard keys.isEmpty else { throw fail("a slice among several keys is not known") }
        return try slice(of: object, from: nil, line)
      }
      let key = try expression()
      if stands(":") {
        guard keys.isEmpty else { throw fail("a slice among several keys is not known") }
        return try slice(of: object, from: key, line)
      }
      keys.append(key)
    }
    next()
    return .item(object, keys.count == 1 ? keys[0] : .tuple(keys), line: line)
  }

  private mutating func slice(
    of object: Expression, from start: Expression?, _ line: Int
  ) throws(TemplateError) -> Expression {
    try expect(":")
    let stop: Expression? = stands(":") || stands("]") ? nil : try expression()
    var step: Expression?
    if skip(":"), !stands("]") { step = try expression() }
    try expect("]")
    return .slice(object, start, stop, step, line: line)
  }

  private mutating func arguments() throws(TemplateError) -> ArgumentList {
    let line = line
    var list = ArgumentList()
    try expect("(")
    var needsComma = false
    while !stands(")") {
      if needsComma {
        try expect(",")
        if stands(")") { break }
      }
      needsComma = true
      if skip("*") {
        guard list.spread == nil, list.namedSpread == nil else { throw fail("two '*' arguments", line: line) }
        list.spread = try expression()
      } else if skip("**") {
        guard list.namedSpread == nil else { throw fail("two '**' arguments", line: line) }
        list.namedSpread = try expression()
      } else if case .name(let name) = token.kind, at + 1 < tokens.count, tokens[at + 1].kind == .symbol("=") {
        guard list.namedSpread == nil else { throw fail("a named argument follows '**'", line: line) }
        guard !list.named.contains(where: { $0.name == name }) else {
          throw fail("the argument '\(name)' is given twice", line: line)
        }
        next()
        next()
        list.named.append((name, try expression()))
      } else {
        guard list.spread == nil, list.namedSpread == nil, list.named.isEmpty else {
          throw fail("an argument without name follows one with a name", line: line)
        }
        list.positional.append(try expression())
      }
    }
    next()
    return list
  }

  // MARK: - Filters and tests

  private mutating func filtersAndTests(_ start: Expression) throws(TemplateError) -> Expression {
    var value = start
    while true {
      if stands("|") {
        next()
        try count()
        value = .filter(value, try filterCall())
      } else if standsName("is") {
        try count()
        value = try test(value)
      } else if stands("(") {
        try count()
        value = try call(value)
      } else {
        return value
      }
    }
  }

  /// `name(arguments) | name…`, for filter blocks (`first`: the first stands without `|`).
  mutating func filterNames(first: Bool) throws(TemplateError) -> [FilterCall] {
    var result: [FilterCall] = []
    if first { result.append(try filterCall()) }
    while skip("|") { result.append(try filterCall()) }
    return result
  }

  private mutating func dottedName() throws(TemplateError) -> String {
    var name = try expectName()
    while skip(".") { name += "." + (try expectName()) }
    return name
  }

  private mutating func filterCall() throws(TemplateError) -> FilterCall {
    let line = line
    let name = try dottedName()
    let list = stands("(") ? try arguments() : ArgumentList()
    let filter = TemplateFilter(rawValue: name)
    if filter == nil, !isConditional {
      throw TemplateError(kind: .unsupported, message: "no filter is named '\(name)'", line: line)
    }
    return FilterCall(filter: filter, name: name, arguments: list, line: line)
  }

  private mutating func test(_ value: Expression) throws(TemplateError) -> Expression {
    let line = line
    next()
    let isNegated = skipName("not")
    let name = try dottedName()
    var list = ArgumentList()
    if stands("(") {
      list = try arguments()
    } else if startsOperand {
      if standsName("is") { throw fail("tests cannot be chained with 'is'") }
      list.positional = [try postfix(try primary())]
    }
    let test = TemplateTest(rawValue: name)
    if test == nil, !isConditional {
      throw TemplateError(kind: .unsupported, message: "no test is named '\(name)'", line: line)
    }
    let result = Expression.test(value, TestCall(test: test, name: name, arguments: list, line: line))
    return isNegated ? .not(result) : result
  }

  private var startsOperand: Bool {
    switch token.kind {
    case .name(let name): name != "else" && name != "or" && name != "and"
    case .string, .integer, .number: true
    case .symbol(let symbol): symbol == "[" || symbol == "{"
    default: false
    }
  }
}
