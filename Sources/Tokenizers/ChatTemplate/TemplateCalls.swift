// Everything that can be called, and how arguments find their parameters.

/// A macro with the variables around its definition.
final class Closure {
  let macro: Macro
  let activation: Activation
  init(_ macro: Macro, _ activation: Activation) {
    self.macro = macro
    self.activation = activation
  }
}

/// `cycler(...)`.
final class Cycler {
  let items: [TemplateValue]
  var index = 0
  init(_ items: [TemplateValue]) { self.items = items }
}

/// `joiner(...)`.
final class Joiner {
  let separator: TemplateValue
  var isUsed = false
  init(_ separator: TemplateValue) { self.separator = separator }
}

indirect enum Callable {
  case macro(Closure)
  case function(TemplateFunction)
  case method(TemplateValue, Method)
  case loop(LoopState)
  case cycler(Cycler)
  case joiner(Joiner)

  var typeName: String {
    switch self {
    case .macro: "Macro"
    case .function: "function"
    case .method: "builtin_function_or_method"
    case .loop: "LoopContext"
    case .cycler: "Cycler"
    case .joiner: "Joiner"
    }
  }

  var identity: ObjectIdentifier? {
    switch self {
    case .macro(let closure): ObjectIdentifier(closure)
    case .loop(let loop): ObjectIdentifier(loop)
    case .cycler(let cycler): ObjectIdentifier(cycler)
    case .joiner(let joiner): ObjectIdentifier(joiner)
    case .function, .method: nil
    }
  }
}

/// Evaluated arguments.
struct Arguments {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []
}

extension TemplateInterpreter {
  func arguments(_ list: ArgumentList, _ activation: Activation) throws(TemplateError) -> Arguments {
    var result = Arguments()
    if list.isEmpty { return result }
    result.positional = try values(list.positional, activation)
    for (name, value) in list.named { result.named.append((name, try evaluate(value, activation))) }
    if let spread = list.spread {
      result.positional += try elements(of: try evaluate(spread, activation), for: "spread")
    }
    if let spread = list.namedSpread {
      guard case .dict(let dict) = try evaluate(spread, activation) else {
        throw fail(.type, "what follows '**' has to be a dictionary")
      }
      for (key, value) in zip(dict.keys, dict.values) {
        guard case .text(let name) = key else { throw fail(.type, "names of arguments have to be strings") }
        guard !result.named.contains(where: { $0.name == name.string }) else {
          throw fail(.type, "the argument '\(name.string)' is given twice")
        }
        result.named.append((name.string, value))
      }
    }
    return result
  }

  /// The arguments in the order of the parameters, nil where one is not given.
  func bind(
    _ arguments: Arguments, to function: String, _ names: String..., required: Int = 0
  ) throws(TemplateError) -> [TemplateValue?] {
    guard arguments.positional.count <= names.count else {
      throw fail(.type, "'\(function)' takes \(names.count) arguments, not \(arguments.positional.count)")
    }
    var result: [TemplateValue?] = arguments.positional
    while result.count < names.count { result.append(nil) }
    for (name, value) in arguments.named {
      guard let place = names.firstIndex(of: name) else {
        throw fail(.type, "'\(function)' has no argument '\(name)'")
      }
      guard result[place] == nil else { throw fail(.type, "'\(function)' got two values for '\(name)'") }
      result[place] = value
    }
    for i in 0..<required where result[i] == nil { throw fail(.type, "'\(function)' needs '\(names[i])'") }
    return result
  }

  // MARK: - Calls

  func call(
    _ call: Call, _ activation: Activation, caller: TemplateValue? = nil
  ) throws(TemplateError) -> TemplateValue {
    let callee = try evaluate(call.callee, activation)
    var arguments = try arguments(call.arguments, activation)
    if let caller {
      arguments.named.removeAll { $0.name == "caller" }
      arguments.named.append(("caller", caller))
    }
    line = call.line
    return try self.call(callee, arguments)
  }

  func call(_ callee: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    switch callee {
    case .callable(let callable):
      switch callable {
      case .macro(let closure): return try invoke(closure, arguments)
      case .function(let function): return try apply(function, arguments)
      case .method(let receiver, let method): return try invoke(method, on: receiver, arguments)
      case .loop(let loop):
        guard let recursion = loop.recursion else { throw fail(.type, "this loop is not marked 'recursive'") }
        let iterable = try bind(arguments, to: "loop", "iterable", required: 1)[0] ?? .none
        return try run(recursive: recursion.loop, over: iterable, level: loop.level + 1, recursion.activation)
      case .joiner(let joiner):
        if joiner.isUsed { return joiner.separator }
        joiner.isUsed = true
        return .text("")
      case .cycler: break
      }
    case .undefined(let undefined): throw fail(undefined.kind, undefined.message)
    default: break
    }
    throw fail(.type, "a \(callee.typeName) cannot be called")
  }

  func closure(_ macro: Macro, _ activation: Activation) throws(TemplateError) -> TemplateValue {
    try keep(activation)
    return .callable(.macro(Closure(macro, activation)))
  }

  private func invoke(_ closure: Closure, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let macro = closure.macro
    let callLine = line
    try deeper()
    defer { shallower() }
    let activation = Activation(macro.frame, parent: closure.activation)
    enter(macro.slots, activation)
    try fill(activation, of: macro, arguments)
    let (printed, _) = try capture { () throws(TemplateError) in try self.run(macro.body, activation) }
    line = callLine
    return .text(printed)
  }

  private func fill(
    _ activation: Activation, of macro: Macro, _ arguments: Arguments
  ) throws(TemplateError) {
    var named = arguments.named
    let count = macro.parameters.count
    var missing: [Int] = []
    for (i, parameter) in macro.parameters.enumerated() {
      if i < arguments.positional.count {
        activation.slots[parameter.slot] = arguments.positional[i]
      } else if let place = named.firstIndex(where: { $0.name == parameter.name }) {
        activation.slots[parameter.slot] = named.remove(at: place).value
      } else {
        missing.append(i)
      }
    }
    if let caller = macro.caller {
      let place = named.firstIndex { $0.name == "caller" }
      activation.slots[caller.slot] =
        place.map { named.remove(at: $0).value } ?? .undefined(Undefined(.hint("no caller defined")))
    }
    if let rest = macro.namedRest {
      var builder = DictBuilder()
      for (name, value) in named { builder.set(.text(name), value) }
      activation.slots[rest.slot] = try dict(builder)
    } else if let first = named.first {
      throw fail(.type, "the macro '\(macro.name)' has no argument '\(first.name)'")
    }
    if let rest = macro.rest {
      activation.slots[rest.slot] = try list(Array(arguments.positional.dropFirst(count)), isTuple: true)
    } else if arguments.positional.count > count {
      throw fail(.type, "the macro '\(macro.name)' takes no more than \(count) arguments")
    }
    for i in missing {
      let place = i - (count - macro.defaults.count)
      activation.slots[macro.parameters[i].slot] =
        place >= 0
        ? try evaluate(macro.defaults[place], activation)
        : .undefined(Undefined(.hint("parameter '\(macro.parameters[i].name)' was not provided")))
    }
  }
}
