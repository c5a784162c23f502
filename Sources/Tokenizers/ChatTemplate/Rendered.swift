internal import HoldfastBasics

/// A rendered conversation that knows where each of its characters comes from.
public struct Rendered: Sendable {
  public let text: String
  /// The whole text in pieces of one origin each, in order.
  public let spans: [TextSpan]
  /// What stood in `{% generation %}` blocks, in Unicode scalars of the text.
  public let generation: [Range<Int>]
  /// The role of each message, where it has one.
  public let roles: [String?]

  init(_ interpreter: TemplateInterpreter, messages: JSON?) {
    let output = interpreter.output
    text = output.string
    roles = messages?.array?.map { $0["role"]?.string } ?? []
    var spans: [TextSpan] = []
    var generated: [(number: Int32, range: Range<Int>)] = []
    var (start, byte) = (0, 0)
    var offsets: [Int: Int] = [:]  // of the bytes at which empty generation blocks stand
    let empty = Set(interpreter.emptyGenerations)
    output.bytes.withUnsafeBufferPointer { bytes in
      for run in output.runs {
        var end = start
        while byte < run.end {
          if bytes[byte] & 0xC0 != 0x80 {
            if !empty.isEmpty, empty.contains(byte) { offsets[byte] = end }
            end += 1
          }
          byte += 1
        }
        let origin = run.origin
        if let last = spans.last, last.source == origin.source, last.message ?? -1 == Int(origin.message),
          last.turn ?? -1 == Int(origin.turn)
        {
          spans[spans.count - 1] = TextSpan(
            range: last.range.lowerBound..<end, source: last.source, message: last.message, turn: last.turn)
        } else {
          spans.append(TextSpan(
            range: start..<end, source: origin.source, message: origin.message < 0 ? nil : Int(origin.message),
            turn: origin.turn < 0 ? nil : Int(origin.turn)))
        }
        if origin.generation > 0 {
          if let last = generated.last, last.number == origin.generation, last.range.upperBound == start {
            generated[generated.count - 1].range = last.range.lowerBound..<end
          } else {
            generated.append((origin.generation, start..<end))
          }
        }
        start = end
      }
    }
    self.spans = spans
    let blocks = generated.map(\.range) + interpreter.emptyGenerations.map { byte in
      let place = offsets[byte] ?? start
      return place..<place
    }
    generation = interpreter.emptyGenerations.isEmpty ? blocks : blocks.sorted {
      ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound)
    }
  }

  /// What a model is to learn of this conversation, in Unicode scalars, ascending and apart.
  ///
  /// `{% generation %}` blocks where the template has them. Otherwise, for each message that `isTrained` chooses (the
  /// assistant's when nothing is said): from its first character of content, reasoning or a tool call to the last
  /// character printed for it, its end of turn included, without what other messages say in between.
  public func trainedRanges(_ isTrained: ((Int) -> Bool)? = nil) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    func add(_ range: Range<Int>) {
      if let last = ranges.last, last.upperBound == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else if !range.isEmpty {
        ranges.append(range)
      }
    }
    if !generation.isEmpty {
      guard let isTrained else {
        for block in generation { add(block) }
        return ranges
      }
      for block in generation {
        let owner = spans.lazy.filter { $0.range.overlaps(block) }.compactMap { $0.turn ?? $0.message }.first
        if owner.map(isTrained) ?? true { add(block) }
      }
      return ranges
    }
    let isChosen = roles.indices.map { isTrained?($0) ?? (roles[$0] == "assistant") }
    // A message that is answered in its own turn is looked for nowhere else.
    var hasTurn = Array(repeating: false, count: roles.count)
    for span in spans where span.source.isAnswer {
      if let message = span.message, span.turn == message, hasTurn.indices.contains(message) { hasTurn[message] = true }
    }
    var hasBegun = hasTurn.map { _ in false }
    for span in spans {
      guard let message = span.message ?? span.turn, isChosen.indices.contains(message), isChosen[message],
        !hasTurn[message] || span.turn == message
      else { continue }
      if span.message == message, span.source.isAnswer { hasBegun[message] = true }
      if hasBegun[message] { add(span.range) }
    }
    return ranges
  }
}

extension TextSource {
  /// What a model writes when it answers.
  fileprivate var isAnswer: Bool { self == .content || self == .reasoning || self == .toolCalls }
}
