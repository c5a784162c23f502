// Expressions → values.

extension TemplateInterpreter {
  func evaluate(_ expression: Expression, _ activation: Activation) throws(TemplateError) -> TemplateValue {
    try step()
    switch expression {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .number(let value): return .number(value)
    case .text(let text): return .text(text)
    case .name(let variable): return read(variable, activation)
    default:
      try deeper()
      defer { shallower() }
      return try compound(expression, activation)
    }
  }

  // Small functions, so that the frames of a deep expression stay small.
  private func compound(_ expression: Expression, _ activation: Activation) throws(TemplateError) -> TemplateValue {
    switch expression {
    case .attribute(let object, let name, let line):
      let object = try evaluate(object, activation)
      self.line = line
      return try attribute(name, of: object)
    case .item(let object, let key, let line): return try item(object, key, line, activation)
    case .slice(let object, let start, let stop, let step, let line):
      return try slice(object, (start, stop, step), line, activation)
    case .and(let left, let right):
      let left = try evaluate(left, activation)
      return left.isTrue ? try evaluate(right, activation) : left
    case .or(let left, let right):
      let left = try evaluate(left, activation)
      return left.isTrue ? left : try evaluate(right, activation)
    case .not(let value): return .bool(!(try evaluate(value, activation).isTrue))
    case .comparison(let first, let rest, let line): return try compare(first, rest, line, activation)
    case .arithmetic(let sign, let left, let right, let line):
      return try arithmetic(sign, left, right, line, activation)
    case .filter(let value, let filter): return try apply(filter, to: try evaluate(value, activation), activation)
    case .test(let value, let test): return .bool(try holds(test, try evaluate(value, activation), activation))
    case .conditional(let test, let then, let otherwise):
      if try evaluate(test, activation).isTrue { return try evaluate(then, activation) }
      guard let otherwise else {
        return .undefined(Undefined(.hint("the inline if-expression evaluated to false and has no else section")))
      }
      return try evaluate(otherwise, activation)
    case .call(let call): return try self.call(call, activation)
    case .concatenation(let parts, let line): return try concatenate(parts, line, activation)
    case .sign(let negative, let value, let line):
      return try sign(negative: negative, try evaluate(value, activation), line)
    case .list(let elements): return try list(try values(elements, activation))
    case .tuple(let elements): return try list(try values(elements, activation), isTuple: true)
    case .dict(let members, let line): return try dict(members, line, activation)
    case .none, .bool, .integer, .number, .text, .name: return .none  // answered in evaluate
    }
  }

  func values(_ expressions: [Expression], _ activation: Activation) throws(TemplateError) -> [TemplateValue] {
    var result: [TemplateValue] = []
    result.reserveCapacity(expressions.count)
    for expression in expressions { result.append(try evaluate(expression, activation)) }
    return result
  }

  private func item(
    _ object: Expression, _ key: Expression, _ line: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    let object = try evaluate(object, activation)
    let key = try evaluate(key, activation)
    self.line = line
    return try item(key, of: object)
  }

  private func slice(
    _ object: Expression, _ bounds: (Expression?, Expression?, Expression?), _ line: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    let object = try evaluate(object, activation)
    let start: TemplateValue? = if let bound = bounds.0 { try evaluate(bound, activation) } else { nil }
    let stop: TemplateValue? = if let bound = bounds.1 { try evaluate(bound, activation) } else { nil }
    let step: TemplateValue? = if let bound = bounds.2 { try evaluate(bound, activation) } else { nil }
    self.line = line
    return try slice(object, start, stop, step)
  }

  private func compare(
    _ first: Expression, _ rest: [(sign: ComparisonOperator, operand: Expression)], _ line: Int,
    _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    var left = try evaluate(first, activation)
    for (sign, operand) in rest {
      let right = try evaluate(operand, activation)
      self.line = line
      if !(try compare(left, sign, right)) { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func arithmetic(
    _ sign: ArithmeticOperator, _ left: Expression, _ right: Expression, _ line: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    let left = try evaluate(left, activation)
    let right = try evaluate(right, activation)
    self.line = line
    return try arithmetic(sign, left, right)
  }

  private func concatenate(
    _ parts: [Expression], _ line: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    var result = TemplateText()
    for part in parts {
      let value = try evaluate(part, activation)
      self.line = line
      let more = try string(of: value)
      try take(more.bytes.count)
      if result.bytes.count > limits.output { throw fail(.limit, "a text longer than \(limits.output) bytes") }
      result.append(more, turn: turn)
    }
    result.isMarkup = false
    return .text(result)
  }

  private func dict(
    _ members: [(key: Expression, value: Expression)], _ line: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    var builder = DictBuilder()
    for (key, value) in members {
      let key = try evaluate(key, activation)
      self.line = line
      try requireHashable(key)
      builder.set(key, try evaluate(value, activation))
      try step(builder.keys.count >> 3)
    }
    return try self.dict(builder)
  }

  func dict(_ builder: DictBuilder) throws(TemplateError) -> TemplateValue {
    try take(builder.keys.count, times: 48)
    let dict = Dict(keys: builder.keys, values: builder.values)
    try check(depth: dict.depth)
    return .dict(dict)
  }

  func requireHashable(_ key: TemplateValue) throws(TemplateError) {
    if key.isUnhashable { throw fail(.type, "a \(key.typeName) cannot be a key") }
  }
}

extension TemplateValue {
  var isUnhashable: Bool {
    switch self {
    case .dict: true
    case .list(let list): !list.isHashable
    default: false
    }
  }
}

/// A dictionary being put together; a key set again keeps its place.
struct DictBuilder {
  private(set) var keys: [TemplateValue] = []
  private(set) var values: [TemplateValue] = []

  mutating func set(_ key: TemplateValue, _ value: TemplateValue) {
    var work = 10_000
    if let found = keys.firstIndex(where: { $0.equals(key, work: &work) }) {
      values[found] = value
    } else {
      keys.append(key)
      values.append(value)
    }
  }
}
