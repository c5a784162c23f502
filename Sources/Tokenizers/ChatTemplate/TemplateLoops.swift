// `for`, and what its `loop` variable knows.

/// The `loop` of a running loop.
final class LoopState {
  let items: [TemplateValue]
  var index = 0
  let level: Int
  var lastChanged: TemplateValue?
  /// For a recursive loop: how to run its body over other items.
  let recursion: (loop: Loop, activation: Activation)?

  init(_ items: [TemplateValue], level: Int, recursion: (loop: Loop, activation: Activation)?) {
    self.items = items
    self.level = level
    self.recursion = recursion
  }

  func attribute(_ name: [UInt8]) -> TemplateValue? {
    switch String(decoding: name, as: UTF8.self) {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(items.count)
    case "depth": .integer(level + 1)
    case "depth0": .integer(level)
    case "previtem": index > 0 ? items[index - 1] : .undefined(Undefined(.hint("there is no previous item")))
    case "nextitem":
      index + 1 < items.count ? items[index + 1] : .undefined(Undefined(.hint("there is no next item")))
    case "cycle": .callable(.method(.callable(.loop(self)), .cycle))
    case "changed": .callable(.method(.callable(.loop(self)), .changed))
    default: nil
    }
  }
}

extension TemplateInterpreter {
  func run(_ loop: Loop, _ activation: Activation) throws(TemplateError) {
    line = loop.line
    let iterable = try evaluate(loop.iterable, activation)
    if loop.isRecursive {
      try print(try run(recursive: loop, over: iterable, level: 0, activation))
    } else {
      try run(loop, over: iterable, level: 0, activation, recursion: nil)
    }
  }

  /// One level of a recursive loop: what it prints.
  func run(
    recursive loop: Loop, over iterable: TemplateValue, level: Int, _ activation: Activation
  ) throws(TemplateError) -> TemplateValue {
    try deeper()
    defer { shallower() }
    let inner = Activation(loop.frame, parent: activation)
    try keep(inner)
    let (printed, _) = try capture { () throws(TemplateError) in
      try self.run(loop, over: iterable, level: level, inner, recursion: (loop, activation))
      return .on
    }
    return .text(printed)
  }

  private func run(
    _ loop: Loop, over iterable: TemplateValue, level: Int, _ activation: Activation,
    recursion: (loop: Loop, activation: Activation)?
  ) throws(TemplateError) {
    try deeper()
    defer { shallower() }
    var items = try elements(of: iterable, for: "iterate over")
    if let test = loop.test {
      enter(loop.testSlots, activation)
      var chosen: [TemplateValue] = []
      for item in items {
        try step()
        try assign(item, to: loop.testTarget, activation)
        if try evaluate(test, activation).isTrue { chosen.append(item) }
      }
      items = chosen
    }
    if items.isEmpty {
      enter(loop.otherwiseSlots, activation)
      _ = try run(loop.otherwise, activation)
      return
    }
    let state = loop.context == nil ? nil : LoopState(items, level: level, recursion: recursion)
    let outerTurn = turn
    defer { turn = outerTurn }
    for index in items.indices {
      try step()
      line = loop.line
      state?.index = index
      try assign(items[index], to: loop.target, activation)
      enter(loop.slots, activation)
      if let context = loop.context, let state { activation.slots[context.slot] = .callable(.loop(state)) }
      let start = output.bytes.count
      if outerTurn < 0 { turn = items[index].messageNumber }
      let flow = try run(loop.body, activation)
      if turn < 0 { output.claim(from: start) }
      if flow == .breakLoop { break }
    }
  }
}

extension TemplateValue {
  /// The number of the message that this dictionary is; -1 for everything else.
  var messageNumber: Int32 {
    if case .dict(let dict) = self, dict.isMessage { dict.origin.message } else { -1 }
  }
}

extension TemplateText {
  /// An iteration over something else than messages (their numbers, groups of them) printed what follows `start`.
  /// If it printed fields of exactly one message, all of it was printed for that one.
  mutating func claim(from start: Int) {
    guard start < bytes.count, let first = runs.firstIndex(where: { Int($0.end) > start }) else { return }
    var owner: Int32 = -1
    for run in runs[first...] where run.origin.message >= 0 || run.origin.turn >= 0 {
      let message = run.origin.turn >= 0 ? run.origin.turn : run.origin.message
      if owner >= 0, message != owner { return }
      owner = message
    }
    if owner < 0 { return }
    var from = first
    let begin = first == 0 ? 0 : Int(runs[first - 1].end)
    if begin < start {
      runs.insert(Run(end: Int32(start), origin: runs[first].origin), at: first)
      from += 1
    }
    for i in from..<runs.count { runs[i].origin.turn = owner }
  }
}
