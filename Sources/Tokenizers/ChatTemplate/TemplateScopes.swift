// Which slot a name lives in. Jinja decides this before rendering (its idtracking): a scope that assigns a name has a
// variable of its own from its beginning, copied from the outer one of that name; a name that no scope assigns comes
// from outside. An `if` opens no scope; loops, macros, `with`, captures, filter and generation blocks do.

/// Gives every ``Variable`` of a template its slot.
struct TemplateScopes {
  /// Names that come from outside, by number.
  private(set) var given: [String] = []
  private var numbers: [String: Int] = [:]

  /// One function: the template, a macro, a caller, a recursive loop. Its scopes share one array of slots.
  private final class Function {
    let frame: FrameSize
    let level: Int
    init(_ frame: FrameSize, level: Int) {
      self.frame = frame
      self.level = level
    }
  }

  private struct Place: Hashable {
    let level: Int
    let slot: Int
  }

  private enum Load {
    case parameter, nothing
    case outer(Place)
    case given(String)
  }

  /// The names of one scope. A class, and the slots shared, because the branches of an `if` work on copies.
  private final class Names {
    final class Slots { var slots: [String: Int] = [:] }
    let function: Function
    let parent: Names?
    let own: Slots
    var places: [String: Place] = [:]
    var loads: [Place: Load] = [:]
    var stores: Set<String> = []

    init(_ function: Function, parent: Names?, own: Slots = Slots()) {
      self.function = function
      self.parent = parent
      self.own = own
    }

    func copy() -> Names {
      let copy = Names(function, parent: parent, own: own)
      copy.places = places
      copy.loads = loads
      copy.stores = stores
      return copy
    }

    func find(_ name: String) -> Place? { places[name] ?? parent?.find(name) }

    @discardableResult
    func define(_ name: String, _ load: Load) -> Place {
      let slot = own.slots[name] ?? function.frame.add()
      own.slots[name] = slot
      let place = Place(level: function.level, slot: slot)
      places[name] = place
      loads[place] = load
      return place
    }

    func load(_ name: String) {
      if find(name) == nil { define(name, .given(name)) }
    }

    func store(_ name: String) {
      stores.insert(name)
      if places[name] != nil { return }
      define(name, parent?.find(name).map(Load.outer) ?? .nothing)
    }

    func parameter(_ name: String) {
      stores.insert(name)
      define(name, .parameter)
    }

    /// A name that only some branches assign keeps, in the others, what it was outside.
    func merge(_ branches: [Names]) {
      var stored: Set<String> = []
      for branch in branches { stored.formUnion(branch.stores) }
      stored.subtract(stores)
      for branch in branches {
        places.merge(branch.places) { $1 }
        loads.merge(branch.loads) { $1 }
        stores.formUnion(branch.stores)
      }
      for name in stored {
        guard let place = find(name) else { continue }
        loads[place] = parent?.find(name).map(Load.outer) ?? .given(name)
      }
    }
  }

  /// Fills in the slots of a whole template; `frame` and `slots` are those of its outermost scope.
  static func resolve(_ body: [Statement], frame: FrameSize, slots: ScopeSlots) -> [String] {
    var scopes = TemplateScopes()
    let names = Names(Function(frame, level: 0), parent: nil)
    for statement in body { scopes.collect(statement, names) }
    scopes.place(body, names)
    scopes.write(names, to: slots)
    return scopes.given
  }

  private mutating func number(_ name: String) -> Int {
    if let number = numbers[name] { return number }
    numbers[name] = given.count
    given.append(name)
    return given.count - 1
  }

  private mutating func write(_ names: Names, to slots: ScopeSlots) {
    var loads: [SlotLoad] = []
    for (place, load) in names.loads.sorted(by: { $0.key.slot < $1.key.slot }) {
      switch load {
      case .parameter: break
      case .nothing: loads.append(SlotLoad(slot: place.slot, from: .nothing))
      case .outer(let outer):
        loads.append(SlotLoad(
          slot: place.slot, from: .outer(hops: names.function.level - outer.level, slot: outer.slot)))
      case .given(let name): loads.append(SlotLoad(slot: place.slot, from: .given(number(name))))
      }
    }
    slots.set(loads)
  }

  // MARK: - First walk: which names a scope has

  private func collect(_ statements: [Statement], _ names: Names) {
    for statement in statements { collect(statement, names) }
  }

  private func collect(_ statement: Statement, _ names: Names) {
    switch statement {
    case .text, .breakLoop, .continueLoop, .generation: break
    case .print(let value, _): collect(value, names)
    case .condition(let branches, let otherwise, _):
      collect(branches[0].test, names)
      let first = names.copy()
      let middle = names.copy()
      let last = names.copy()
      collect(branches[0].body, first)
      for branch in branches.dropFirst() {
        collect(branch.test, middle)
        let inner = middle.copy()
        collect(branch.body, inner)
        middle.merge([inner])
      }
      collect(otherwise, last)
      names.merge([first, middle, last])
    case .loop(let loop): collect(loop.iterable, names)
    case .set(let target, let value, _):
      collect(value, names)
      collect(target, names)
    case .capture(_, let target, _): collect(target, names)
    case .filtered: break
    case .with(let assignments, _): for assignment in assignments { collect(assignment.value, names) }
    case .macro(_, let name): names.store(name.name)
    case .callBlock(_, let call): collect(.call(call), names)
    }
  }

  private func collect(_ target: Target, _ names: Names, asParameter: Bool = false) {
    switch target {
    case .name(let variable): asParameter ? names.parameter(variable.name) : names.store(variable.name)
    case .tuple(let targets): for target in targets { collect(target, names, asParameter: asParameter) }
    case .attribute(let variable, _): names.load(variable.name)
    }
  }

  private func collect(_ value: Expression, _ names: Names) { value.eachName { names.load($0.name) } }

  private func collect(_ filters: [FilterCall], _ names: Names) {
    for filter in filters { filter.arguments.eachName { names.load($0.name) } }
  }

  // MARK: - Second walk: where each name stands

  private func place(_ variable: Variable, _ names: Names) {
    guard let place = names.find(variable.name) else { return }
    variable.place(hops: names.function.level - place.level, slot: place.slot)
  }

  private func place(_ value: Expression, _ names: Names) { value.eachName { place($0, names) } }

  private func place(_ target: Target, _ names: Names) {
    switch target {
    case .name(let variable), .attribute(let variable, _): place(variable, names)
    case .tuple(let targets): for target in targets { place(target, names) }
    }
  }

  private func place(_ filters: [FilterCall], _ names: Names) {
    for filter in filters { filter.arguments.eachName { place($0, names) } }
  }

  private mutating func place(_ statements: [Statement], _ names: Names) {
    for statement in statements { place(statement, names) }
  }

  private mutating func place(_ statement: Statement, _ names: Names) {
    switch statement {
    case .text, .breakLoop, .continueLoop: break
    case .print(let value, _): place(value, names)
    case .condition(let branches, let otherwise, _):
      for branch in branches {
        place(branch.test, names)
        place(branch.body, names)
      }
      place(otherwise, names)
    case .loop(let loop): place(loop, names)
    case .set(let target, let value, _):
      place(value, names)
      place(target, names)
    case .capture(let block, let target, let filters):
      place(target, names)
      place(block, filters: filters, Names(names.function, parent: names))
    case .filtered(let block, let filters): place(block, filters: filters, Names(names.function, parent: names))
    case .with(let assignments, let block):
      let inner = Names(names.function, parent: names)
      for assignment in assignments {
        place(assignment.value, names)
        collect(assignment.target, inner, asParameter: true)
      }
      place(block, filters: [], inner)
      for assignment in assignments { place(assignment.target, inner) }
    case .macro(let macro, let name):
      place(name, names)
      place(macro, names)
    case .callBlock(let macro, let call):
      place(.call(call), names)
      place(macro, names)
    case .generation(let macro): place(macro, names)
    }
  }

  private mutating func place(_ block: Block, filters: [FilterCall], _ inner: Names) {
    collect(block.body, inner)
    collect(filters, inner)
    place(block.body, inner)
    place(filters, inner)
    write(inner, to: block.slots)
  }

  private mutating func place(_ macro: Macro, _ names: Names) {
    let inner = Names(Function(macro.frame, level: names.function.level + 1), parent: names)
    let special = [macro.caller, macro.namedRest, macro.rest].compactMap(\.self)
    for parameter in macro.parameters + special { inner.parameter(parameter.name) }
    for value in macro.defaults { collect(value, inner) }
    collect(macro.body, inner)
    for parameter in macro.parameters + special { place(parameter, inner) }
    for value in macro.defaults { place(value, inner) }
    place(macro.body, inner)
    write(inner, to: macro.slots)
  }

  private mutating func place(_ loop: Loop, _ names: Names) {
    place(loop.iterable, names)
    let function =
      loop.isRecursive ? Function(loop.frame, level: names.function.level + 1) : names.function
    if let test = loop.test {
      let scope = Names(function, parent: names)
      collect(loop.testTarget, scope, asParameter: true)
      collect(test, scope)
      place(loop.testTarget, scope)
      place(test, scope)
      write(scope, to: loop.testSlots)
    }
    let inner = Names(function, parent: names)
    if let context = loop.context { inner.parameter(context.name) }
    collect(loop.target, inner, asParameter: true)
    collect(loop.body, inner)
    if let context = loop.context { place(context, inner) }
    place(loop.target, inner)
    place(loop.body, inner)
    write(inner, to: loop.slots)
    let otherwise = Names(function, parent: names)
    collect(loop.otherwise, otherwise)
    place(loop.otherwise, otherwise)
    write(otherwise, to: loop.otherwiseSlots)
  }
}

extension ArgumentList {
  fileprivate func eachName(_ visit: (Variable) -> Void) {
    for value in positional { value.eachName(visit) }
    for (_, value) in named { value.eachName(visit) }
    spread?.eachName(visit)
    namedSpread?.eachName(visit)
  }
}

extension Expression {
  /// Every place in the expression where a name stands, in reading order.
  fileprivate func eachName(_ visit: (Variable) -> Void) {
    switch self {
    case .none, .bool, .integer, .number, .text: break
    case .name(let variable): visit(variable)
    case .list(let elements), .tuple(let elements), .concatenation(let elements, _):
      for element in elements { element.eachName(visit) }
    case .dict(let members, _):
      for (key, value) in members {
        key.eachName(visit)
        value.eachName(visit)
      }
    case .attribute(let object, _, _): object.eachName(visit)
    case .item(let object, let key, _):
      object.eachName(visit)
      key.eachName(visit)
    case .slice(let object, let start, let stop, let step, _):
      object.eachName(visit)
      start?.eachName(visit)
      stop?.eachName(visit)
      step?.eachName(visit)
    case .call(let call):
      call.callee.eachName(visit)
      call.arguments.eachName(visit)
    case .filter(let value, let filter):
      value.eachName(visit)
      filter.arguments.eachName(visit)
    case .test(let value, let test):
      value.eachName(visit)
      test.arguments.eachName(visit)
    case .not(let value), .sign(_, let value, _): value.eachName(visit)
    case .arithmetic(_, let left, let right, _), .and(let left, let right), .or(let left, let right):
      left.eachName(visit)
      right.eachName(visit)
    case .comparison(let first, let rest, _):
      first.eachName(visit)
      for (_, operand) in rest { operand.eachName(visit) }
    case .conditional(let test, let then, let otherwise):
      test.eachName(visit)
      then.eachName(visit)
      otherwise?.eachName(visit)
    }
  }
}
