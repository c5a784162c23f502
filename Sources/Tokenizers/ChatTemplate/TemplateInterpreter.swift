// Walks the tree of a template and prints. One interpreter renders once.

/// The slots of one call of a function: of the template, a macro, a caller, a recursive loop.
final class Activation {
  var slots: [TemplateValue]
  let parent: Activation?

  init(_ frame: FrameSize, parent: Activation?) {
    slots = Array(repeating: .missing, count: frame.count)
    self.parent = parent
  }
}

final class TemplateInterpreter {
  enum Flow { case on, breakLoop, continueLoop }

  let limits: ChatTemplate.Limits
  let clock: (@Sendable () -> LocalTime)?
  /// Values from outside, by the numbers of ``TemplateScopes``; `missing` where there is none.
  let given: [TemplateValue]

  /// What is being printed to: the rendering, or the capture of a block.
  var output = TemplateText()
  /// Captures around this point.
  var captures = 0
  /// The message whose loop iteration is running; -1: none.
  var turn: Int32 = -1
  var generations: Int32 = 0
  /// Byte offsets at which generation blocks printed nothing.
  var emptyGenerations: [Int] = []
  /// The line being interpreted, for errors.
  var line = 1

  private var steps = 0
  private var memory = 0
  private var depth = 0
  /// Things that can come to hold themselves; emptied at the end, so that they are freed.
  private var namespaces: [Namespace] = []
  private var captured: [Activation] = []

  init(limits: ChatTemplate.Limits, clock: (@Sendable () -> LocalTime)?, given: [TemplateValue]) {
    self.limits = limits
    self.clock = clock
    self.given = given
  }

  func run(_ program: TemplateProgram) throws(TemplateError) {
    let root = Activation(program.frame, parent: nil)
    defer {
      for namespace in namespaces { (namespace.names, namespace.values) = ([], []) }
      for activation in captured { activation.slots = [] }
    }
    enter(program.slots, root)
    _ = try run(program.body, root)
  }

  // MARK: - Limits

  func fail(_ kind: TemplateError.Kind, _ message: String) -> TemplateError {
    TemplateError(kind: kind, message: message, line: line)
  }

  @inline(__always)
  func step(_ count: Int = 1) throws(TemplateError) {
    steps &+= count
    if steps > limits.steps { throw fail(.limit, "more than \(limits.steps) steps") }
  }

  @inline(__always)
  func deeper() throws(TemplateError) {
    depth &+= 1
    if depth > limits.depth {
      depth -= 1
      throw fail(.limit, "calls and expressions nested deeper than \(limits.depth)")
    }
  }

  @inline(__always)
  func shallower() { depth &-= 1 }

  /// Says that about so many bytes are about to be taken, before they are.
  func take(_ bytes: Int) throws(TemplateError) {
    if bytes > limits.output { throw fail(.limit, "a text or list longer than \(limits.output) bytes") }
    memory &+= 32 &+ bytes
    if memory > limits.memory { throw fail(.limit, "more than \(limits.memory) bytes of texts and lists") }
    try step(bytes >> 6)
  }

  /// The same for `count` pieces of `bytes` each, which may be absurdly many.
  func take(_ count: Int, times bytes: Int) throws(TemplateError) {
    let (product, overflow) = max(0, count).multipliedReportingOverflow(by: max(0, bytes))
    try take(overflow ? .max / 2 : product)
  }

  func text(_ value: TemplateText) throws(TemplateError) -> TemplateValue {
    try take(value.bytes.count)
    return .text(value)
  }

  func list(_ elements: [TemplateValue], isTuple: Bool = false) throws(TemplateError) -> TemplateValue {
    try take(elements.count, times: 24)
    let list = List(elements, isTuple: isTuple)
    try check(depth: list.depth)
    return .list(list)
  }

  func check(depth: Int) throws(TemplateError) {
    if depth > 128 { throw fail(.limit, "lists and dictionaries nested deeper than 128") }
  }

  func iterator(_ elements: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    try take(elements.count, times: 24)
    let stream = Stream(.iterator, elements)
    try check(depth: stream.depth)
    return .stream(stream)
  }

  func keep(_ namespace: Namespace) throws(TemplateError) {
    try take(64)
    namespaces.append(namespace)
  }

  func keep(_ activation: Activation) throws(TemplateError) {
    try take(64 + 24 * activation.slots.count)
    if captured.last !== activation { captured.append(activation) }
  }

  // MARK: - Variables

  @inline(__always)
  func read(_ variable: Variable, _ activation: Activation) -> TemplateValue {
    var place = activation
    for _ in 0..<variable.hops { place = place.parent ?? place }
    let value = place.slots[variable.slot]
    if case .missing = value { return .undefined(Undefined(.name(variable.name))) }
    return value
  }

  func assign(_ value: TemplateValue, to target: Target, _ activation: Activation) throws(TemplateError) {
    switch target {
    case .name(let variable):
      var place = activation
      for _ in 0..<variable.hops { place = place.parent ?? place }
      place.slots[variable.slot] = value
    case .tuple(let targets):
      let elements = try elements(of: value, for: "unpack")
      guard elements.count == targets.count else {
        throw fail(.value, "\(elements.count) values for \(targets.count) names")
      }
      for i in targets.indices { try assign(elements[i], to: targets[i], activation) }
    case .attribute(let variable, let name):
      guard case .namespace(let namespace) = read(variable, activation) else {
        throw fail(.type, "'\(variable.name)' is no namespace, so no attribute of it can be set")
      }
      if namespace[name] == nil { try take(name.count + 64) }
      namespace[name] = value
    }
  }

  func enter(_ slots: ScopeSlots, _ activation: Activation) {
    for load in slots.loads {
      switch load.from {
      case .nothing: activation.slots[load.slot] = .missing
      case .given(let number): activation.slots[load.slot] = given[number]
      case .outer(let hops, let slot):
        var place = activation
        for _ in 0..<hops { place = place.parent ?? place }
        activation.slots[load.slot] = place.slots[slot]
      }
    }
  }

  // MARK: - Statements

  func run(_ body: [Statement], _ activation: Activation) throws(TemplateError) -> Flow {
    for statement in body {
      let flow = try run(statement, activation)
      if flow != .on { return flow }
    }
    return .on
  }

  private func run(_ statement: Statement, _ activation: Activation) throws(TemplateError) -> Flow {
    try step()
    switch statement {
    case .text(let text): try print(text)
    case .print(let value, let line):
      self.line = line
      try print(try evaluate(value, activation))
    case .condition(let branches, let otherwise, let line):
      self.line = line
      for branch in branches where try evaluate(branch.test, activation).isTrue {
        return try nested(branch.body, activation)
      }
      return try nested(otherwise, activation)
    case .loop(let loop): try run(loop, activation)
    case .set(let target, let value, let line):
      self.line = line
      try assign(try evaluate(value, activation), to: target, activation)
    case .capture(let block, let target, let filters):
      enter(block.slots, activation)
      let (printed, flow) = try capture { () throws(TemplateError) in try self.nested(block.body, activation) }
      if flow != .on { return flow }
      try assign(try filtered(.text(printed), filters, activation), to: target, activation)
    case .filtered(let block, let filters):
      enter(block.slots, activation)
      let (printed, flow) = try capture { () throws(TemplateError) in try self.nested(block.body, activation) }
      if flow != .on { return flow }
      try print(try filtered(.text(printed), filters, activation))
    case .with(let assignments, let block):
      line = block.line
      var values: [TemplateValue] = []
      for assignment in assignments { values.append(try evaluate(assignment.value, activation)) }
      enter(block.slots, activation)
      for i in values.indices { try assign(values[i], to: assignments[i].target, activation) }
      return try nested(block.body, activation)
    case .macro(let macro, let name):
      try assign(try closure(macro, activation), to: .name(name), activation)
    case .callBlock(let macro, let call):
      line = call.line
      let caller = try closure(macro, activation)
      try print(try self.call(call, activation, caller: caller))
    case .generation(let macro): try generate(macro, activation)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .on
  }

  private func nested(_ body: [Statement], _ activation: Activation) throws(TemplateError) -> Flow {
    try deeper()
    defer { shallower() }
    return try run(body, activation)
  }

  private func filtered(
    _ value: TemplateValue, _ filters: [FilterCall], _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    var value = value
    for filter in filters { value = try apply(filter, to: value, activation) }
    return value
  }

  // MARK: - Printing

  func print(_ value: TemplateValue) throws(TemplateError) {
    switch value {
    case .text(let text): try print(text)
    case .undefined: break
    default: try print(try string(of: value))
    }
  }

  private func print(_ text: TemplateText) throws(TemplateError) {
    if output.bytes.count + text.bytes.count > limits.output {
      throw fail(.limit, "the rendering is longer than \(limits.output) bytes")
    }
    try step(text.bytes.count >> 6)
    output.print(text, turn: turn)
  }

  /// What `body` prints, kept from the output.
  func capture(
    _ body: () throws(TemplateError) -> Flow
  ) throws(TemplateError) -> (TemplateText, Flow) {
    let outside = output
    output = TemplateText()
    captures += 1
    defer { captures -= 1 }
    do throws(TemplateError) {
      let flow = try body()
      let printed = output
      output = outside
      try take(printed.bytes.count)
      return (printed, flow)
    } catch {
      output = outside
      throw error
    }
  }

  private func generate(_ macro: Macro, _ activation: Activation) throws(TemplateError) {
    generations += 1
    let number = generations
    let inner = Activation(macro.frame, parent: activation)
    enter(macro.slots, inner)
    let (printed, _) = try capture { () throws(TemplateError) in try self.nested(macro.body, inner) }
    if printed.isEmpty, captures == 0 { emptyGenerations.append(output.bytes.count) }
    try print(printed.with { if $0.generation == 0 { $0.generation = number } })
  }
}
