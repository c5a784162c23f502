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
  /// character printed for it, its end of turn included, without what other messages say in between. A message without
  /// any such character has nothing to teach.
  ///
  /// Where a turn begins with reasoning or a tool call, what the template prints around them (`<tool_call>`, `<think>`)
  /// is written by the model too, so that such a turn is trained from the end of its `header` on.
  public func trainedRanges(header: TurnHeader? = nil, _ isTrained: ((Int) -> Bool)? = nil) -> [Range<Int>] {
    if !generation.isEmpty { return generatedRanges(isTrained) }
    var ranges = ScalarRanges()
    let begins = beginnings(isTrained ?? { roles[$0] == "assistant" }, header)
    for (span, message) in owned(by: begins.map { $0 != nil }) {
      guard let begin = begins[message], span.range.upperBound > begin else { continue }
      ranges.add(max(begin, span.range.lowerBound)..<span.range.upperBound)
    }
    return ranges.ranges
  }

  /// Whether ``trainedRanges(header:_:)`` asks for the header: a turn begins with something else than content.
  public func needsHeader(_ isTrained: ((Int) -> Bool)? = nil) -> Bool {
    guard generation.isEmpty else { return false }
    return answers(isTrained ?? { roles[$0] == "assistant" }).contains { $0.map { $0.source != .content } ?? false }
  }

  private func generatedRanges(_ isTrained: ((Int) -> Bool)?) -> [Range<Int>] {
    var ranges = ScalarRanges()
    for block in generation {
      if let isTrained {
        let owner = spans.lazy.filter { $0.range.overlaps(block) }.compactMap { $0.turn ?? $0.message }.first
        guard owner.map(isTrained) ?? true else { continue }
      }
      ranges.add(block)
    }
    return ranges.ranges
  }

  /// The first piece of answer of each message that is chosen and says something.
  private func answers(_ isChosen: (Int) -> Bool) -> [TextSpan?] {
    let chosen = roles.indices.map(isChosen)
    var answers: [TextSpan?] = chosen.map { _ in nil }
    for (span, message) in owned(by: chosen) where answers[message] == nil && span.message == message && span.source.isAnswer {
      answers[message] = span
    }
    return answers
  }

  /// Where the trained part of each message begins; nil where nothing of it is trained.
  private func beginnings(_ isChosen: (Int) -> Bool, _ header: TurnHeader?) -> [Int?] {
    let answers = answers(isChosen)
    var begins = answers.map { $0?.range.lowerBound }
    guard let header else { return begins }
    let scalars = Array(text.unicodeScalars)
    for (message, answer) in answers.enumerated() {
      guard let answer, answer.source != .content else { continue }
      let before = spans.filter { $0.turn == message && $0.range.upperBound <= answer.range.lowerBound }
      let places = before.flatMap { Array($0.range) }
      if let length = header.length(in: places.map { scalars[$0] }), length < places.count { begins[message] = places[length] }
    }
    return begins
  }

  /// The spans printed for or from the chosen messages, each with its message.
  private func owned(by isChosen: [Bool]) -> [(span: TextSpan, message: Int)] {
    // A message that is answered in its own turn is looked for nowhere else.
    var hasTurn = isChosen.map { _ in false }
    for span in spans where span.source.isAnswer {
      if let message = span.message, span.turn == message, hasTurn.indices.contains(message) { hasTurn[message] = true }
    }
    return spans.compactMap { span in
      guard let message = span.message ?? span.turn, isChosen.indices.contains(message), isChosen[message],
        !hasTurn[message] || span.turn == message
      else { return nil }
      return (span, message)
    }
  }
}

/// Ranges in order, joined where they touch.
private struct ScalarRanges {
  private(set) var ranges: [Range<Int>] = []

  mutating func add(_ range: Range<Int>) {
    if let last = ranges.last, last.upperBound == range.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
    } else if !range.isEmpty {
      ranges.append(range)
    }
  }
}

extension TextSource {
  /// What a model writes when it answers.
  fileprivate var isAnswer: Bool { self == .content || self == .reasoning || self == .toolCalls }
}
