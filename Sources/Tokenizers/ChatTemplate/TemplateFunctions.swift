// The functions that stand ready in every chat template.

enum TemplateFunction: String, CaseIterable {
  case range, dict, namespace, cycler, joiner
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
}

extension TemplateInterpreter {
  func apply(_ function: TemplateFunction, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    switch function {
    case .range: return try range(arguments)
    case .dict: return try dict(try dictionary(arguments))
    case .namespace:
      let builder = try dictionary(arguments)
      let namespace = Namespace()
      for (key, value) in zip(builder.keys, builder.values) {
        if case .text(let name) = key { namespace[name.bytes] = value }
      }
      try keep(namespace)
      return .namespace(namespace)
    case .cycler:
      guard arguments.named.isEmpty, !arguments.positional.isEmpty else {
        throw fail(.type, "'cycler' needs at least one item")
      }
      return .callable(.cycler(Cycler(arguments.positional)))
    case .joiner:
      return .callable(.joiner(Joiner(try bind(arguments, to: "joiner", "sep")[0] ?? .text(", "))))
    case .raiseException:
      let message = try bind(arguments, to: "raise_exception", "message", required: 1)[0] ?? .none
      throw fail(.raised, try string(of: message).string)
    case .strftimeNow:
      let form = try requireText(try bind(arguments, to: "strftime_now", "format", required: 1)[0], "strftime_now")
      guard let clock else {
        throw fail(.unsupported, "the template asks for the date, and no clock was given to render with; `variables` of the source or of a row can hold what it would show, as in {date_string: 26 Jul 2026}")
      }
      return .text(TemplateText(try clock().formatted(form.string, fail), .variable))
    }
  }

  /// What `dict(...)` makes of its arguments: a dictionary or pairs, and names.
  private func dictionary(_ arguments: Arguments) throws(TemplateError) -> DictBuilder {
    var builder = DictBuilder()
    guard arguments.positional.count <= 1 else { throw fail(.type, "'dict' takes one dictionary") }
    if case .dict(let dict) = arguments.positional.first {
      try step(dict.keys.count)
      for (key, value) in zip(keys(of: dict), dict.values) { builder.set(key, value) }
    } else if let pairs = arguments.positional.first {
      for pair in try elements(of: pairs, for: "iterate over") {
        let pair = try elements(of: pair, for: "unpack")
        guard pair.count == 2 else { throw fail(.value, "'dict' needs pairs") }
        try requireHashable(pair[0])
        try step(builder.keys.count >> 3)
        builder.set(pair[0], pair[1])
      }
    }
    for (name, value) in arguments.named { builder.set(.text(name), value) }
    return builder
  }

  private func range(_ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    guard arguments.named.isEmpty, (1...3).contains(arguments.positional.count) else {
      throw fail(.type, "'range' takes one to three numbers")
    }
    var numbers: [Int] = []
    for value in arguments.positional { numbers.append(try whole(value, or: 0, in: "range")) }
    let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
    let step = numbers.count == 3 ? numbers[2] : 1
    if step == 0 { throw fail(.value, "'range' has the step 0") }
    let distance = Double(stop) - Double(start)
    let count = distance / Double(step)
    if count > 100_000 { throw fail(.value, "'range' of more than 100000 numbers") }
    var elements: [TemplateValue] = []
    if count > 0 {
      try take(Int(count) + 1, times: 24)
      for value in stride(from: start, to: stop, by: step) { elements.append(.integer(value)) }
    }
    return .stream(Stream(.range, elements, bounds: (start, stop, step)))
  }
}
