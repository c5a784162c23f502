// Filters on lists, dictionaries and whatever else can be gone through.

extension TemplateInterpreter {
  func sequence(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .first:
      _ = try bind(arguments, to: "first")
      if case .stream(let stream) = value { return stream.first() ?? empty("first") }
      return try elements(of: value, for: "iterate over").first ?? empty("first")
    case .last:
      _ = try bind(arguments, to: "last")
      if case .stream(let stream) = value, stream.kind == .iterator { throw fail(.type, "an iterator has no last item") }
      return try elements(of: value, for: "iterate over").last ?? empty("last")
    case .reverse:
      _ = try bind(arguments, to: "reverse")
      if case .text(let text) = value { return try slice(.text(text), nil, nil, .integer(-1)) }
      return try iterator(try elements(of: value, for: "iterate over").reversed())
    case .map: return try map(value, arguments)
    case .select, .reject: return try choose(value, arguments, keeps: filter == .select, byAttribute: false)
    case .selectattr, .rejectattr: return try choose(value, arguments, keeps: filter == .selectattr, byAttribute: true)
    case .batch, .slice: return try cut(filter, value, arguments)
    case .dictsort: return try dictsort(value, arguments)
    case .groupby: return try groupby(value, arguments)
    case .sort: return try sort(value, arguments)
    case .unique:
      let bound = try bind(arguments, to: "unique", "case_sensitive", "attribute")
      let ignoresCase = !(bound[0]?.isTrue ?? false)
      var seen: [TemplateValue] = []
      var kept: [TemplateValue] = []
      for element in try elements(of: value, for: "iterate over") {
        let key = try sortKey(element, bound[1], ignoresCase)
        try requireHashable(key)
        var isNew = true
        for other in seen where try equal(other, key) {
          isNew = false
          break
        }
        try step(seen.count)
        if isNew {
          seen.append(key)
          kept.append(element)
        }
      }
      return try iterator(kept)
    default:  // min, max
      let bound = try bind(arguments, to: filter.rawValue, "case_sensitive", "attribute")
      let ignoresCase = !(bound[0]?.isTrue ?? false)
      var best: (value: TemplateValue, key: TemplateValue)?
      for element in try elements(of: value, for: "iterate over") {
        let key = try sortKey(element, bound[1], ignoresCase)
        guard let current = best else {
          best = (element, key)
          continue
        }
        if filter == .min ? try less(key, current.key) : try less(current.key, key) { best = (element, key) }
      }
      return best?.value ?? .undefined(Undefined(.hint("no aggregated item, the sequence was empty")))
    }
  }

  private func empty(_ which: String) -> TemplateValue {
    .undefined(Undefined(.hint("no \(which) item, the sequence was empty")))
  }

  // MARK: - Element by element

  private func map(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    guard value.isTrue else { return try iterator([]) }
    let items = try elements(of: value, for: "iterate over")
    var result: [TemplateValue] = []
    result.reserveCapacity(items.count)
    if arguments.positional.isEmpty, arguments.named.contains(where: { $0.name == "attribute" }) {
      var call = arguments
      var attribute: TemplateValue?
      var standard: TemplateValue?
      for (name, value) in call.named {
        if name == "attribute" { attribute = value }
        if name == "default" { standard = value }
      }
      call.named.removeAll { $0.name == "attribute" || $0.name == "default" }
      if let extra = call.named.first { throw fail(.type, "'map' has no argument '\(extra.name)'") }
      for item in items {
        try step()
        result.append(try path(attribute, of: item, default: standard))
      }
    } else {
      guard let name = arguments.positional.first else { throw fail(.type, "'map' needs a filter") }
      var rest = arguments
      rest.positional.removeFirst()
      for item in items {
        try step()
        result.append(try apply(named: name, to: item, rest))
      }
    }
    return try iterator(result)
  }

  private func choose(
    _ value: TemplateValue, _ arguments: Arguments, keeps: Bool, byAttribute: Bool
  ) throws(TemplateError) -> TemplateValue {
    guard value.isTrue else { return try iterator([]) }
    var rest = arguments
    var attribute: TemplateValue?
    if byAttribute {
      guard !rest.positional.isEmpty else { throw fail(.type, "'selectattr' and 'rejectattr' need an attribute") }
      attribute = rest.positional.removeFirst()
    }
    let name = rest.positional.isEmpty ? nil : rest.positional.removeFirst()
    var kept: [TemplateValue] = []
    for item in try elements(of: value, for: "iterate over") {
      try step()
      let subject = try path(attribute, of: item)
      let isChosen = if let name { try holds(named: name, subject, rest) } else { subject.isTrue }
      if isChosen == keeps { kept.append(item) }
    }
    return try iterator(kept)
  }

  // MARK: - Groups

  private func cut(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let name = filter == .batch ? "linecount" : "slices"
    let bound = try bind(arguments, to: filter.rawValue, name, "fill_with", required: 1)
    let count = try whole(bound[0], or: 1, in: filter.rawValue)
    let fill = bound[1].flatMap { $0.isNone ? nil : $0 }
    let items = try elements(of: value, for: "iterate over")
    var result: [TemplateValue] = []
    try take(max(0, count), times: 24)
    if filter == .batch {
      var line: [TemplateValue] = []
      for item in items {
        if line.count == count {
          result.append(try list(line))
          line = []
        }
        line.append(item)
      }
      if let fill, !line.isEmpty {
        while line.count < count { line.append(fill) }
      }
      if !line.isEmpty { result.append(try list(line)) }
    } else {
      if count == 0 { throw fail(.value, "division by zero") }
      if count < 0 { return try iterator([]) }
      let (size, extra) = items.count.quotientAndRemainder(dividingBy: count)
      var start = 0
      for number in 0..<count {
        let end = start + size + (number < extra ? 1 : 0)
        var part = Array(items[start..<end])
        if let fill, number >= extra { part.append(fill) }
        result.append(try list(part))
        start = end
      }
    }
    return try iterator(result)
  }

  private func groupby(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "groupby", "attribute", "default", "case_sensitive", required: 1)
    let ignoresCase = !(bound[2]?.isTrue ?? false)
    var keyed: [(key: TemplateValue, value: TemplateValue)] = []
    for element in try elements(of: value, for: "iterate over") {
      keyed.append((try sortKey(element, bound[0], ignoresCase, default: bound[1]), element))
    }
    keyed = try sorted(keyed) { (a, b) throws(TemplateError) in try self.less(a.key, b.key) }
    var groups: [TemplateValue] = []
    var at = 0
    while at < keyed.count {
      var end = at
      while end < keyed.count, try equal(keyed[end].key, keyed[at].key) { end += 1 }
      let items = keyed[at..<end].map(\.value)
      let key = try path(bound[0], of: items[0], default: bound[1])
      groups.append(try list([key, try list(items)], isTuple: true))
      at = end
    }
    return try list(groups)
  }

  // MARK: - Order

  /// What an element is ordered by: strings in lower case unless told otherwise.
  private func sortKey(
    _ element: TemplateValue, _ attribute: TemplateValue?, _ ignoresCase: Bool, default standard: TemplateValue? = nil
  ) throws(TemplateError) -> TemplateValue {
    let key = try path(attribute, of: element, default: standard)
    if ignoresCase, case .text(let text) = key { return .text(text.lowercased) }
    return key
  }

  private func sort(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "sort", "reverse", "case_sensitive", "attribute")
    let ignoresCase = !(bound[1]?.isTrue ?? false)
    var paths: [TemplateValue?] = [bound[2]]
    if case .text(let text) = bound[2] {
      paths = text.split(by: [UInt8(ascii: ",")], limit: -1, fromRight: false).map { .text($0) }
    }
    var keyed: [(keys: [TemplateValue], value: TemplateValue)] = []
    for element in try elements(of: value, for: "iterate over") {
      let keys = try paths.map { (path) throws(TemplateError) in try sortKey(element, path, ignoresCase) }
      keyed.append((keys, element))
    }
    let order = { [self] (a: [TemplateValue], b: [TemplateValue]) throws(TemplateError) -> Bool in
      for (a, b) in zip(a, b) where !(try equal(a, b)) { return try less(a, b) }
      return false
    }
    let descends = bound[0]?.isTrue ?? false
    keyed = try sorted(keyed) { (a, b) throws(TemplateError) in
      descends ? try order(b.keys, a.keys) : try order(a.keys, b.keys)
    }
    return try list(keyed.map(\.value))
  }

  private func dictsort(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let bound = try bind(arguments, to: "dictsort", "case_sensitive", "by", "reverse")
    let by = try bound[1].map { (value) throws(TemplateError) in try requireText(value, "dictsort").string } ?? "key"
    guard by == "key" || by == "value" else { throw fail(.value, "'dictsort' orders by key or by value") }
    guard case .dict(let dict) = value else {
      if case .undefined(let undefined) = value { throw fail(undefined.kind, undefined.message) }
      throw fail(.type, "only a dictionary can be sorted by 'dictsort'")
    }
    let ignoresCase = !(bound[0]?.isTrue ?? false)
    let descends = bound[2]?.isTrue ?? false
    var keyed: [(key: TemplateValue, pair: TemplateValue)] = []
    for (key, value) in zip(keys(of: dict), dict.values) {
      keyed.append((try sortKey(by == "key" ? key : value, nil, ignoresCase), .tuple([key, value])))
    }
    keyed = try sorted(keyed) { (a, b) throws(TemplateError) in
      descends ? try self.less(b.key, a.key) : try self.less(a.key, b.key)
    }
    return try list(keyed.map(\.pair))
  }

  /// Stable, and able to fail: a merge sort.
  func sorted<Element>(
    _ elements: [Element], _ less: (Element, Element) throws(TemplateError) -> Bool
  ) throws(TemplateError) -> [Element] {
    if elements.count < 2 { return elements }
    let middle = elements.count / 2
    let left = try sorted(Array(elements[..<middle]), less)
    let right = try sorted(Array(elements[middle...]), less)
    var result: [Element] = []
    result.reserveCapacity(elements.count)
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      if try less(right[j], left[i]) {
        result.append(right[j])
        j += 1
      } else {
        result.append(left[i])
        i += 1
      }
    }
    return result + left[i...] + right[j...]
  }
}
