// Python's operators on the values that templates have.

extension TemplateInterpreter {
  private func unsupported(
    _ sign: String, _ left: TemplateValue, _ right: TemplateValue
  ) -> TemplateError {
    for value in [left, right] {
      if case .undefined(let undefined) = value { return fail(undefined.kind, undefined.message) }
    }
    return fail(.type, "'\(sign)' is not known between a \(left.typeName) and a \(right.typeName)")
  }

  private func whole(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> TemplateValue {
    if result.overflow { throw fail(.unsupported, "a whole number beyond 64 bits") }
    return .integer(result.partialValue)
  }

  func sign(negative: Bool, _ value: TemplateValue, _ line: Int) throws(TemplateError) -> TemplateValue {
    self.line = line
    if case .number(let number) = value { return .number(negative ? -number : number) }
    if let number = value.asInteger {
      return negative ? try whole(Int(0).subtractingReportingOverflow(number)) : .integer(number)
    }
    if case .undefined(let undefined) = value { throw fail(undefined.kind, undefined.message) }
    throw fail(.type, "a \(value.typeName) has no sign")
  }

  func arithmetic(
    _ sign: ArithmeticOperator, _ left: TemplateValue, _ right: TemplateValue
  ) throws(TemplateError) -> TemplateValue {
    switch (sign, left, right) {
    case (.add, .text(let a), .text(let b)): return .text(try join(a, b))
    case (.add, .list(let a), .list(let b)) where a.isTuple == b.isTuple:
      return try list(a.elements + b.elements, isTuple: a.isTuple)
    case (.multiply, .text(let text), _):
      if let count = right.asInteger { return try self.text(try repeated(text, count)) }
    case (.multiply, _, .text(let text)):
      if let count = left.asInteger { return try self.text(try repeated(text, count)) }
    case (.multiply, .list(let list), _):
      if let count = right.asInteger { return try repeated(list, count) }
    case (.multiply, _, .list(let list)):
      if let count = left.asInteger { return try repeated(list, count) }
    case (.modulo, .text(let text), _): return try self.text(try format(text, with: right))
    default: break
    }
    if let a = left.asInteger, let b = right.asInteger { return try arithmetic(sign, a, b) }
    guard let a = left.asDouble, let b = right.asDouble else { throw unsupported(sign.rawValue, left, right) }
    return try arithmetic(sign, a, b)
  }

  private func arithmetic(_ sign: ArithmeticOperator, _ a: Int, _ b: Int) throws(TemplateError) -> TemplateValue {
    switch sign {
    case .add: return try whole(a.addingReportingOverflow(b))
    case .subtract: return try whole(a.subtractingReportingOverflow(b))
    case .multiply: return try whole(a.multipliedReportingOverflow(by: b))
    case .divide: return try arithmetic(.divide, Double(a), Double(b))
    case .floorDivide, .modulo:
      if b == 0 { throw fail(.value, "division by zero") }
      if b == -1 { return sign == .modulo ? .integer(0) : try whole(Int(0).subtractingReportingOverflow(a)) }
      let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
      let floors = remainder != 0 && (remainder < 0) != (b < 0)
      return .integer(sign == .modulo ? (floors ? remainder + b : remainder) : (floors ? quotient - 1 : quotient))
    case .power:
      if b < 0 { return try arithmetic(.power, Double(a), Double(b)) }
      var result = 1
      var (base, exponent) = (a, b)
      while exponent > 0 {
        if exponent & 1 == 1 {
          guard case .integer(let value) = try whole(result.multipliedReportingOverflow(by: base)) else { break }
          result = value
        }
        exponent >>= 1
        if exponent > 0 {
          guard case .integer(let value) = try whole(base.multipliedReportingOverflow(by: base)) else { break }
          base = value
        }
      }
      return .integer(result)
    }
  }

  private func arithmetic(
    _ sign: ArithmeticOperator, _ a: Double, _ b: Double
  ) throws(TemplateError) -> TemplateValue {
    switch sign {
    case .add: return .number(a + b)
    case .subtract: return .number(a - b)
    case .multiply: return .number(a * b)
    case .divide, .floorDivide, .modulo:
      if b == 0 { throw fail(.value, "division by zero") }
      if sign == .divide { return .number(a / b) }
      var remainder = a.truncatingRemainder(dividingBy: b)
      if remainder != 0, (remainder < 0) != (b < 0) { remainder += b }
      if sign == .modulo { return .number(remainder == 0 ? Double(signOf: b, magnitudeOf: 0) : remainder) }
      let quotient = ((a - remainder) / b).rounded()
      return .number(quotient == 0 ? Double(signOf: a / b, magnitudeOf: 0) : quotient)
    case .power:
      if a == 0, b < 0 { throw fail(.value, "0 to a negative power") }
      if a < 0, b != b.rounded() { throw fail(.unsupported, "a complex number") }
      let result = Self.power(a, b)
      if result.isInfinite, a.isFinite, b.isFinite { throw fail(.value, "a number too large") }
      return .number(result)
    }
  }

  private func repeated(_ text: TemplateText, _ count: Int) throws(TemplateError) -> TemplateText {
    try take(count, times: text.bytes.count)
    var result = TemplateText()
    result.isMarkup = text.isMarkup
    if text.isEmpty { return result }
    if text.runs.isEmpty {
      result.bytes.reserveCapacity(max(0, count) * text.bytes.count)
    }
    for _ in 0..<max(0, count) { result.append(text) }
    return result
  }

  private func repeated(_ list: List, _ count: Int) throws(TemplateError) -> TemplateValue {
    try take(count, times: list.elements.count * 24)
    if list.elements.isEmpty { return try self.list([], isTuple: list.isTuple) }
    var result: [TemplateValue] = []
    for _ in 0..<max(0, count) { result += list.elements }
    return .list(List(result, isTuple: list.isTuple))
  }

  /// `a + b`; where one is Markup, the other is escaped.
  func join(_ a: TemplateText, _ b: TemplateText) throws(TemplateError) -> TemplateText {
    try take(a.bytes.count + b.bytes.count)
    if a.isMarkup == b.isMarkup {
      var result = a
      result.append(b, turn: turn)
      return result
    }
    var result = a.escaped
    result.append(b.escaped, turn: turn)
    result.isMarkup = true
    return result
  }

  // MARK: - Comparison

  func equal(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> Bool {
    if case .text(let a) = a, case .text(let b) = b { return a == b }
    var work = 1_000_000
    let result = a.equals(b, work: &work)
    if work <= 0 { throw fail(.limit, "values too large to compare") }
    try step((1_000_000 - work) >> 2)
    return result
  }

  func compare(
    _ left: TemplateValue, _ sign: ComparisonOperator, _ right: TemplateValue
  ) throws(TemplateError) -> Bool {
    switch sign {
    case .equal: return try equal(left, right)
    case .notEqual: return !(try equal(left, right))
    case .less: return try less(left, right, sign)
    case .greater: return try less(right, left, sign)
    case .lessOrEqual: return try isOrdered(left, right) ? try !less(right, left, sign) : false
    case .greaterOrEqual: return try isOrdered(left, right) ? try !less(left, right, sign) : false
    case .contained: return try contains(right, left)
    case .notContained: return !(try contains(right, left))
    }
  }

  /// False for NaN, which is neither less nor not less.
  private func isOrdered(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> Bool {
    guard let a = a.asDouble, let b = b.asDouble else { return true }
    return !a.isNaN && !b.isNaN
  }

  func less(
    _ a: TemplateValue, _ b: TemplateValue, _ sign: ComparisonOperator = .less, depth: Int = 0
  ) throws(TemplateError) -> Bool {
    try step()
    switch (a, b) {
    case (.text(let a), .text(let b)): return a < b
    case (.list(let x), .list(let y)) where x.isTuple == y.isTuple:
      for (x, y) in zip(x.elements, y.elements) where !(try equal(x, y)) {
        return try less(x, y, sign, depth: depth + 1)
      }
      return x.elements.count < y.elements.count
    default:
      if let a = a.asInteger, let b = b.asInteger { return a < b }
      if let a = a.asDouble, let b = b.asDouble { return a < b }
      throw unsupported(sign.rawValue, a, b)
    }
  }

  func contains(_ container: TemplateValue, _ value: TemplateValue) throws(TemplateError) -> Bool {
    switch container {
    case .text(let text):
      guard case .text(let part) = value else {
        throw fail(.type, "a \(value.typeName) cannot be looked for in a string")
      }
      try step(text.bytes.count >> 6)
      return text.find(part.bytes) != nil
    case .dict(let dict):
      try requireHashable(value)
      try step(dict.keys.count >> 3)
      return dict[value] != nil
    case .list(let list): return try contains(list.elements, value)
    case .stream(let stream): return try contains(stream.take(), value)
    case .undefined: return false
    default: throw fail(.type, "nothing can be looked for in a \(container.typeName)")
    }
  }

  private func contains(_ elements: [TemplateValue], _ value: TemplateValue) throws(TemplateError) -> Bool {
    try step(elements.count)
    for element in elements where try equal(element, value) { return true }
    return false
  }
}

extension Double {
  fileprivate init(signOf sign: Double, magnitudeOf magnitude: Double) {
    self = Double(sign: sign.sign == .minus ? .minus : .plus, exponent: 0, significand: magnitude)
  }
}

extension TemplateText {
  /// Markup stays; anything else gets HTML's escapes.
  var escaped: TemplateText {
    if isMarkup { return self }
    var result = self
    if bytes.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x3E || $0 == 0x22 || $0 == 0x27 }) {
      result = mapped { piece in
        var out: [UInt8] = []
        for byte in piece {
          switch byte {
          case UInt8(ascii: "&"): out += "&amp;".utf8
          case UInt8(ascii: "<"): out += "&lt;".utf8
          case UInt8(ascii: ">"): out += "&gt;".utf8
          case UInt8(ascii: "\""): out += "&#34;".utf8
          case UInt8(ascii: "'"): out += "&#39;".utf8
          default: out.append(byte)
          }
        }
        return out
      }
    }
    result.isMarkup = true
    return result
  }
}
