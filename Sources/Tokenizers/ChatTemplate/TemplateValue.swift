/// A Python value as far as templates meet them.
enum TemplateValue {
  /// A variable that has not been set; never leaves its slot.
  case missing
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case text(TemplateText)
  /// Lists and tuples.
  case list(List)
  case dict(Dict)
  case namespace(Namespace)
  /// Ranges, dictionary views and one-shot iterators.
  case stream(Stream)
  case callable(Callable)
}

/// What Jinja gives for a name or attribute that is not there: prints nothing, and complains when used.
final class Undefined {
  enum Reason {
    case name(String)
    case member(type: String, key: TemplateText)
    case element(type: String)
    case hint(String)
    case refused(type: String, attribute: TemplateText)
  }
  let reason: Reason

  init(_ reason: Reason) { self.reason = reason }

  var message: String {
    switch reason {
    case .name(let name): "'\(name)' is undefined"
    case .member(let type, let key): "'\(type) object' has no attribute '\(key.string)'"
    case .element(let type): "\(type) object has no such element"
    case .hint(let hint): hint
    case .refused(let type, let attribute):
      "access to attribute '\(attribute.string)' of '\(type)' object is unsafe"
    }
  }

  var kind: TemplateError.Kind { if case .refused = reason { .refused } else { .undefined } }
}

final class List {
  let elements: [TemplateValue]
  let isTuple: Bool
  /// Containers inside one another, this one included.
  let depth: Int
  let isHashable: Bool
  let origin: Origin

  init(_ elements: [TemplateValue], isTuple: Bool = false, origin: Origin = .template) {
    self.elements = elements
    self.isTuple = isTuple
    self.origin = origin
    depth = 1 + elements.reduce(0) { max($0, $1.depth) }
    isHashable = isTuple && !elements.contains(where: \.isUnhashable)
  }
}

/// A dictionary in insertion order. Immutable, as the sandbox makes all of them.
final class Dict {
  let keys: [TemplateValue]
  let values: [TemplateValue]
  let depth: Int
  let origin: Origin
  /// Whether this is one of `messages`.
  let isMessage: Bool
  /// Places of text keys, only where a scan would be slow.
  private let places: [[UInt8]: Int]?

  init(keys: [TemplateValue], values: [TemplateValue], origin: Origin = .template, isMessage: Bool = false) {
    self.keys = keys
    self.isMessage = isMessage
    self.values = values
    self.origin = origin
    depth = 1 + max(keys.reduce(0) { max($0, $1.depth) }, values.reduce(0) { max($0, $1.depth) })
    var places: [[UInt8]: Int]?
    if keys.count > 12 {
      var map = [[UInt8]: Int](minimumCapacity: keys.count)
      for (i, key) in keys.enumerated() { if case .text(let text) = key { map[text.bytes] = i } }
      places = map
    }
    self.places = places
  }

  subscript(key: [UInt8]) -> TemplateValue? {
    if let places { return places[key].map { values[$0] } }
    for i in keys.indices {
      if case .text(let text) = keys[i], text.bytes == key { return values[i] }
    }
    return nil
  }

  subscript(key: TemplateValue) -> TemplateValue? {
    if case .text(let text) = key { return self[text.bytes] }
    var work = 10_000
    return keys.firstIndex { $0.equals(key, work: &work) }.map { values[$0] }
  }
}

/// `namespace(...)`, the one thing a template can change. The interpreter empties all of them after a rendering,
/// so that one which holds itself is freed.
final class Namespace {
  var names: [[UInt8]] = []
  var values: [TemplateValue] = []

  subscript(name: [UInt8]) -> TemplateValue? {
    get { names.firstIndex(of: name).map { values[$0] } }
    set {
      guard let newValue else { return }
      if let found = names.firstIndex(of: name) {
        values[found] = newValue
      } else {
        names.append(name)
        values.append(newValue)
      }
    }
  }
}

final class Stream {
  enum Kind: String {
    case range, keys = "dict_keys", values = "dict_values", items = "dict_items"
    case iterator = "generator"
  }
  let kind: Kind
  private(set) var elements: [TemplateValue]
  /// For `range`: first value, end and step, to print.
  let bounds: (Int, Int, Int)
  let depth: Int

  init(_ kind: Kind, _ elements: [TemplateValue], bounds: (Int, Int, Int) = (0, 0, 1)) {
    self.kind = kind
    self.elements = elements
    self.bounds = bounds
    depth = 1 + elements.reduce(0) { max($0, $1.depth) }
  }

  /// The elements; an iterator has them once.
  func take() -> [TemplateValue] {
    defer { if kind == .iterator { elements = [] } }
    return elements
  }

  /// The next element of an iterator, or the first of the others.
  func first() -> TemplateValue? {
    guard let first = elements.first else { return nil }
    if kind == .iterator { elements.removeFirst() }
    return first
  }
}

extension TemplateValue {
  static func list(_ elements: [TemplateValue], origin: Origin = .template) -> TemplateValue {
    .list(List(elements, origin: origin))
  }
  static func tuple(_ elements: [TemplateValue]) -> TemplateValue { .list(List(elements, isTuple: true)) }
  static func text(_ string: String) -> TemplateValue { .text(TemplateText(string)) }

  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .dict(let dict): dict.depth
    case .stream(let stream): stream.depth
    default: 0
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

  /// Python's name of the type.
  var typeName: String {
    switch self {
    case .missing, .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .number: "float"
    case .text(let text): text.isMarkup ? "Markup" : "str"
    case .list(let list): list.isTuple ? "tuple" : "list"
    case .dict: "dict"
    case .namespace: "Namespace"
    case .stream(let stream): stream.kind.rawValue
    case .callable(let callable): callable.typeName
    }
  }

  var isTrue: Bool {
    switch self {
    case .missing, .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .text(let text): !text.isEmpty
    case .list(let list): !list.elements.isEmpty
    case .dict(let dict): !dict.keys.isEmpty
    case .namespace, .callable: true
    case .stream(let stream): stream.kind == .iterator || !stream.elements.isEmpty
    }
  }

  /// The number, where Python sees one (bool is one).
  var asInteger: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var asDouble: Double? {
    if case .number(let value) = self { return value }
    return asInteger.map(Double.init)
  }

  /// Python's `==`, within a budget of comparisons: values can share parts, so that even a small one may be
  /// endlessly large to walk. False when the budget is spent.
  func equals(_ other: TemplateValue, work: inout Int) -> Bool {
    work -= 1
    guard work > 0 else { return false }
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.text(let a), .text(let b)): return a == b
    case (.list(let a), .list(let b)):
      return a === b || a.isTuple == b.isTuple && Self.equal(a.elements, b.elements, &work)
    case (.dict(let a), .dict(let b)):
      if a === b { return true }
      guard a.keys.count == b.keys.count else { return false }
      for i in a.keys.indices {
        guard let value = b[a.keys[i]], value.equals(a.values[i], work: &work) else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.callable(let a), .callable(let b)): return a.identity != nil && a.identity == b.identity
    case (.stream(let a), .stream(let b)):
      return a === b || a.kind == b.kind && a.kind != .iterator && a.kind != .values
        && Self.equal(a.elements, b.elements, &work)
    default:
      if let a = asInteger, let b = other.asInteger { return a == b }
      if let a = asDouble, let b = other.asDouble { return a == b }
      return false
    }
  }

  private static func equal(_ a: [TemplateValue], _ b: [TemplateValue], _ work: inout Int) -> Bool {
    guard a.count == b.count else { return false }
    for i in a.indices where !a[i].equals(b[i], work: &work) { return false }
    return true
  }
}
