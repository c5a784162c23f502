// Methods of Python's strings, lists and dictionaries, as far as the sandbox lets templates call them.

enum Method: String {
  // strings
  case capitalize, casefold, center, count, endswith, expandtabs, find, format, index, isalnum, isalpha, isascii
  case isdecimal, isdigit, islower, isnumeric, isspace, istitle, isupper, join, ljust, lower, lstrip, partition
  case removeprefix, removesuffix, replace, rfind, rindex, rjust, rpartition, rsplit, rstrip, split, splitlines
  case startswith, strip, swapcase, title, upper, zfill
  // dictionaries and lists
  case get, items, keys, values, copy
  // loops and cyclers
  case cycle, changed, next, reset

  private static let text: Set<String> = [
    "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format", "index", "isalnum",
    "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join",
    "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper",
    "zfill",
  ]
  private static let dict: Set<String> = ["get", "items", "keys", "values", "copy"]
  private static let list: Set<String> = ["index", "count", "copy"]

  private static let changesDict: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]
  private static let changesList: Set<String> = [
    "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove",
  ]

  private static func names(of value: TemplateValue) -> Set<String> {
    switch value {
    case .text: text
    case .dict: dict
    case .list: list
    default: []
    }
  }

  static func named(_ name: [UInt8], of value: TemplateValue) -> Method? {
    let name = String(decoding: name, as: UTF8.self)
    return names(of: value).contains(name) ? Method(rawValue: name) : nil
  }

  /// Whether Python finds a method of this name, callable or not, before it looks for an item.
  static func isMethod(_ name: [UInt8], of value: TemplateValue) -> Bool {
    // The shortest is "get", the longest "setdefault"; most keys of messages are settled by their length.
    guard name.count >= 3, name.count <= 10, name != roleKey, name != contentKey else { return false }
    return named(name, of: value) != nil || isRefused(name, on: value)
  }

  private static let roleKey = Array("role".utf8)
  private static let contentKey = Array("content".utf8)

  /// Methods that would change their object.
  static func isRefused(_ name: [UInt8], on value: TemplateValue) -> Bool {
    let name = String(decoding: name, as: UTF8.self)
    switch value {
    case .dict: return changesDict.contains(name)
    case .list(let list): return !list.isTuple && changesList.contains(name)
    default: return false
    }
  }
}

extension TemplateInterpreter {
  func invoke(
    _ method: Method, on receiver: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch receiver {
    case .text(let text): return try invoke(method, on: text, arguments)
    case .dict(let dict): return try invoke(method, on: dict, receiver, arguments)
    case .list(let list): return try invoke(method, on: list, receiver, arguments)
    case .callable(.loop(let loop)):
      guard !arguments.positional.isEmpty || method == .changed else { throw fail(.type, "no items to cycle through") }
      if method == .cycle { return arguments.positional[loop.index % arguments.positional.count] }
      let value = try list(arguments.positional, isTuple: true)
      if let last = loop.lastChanged, try equal(last, value) { return .bool(false) }
      loop.lastChanged = value
      return .bool(true)
    case .callable(.cycler(let cycler)):
      if method == .reset {
        cycler.index = 0
        return .none
      }
      defer { cycler.index = (cycler.index + 1) % cycler.items.count }
      return cycler.items[cycler.index]
    default: throw fail(.type, "a \(receiver.typeName) has no method '\(method.rawValue)'")
    }
  }

  private func invoke(
    _ method: Method, on dict: Dict, _ receiver: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    if method == .get {
      guard arguments.named.isEmpty else { throw fail(.type, "'get' takes no named arguments") }
      let bound = try bind(arguments, to: "get", "key", "default", required: 1)
      let key = bound[0] ?? .none
      try requireHashable(key)
      return dict[key] ?? bound[1] ?? .none
    }
    _ = try bind(arguments, to: method.rawValue)
    return method == .copy ? receiver : try view(dict, method)
  }

  /// `items()`, `keys()` or `values()`.
  func view(_ dict: Dict, _ method: Method) throws(TemplateError) -> TemplateValue {
    try take(dict.keys.count, times: method == .items ? 96 : 24)
    switch method {
    case .keys: return .stream(Stream(.keys, keys(of: dict)))
    case .values: return .stream(Stream(.values, dict.values))
    default: return .stream(Stream(.items, zip(keys(of: dict), dict.values).map { .tuple([$0, $1]) }))
    }
  }

  private func invoke(
    _ method: Method, on list: List, _ receiver: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    if method == .copy { return receiver }
    let value = try bind(arguments, to: method.rawValue, "value", required: 1)[0] ?? .none
    try step(list.elements.count)
    if method == .count {
      var count = 0
      for element in list.elements where try equal(element, value) { count += 1 }
      return .integer(count)
    }
    for (i, element) in list.elements.enumerated() where try equal(element, value) { return .integer(i) }
    throw fail(.value, "the value is not in the list")
  }
}
