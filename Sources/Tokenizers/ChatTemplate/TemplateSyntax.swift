// The tree of a template. Names carry the slot they live in, which Scopes.swift fills in before the tree is shared.

indirect enum Expression: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case text(TemplateText)
  case name(Variable)
  case list([Expression])
  case tuple([Expression])
  case dict([(key: Expression, value: Expression)], line: Int)
  /// `object.name`
  case attribute(Expression, TemplateText, line: Int)
  /// `object[key]`
  case item(Expression, Expression, line: Int)
  /// `object[start:stop:step]`
  case slice(Expression, Expression?, Expression?, Expression?, line: Int)
  case call(Call)
  case filter(Expression, FilterCall)
  case test(Expression, TestCall)
  case not(Expression)
  case sign(isNegative: Bool, of: Expression, line: Int)
  case arithmetic(ArithmeticOperator, Expression, Expression, line: Int)
  case concatenation([Expression], line: Int)
  case comparison(Expression, [(sign: ComparisonOperator, operand: Expression)], line: Int)
  case and(Expression, Expression)
  case or(Expression, Expression)
  case conditional(test: Expression, then: Expression, otherwise: Expression?)
}

enum ArithmeticOperator: String, Sendable {
  case add = "+", subtract = "-", multiply = "*", divide = "/", floorDivide = "//", modulo = "%", power = "**"
}

enum ComparisonOperator: String, Sendable {
  case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
  case contained = "in", notContained = "not in"
}

/// A place where a name stands. `@unchecked Sendable` because the slot is written once, while the template is being
/// built and nobody else has it.
final class Variable: @unchecked Sendable {
  let name: String
  let line: Int
  /// How many activations outwards, and the slot there.
  fileprivate(set) var hops = 0
  fileprivate(set) var slot = 0

  init(_ name: String, line: Int) {
    self.name = name
    self.line = line
  }

  func place(hops: Int, slot: Int) {
    self.hops = hops
    self.slot = slot
  }
}

struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// `*expression` and `**expression`.
  var spread: Expression?
  var namedSpread: Expression?

  var isEmpty: Bool { positional.isEmpty && named.isEmpty && spread == nil && namedSpread == nil }
}

final class Call: Sendable {
  let callee: Expression
  let arguments: ArgumentList
  let line: Int

  init(callee: Expression, arguments: ArgumentList, line: Int) {
    self.callee = callee
    self.arguments = arguments
    self.line = line
  }
}

struct FilterCall: Sendable {
  /// Nil: unknown, but in a branch that may never run.
  let filter: TemplateFilter?
  let name: String
  let arguments: ArgumentList
  let line: Int
}

struct TestCall: Sendable {
  let test: TemplateTest?
  let name: String
  let arguments: ArgumentList
  let line: Int
}

// MARK: - Statements

enum Statement: Sendable {
  case text(TemplateText)
  case print(Expression, line: Int)
  case condition([(test: Expression, body: [Statement])], otherwise: [Statement], line: Int)
  case loop(Loop)
  case set(Target, Expression, line: Int)
  case capture(Block, Target, filters: [FilterCall])
  case filtered(Block, filters: [FilterCall])
  case with([(target: Target, value: Expression)], Block)
  case macro(Macro, Variable)
  /// `{% call %}`: the body becomes the `caller` of the call.
  case callBlock(Macro, Call)
  /// `{% generation %}`; its body has a scope of its own, as a function has.
  case generation(Macro)
  case breakLoop
  case continueLoop
}

/// What a value is assigned to.
indirect enum Target: Sendable {
  case name(Variable)
  case tuple([Target])
  case attribute(Variable, [UInt8])
}

/// What happens to a scope's slots when it is entered.
struct SlotLoad: Sendable {
  enum From: Sendable {
    /// Not set yet.
    case nothing
    /// A variable of an outer scope, copied.
    case outer(hops: Int, slot: Int)
    /// A variable given from outside, by its number among those the template names.
    case given(Int)
  }
  let slot: Int
  let from: From
}

/// Slots of one scope; written once by Scopes.swift, before the template is shared.
final class ScopeSlots: @unchecked Sendable {
  fileprivate(set) var loads: [SlotLoad] = []
  func set(_ loads: [SlotLoad]) { self.loads = loads }
}

/// Slots of a function's activation, all its scopes together; written once, as above.
final class FrameSize: @unchecked Sendable {
  fileprivate(set) var count = 0
  func add() -> Int {
    defer { count += 1 }
    return count
  }
}

final class Block: Sendable {
  let body: [Statement]
  let line: Int
  let slots = ScopeSlots()

  init(_ body: [Statement], line: Int) {
    self.body = body
    self.line = line
  }
}

final class Loop: Sendable {
  let target: Target
  let iterable: Expression
  let test: Expression?
  let isRecursive: Bool
  let body: [Statement]
  let otherwise: [Statement]
  let line: Int
  /// `loop`, where the body uses it.
  let context: Variable?
  let slots = ScopeSlots()
  let otherwiseSlots = ScopeSlots()
  /// The condition has variables of its own: it sees the target but not the body's.
  let testTarget: Target
  let testSlots = ScopeSlots()
  /// A recursive loop is a function of its own.
  let frame = FrameSize()

  init(
    target: Target, testTarget: Target, iterable: Expression, test: Expression?, isRecursive: Bool,
    body: [Statement], otherwise: [Statement], context: Variable?, line: Int
  ) {
    self.target = target
    self.testTarget = testTarget
    self.iterable = iterable
    self.test = test
    self.isRecursive = isRecursive
    self.body = body
    self.otherwise = otherwise
    self.context = context
    self.line = line
  }
}

final class Macro: Sendable {
  let name: String
  let parameters: [Variable]
  /// Of the last parameters.
  let defaults: [Expression]
  let body: [Statement]
  /// The special names, where the body uses them.
  let caller, namedRest, rest: Variable?
  let line: Int
  let slots = ScopeSlots()
  let frame = FrameSize()

  init(
    name: String, parameters: [Variable], defaults: [Expression], body: [Statement], caller: Variable?,
    namedRest: Variable?, rest: Variable?, line: Int
  ) {
    self.name = name
    self.parameters = parameters
    self.defaults = defaults
    self.body = body
    self.caller = caller
    self.namedRest = namedRest
    self.rest = rest
    self.line = line
  }
}
