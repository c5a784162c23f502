// Attributes, items and slices, as jinja2's sandbox gives them.

extension TemplateInterpreter {
  /// `object.name`: Python's attribute first, then the item.
  func attribute(_ name: TemplateText, of object: TemplateValue) throws(TemplateError) -> TemplateValue {
    if case .dict(let dict) = object, let value = dict[name.bytes], !Method.isMethod(name.bytes, of: object) {
      return value
    }
    if let value = try nativeAttribute(name, of: object) { return value }
    return .undefined(Undefined(.member(type: object.typeName, key: name)))
  }

  /// `object[key]`: the item first, then Python's attribute.
  func item(_ key: TemplateValue, of object: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch object {
    case .undefined(let undefined): throw fail(undefined.kind, undefined.message)
    case .dict(let dict):
      if let value = dict[key] { return value }
    case .list(let list):
      if let index = key.asInteger {
        return element(list.elements, index) ?? .undefined(Undefined(.element(type: "list")))
      }
    case .text(let text):
      if let index = key.asInteger {
        let count = text.scalarCount
        let place = index < 0 ? index + count : index
        guard (0..<count).contains(place) else { return .undefined(Undefined(.element(type: "str"))) }
        return try self.text(text.scalars(place..<place + 1))
      }
    case .stream(let stream) where stream.kind == .range:
      if let index = key.asInteger {
        return element(stream.elements, index) ?? .undefined(Undefined(.element(type: "range")))
      }
    default: break
    }
    guard case .text(let name) = key else { return .undefined(Undefined(.element(type: object.typeName))) }
    return try nativeAttribute(name, of: object)
      ?? .undefined(Undefined(.member(type: object.typeName, key: name)))
  }

  private func element(_ elements: [TemplateValue], _ index: Int) -> TemplateValue? {
    let place = index < 0 ? index + elements.count : index
    return elements.indices.contains(place) ? elements[place] : nil
  }

  /// What Python itself finds on the object: methods, and the attributes of the few objects that templates meet.
  private func nativeAttribute(
    _ name: TemplateText, of object: TemplateValue
  ) throws(TemplateError) -> TemplateValue? {
    if case .undefined(let undefined) = object { throw fail(undefined.kind, undefined.message) }
    if name.starts(with: [0x5F, 0x5F]), name.hasSuffix([0x5F, 0x5F]), name.bytes.count > 4 {
      return .undefined(Undefined(.refused(type: object.typeName, attribute: name)))
    }
    switch object {
    case .namespace(let namespace): return namespace[name.bytes]
    case .callable(.loop(let loop)): return loop.attribute(name.bytes)
    case .callable(.macro(let closure)) where name.string == "name": return .text(closure.macro.name)
    case .callable(.cycler(let cycler)) where name.string == "current": return cycler.items[cycler.index]
    case .callable(.cycler) where name.string == "next": return .callable(.method(object, .next))
    case .callable(.cycler) where name.string == "reset": return .callable(.method(object, .reset))
    default: break
    }
    if Method.isRefused(name.bytes, on: object) {
      return .undefined(Undefined(.refused(type: object.typeName, attribute: name)))
    }
    guard let method = Method.named(name.bytes, of: object) else { return nil }
    return .callable(.method(object, method))
  }

  // MARK: - Slices

  func slice(
    _ object: TemplateValue, _ start: TemplateValue?, _ stop: TemplateValue?, _ step: TemplateValue?
  ) throws(TemplateError) -> TemplateValue {
    func bound(_ value: TemplateValue?) throws(TemplateError) -> Int? {
      guard let value, !value.isNone else { return nil }
      guard let number = value.asInteger else { throw fail(.type, "a slice takes whole numbers") }
      return number
    }
    if case .undefined(let undefined) = object { throw fail(undefined.kind, undefined.message) }
    let count: Int
    switch object {
    case .text(let text): count = text.scalarCount
    case .list(let list): count = list.elements.count
    case .stream(let stream) where stream.kind == .range: count = stream.elements.count
    default: return .undefined(Undefined(.element(type: object.typeName)))
    }
    let bounds: (Int?, Int?, Int?)
    do throws(TemplateError) {
      bounds = (try bound(start), try bound(stop), try bound(step))
    } catch {
      return .undefined(Undefined(.element(type: object.typeName)))
    }
    if bounds.2 == 0 { throw fail(.value, "a slice has the step 0") }
    let places = Self.places(bounds.0, bounds.1, bounds.2 ?? 1, count: count)
    switch object {
    case .text(let text):
      if places.step == 1 { return try self.text(text.scalars(places.start..<max(places.start, places.stop))) }
      let offsets = text.scalarOffsets
      var result = TemplateText()
      result.isMarkup = text.isMarkup
      try places.each { place in result.append(text.piece(offsets[place]..<offsets[place + 1])) }
      return try self.text(result)
    case .list(let list):
      if places.step == 1 {
        let elements = Array(list.elements[places.start..<max(places.start, places.stop)])
        try take(elements.count, times: 24)
        return .list(List(elements, isTuple: list.isTuple, origin: list.origin))
      }
      var result: [TemplateValue] = []
      try places.each { result.append(list.elements[$0]) }
      return try self.list(result, isTuple: list.isTuple)
    case .stream(let stream):
      var result: [TemplateValue] = []
      try places.each { result.append(stream.elements[$0]) }
      return try self.list(result)
    default: return .none
    }
  }

  struct Places {
    let start, stop, step: Int
    func each(_ visit: (Int) throws(TemplateError) -> Void) throws(TemplateError) {
      var place = start
      while step > 0 ? place < stop : place > stop {
        try visit(place)
        let (next, overflow) = place.addingReportingOverflow(step)
        if overflow { return }
        place = next
      }
    }
  }

  /// Python's rules for the bounds of a slice.
  static func places(_ start: Int?, _ stop: Int?, _ step: Int, count: Int) -> Places {
    func clamp(_ value: Int, _ low: Int, _ high: Int) -> Int {
      let place = value < 0 ? (value < -count ? low : value + count) : value
      return min(max(place, low), high)
    }
    if step > 0 {
      return Places(
        start: start.map { clamp($0, 0, count) } ?? 0, stop: stop.map { clamp($0, 0, count) } ?? count, step: step)
    }
    return Places(
      start: start.map { clamp($0, -1, count - 1) } ?? count - 1, stop: stop.map { clamp($0, -1, count - 1) } ?? -1,
      step: step)
  }

  // MARK: - Iteration

  /// What Python's `iter` goes through.
  func elements(of value: TemplateValue, for purpose: String) throws(TemplateError) -> [TemplateValue] {
    switch value {
    case .list(let list): return list.elements
    case .dict(let dict): return keys(of: dict)
    case .text(let text):
      try take(text.bytes.count, times: 64)
      return text.characters.map { .text($0) }
    case .stream(let stream): return stream.take()
    case .undefined(let undefined):
      if case .refused = undefined.reason { throw fail(.refused, undefined.message) }
      return []
    default: throw fail(.type, "a \(value.typeName) is nothing to \(purpose)")
    }
  }

  /// The keys, which come from where the dictionary comes from.
  func keys(of dict: Dict) -> [TemplateValue] {
    if dict.origin == .template { return dict.keys }
    return dict.keys.map { key in
      if case .text(let text) = key, text.runs.isEmpty {
        .text(TemplateText(bytes: text.bytes, origin: dict.origin))
      } else {
        key
      }
    }
  }
}
