// `value is test`.

enum TemplateTest: String, Sendable {
  case odd, even, divisibleby, defined, undefined, filter, test, none, boolean, `false`, `true`, integer, float
  case lower, upper, string, mapping, number, sequence, iterable, callable, sameas, escaped
  case `in`
  case eq, equalto, equals = "=="
  case ne, differs = "!="
  case gt, greaterthan, greater = ">"
  case ge, greaterOrEqual = ">="
  case lt, lessthan, less = "<"
  case le, lessOrEqual = "<="
}

extension TemplateInterpreter {
  func holds(_ call: TestCall, _ value: TemplateValue, _ activation: Activation) throws(TemplateError) -> Bool {
    guard let test = call.test else {
      throw TemplateError(kind: .unsupported, message: "no test is named '\(call.name)'", line: call.line)
    }
    if call.arguments.isEmpty {
      if test == .defined { return !value.isUndefined }
      if test == .none { return value.isNone }
    }
    let arguments = try arguments(call.arguments, activation)
    line = call.line
    return try holds(test, value, arguments)
  }

  /// A test by a name that is a value: `select('odd')`.
  func holds(
    named name: TemplateValue, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> Bool {
    let name = try requireText(name, "select").string
    guard let test = TemplateTest(rawValue: name) else { throw fail(.unsupported, "no test is named '\(name)'") }
    return try holds(test, value, arguments)
  }

  func holds(
    _ test: TemplateTest, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> Bool {
    switch test {
    case .divisibleby, .sameas, .in, .eq, .equalto, .equals, .ne, .differs, .gt, .greaterthan, .greater, .ge,
      .greaterOrEqual, .lt, .lessthan, .less, .le, .lessOrEqual:
      let other = try bind(arguments, to: test.rawValue, "other", required: 1)[0] ?? .none
      return try relation(test, value, other)
    default:
      _ = try bind(arguments, to: test.rawValue)
      return try property(test, value)
    }
  }

  private func relation(
    _ test: TemplateTest, _ value: TemplateValue, _ other: TemplateValue
  ) throws(TemplateError) -> Bool {
    switch test {
    case .divisibleby: return try !arithmetic(.modulo, value, other).isTrue
    case .sameas: return try isSame(value, other)
    case .in: return try contains(other, value)
    case .eq, .equalto, .equals: return try equal(value, other)
    case .ne, .differs: return try !equal(value, other)
    case .gt, .greaterthan, .greater: return try compare(value, .greater, other)
    case .ge, .greaterOrEqual: return try compare(value, .greaterOrEqual, other)
    case .lt, .lessthan, .less: return try compare(value, .less, other)
    default: return try compare(value, .lessOrEqual, other)
    }
  }

  /// Python's `is`. Small numbers and equal strings are taken for one object, as CPython mostly has them.
  private func isSame(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> Bool {
    switch (a, b) {
    case (.list(let a), .list(let b)): a === b
    case (.dict(let a), .dict(let b)): a === b
    case (.stream(let a), .stream(let b)): a === b
    case (.undefined(let a), .undefined(let b)): a === b
    default: a.typeName == b.typeName ? try equal(a, b) : false
    }
  }

  private func property(_ test: TemplateTest, _ value: TemplateValue) throws(TemplateError) -> Bool {
    switch test {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .none: return value.isNone
    case .odd: return try equal(try arithmetic(.modulo, value, .integer(2)), .integer(1))
    case .even: return try equal(try arithmetic(.modulo, value, .integer(2)), .integer(0))
    case .boolean: if case .bool = value { return true }
    case .true: if case .bool(true) = value { return true }
    case .false: if case .bool(false) = value { return true }
    case .integer: if case .integer = value { return true }
    case .float: if case .number = value { return true }
    case .number: return value.asDouble != nil
    case .string: if case .text = value { return true }
    case .mapping: if case .dict = value { return true }
    case .callable: if case .callable(let callable) = value { if case .cycler = callable { return false } else { return true } }
    case .escaped: if case .text(let text) = value { return text.isMarkup }
    case .lower: return try string(of: value).isLower
    case .upper: return try string(of: value).isUpper
    case .filter: return TemplateFilter(rawValue: try requireText(value, "filter").string) != nil
    case .test: return TemplateTest(rawValue: try requireText(value, "test").string) != nil
    case .sequence:
      switch value {
      case .text, .list, .dict, .undefined: return true
      case .stream(let stream): return stream.kind == .range
      default: return false
      }
    case .iterable:
      switch value {
      case .text, .list, .dict, .undefined, .stream, .callable(.loop): return true
      default: return false
      }
    default: break
    }
    return false
  }
}
