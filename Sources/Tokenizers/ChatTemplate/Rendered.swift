internal import HoldfastBasics

/// A rendered conversation that knows where each of its characters comes from.
public struct Rendered: Sendable {
  public let text: String
  /// The whole text in pieces of one origin each, in order.
  public let spans: [Span]
  /// What stood in `{% generation %}` blocks, in Unicode scalars of the text.
  public let generation: [Range<Int>]
  /// The role of each message, where it has one.
  public let roles: [String?]

  init(_ interpreter: TemplateInterpreter, messages: JSON?) {
    let output = interpreter.output
    text = output.string
    roles = messages?.array?.map { $0["role"]?.string } ?? []
    var spans: [Span] = []
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
          spans[spans.count - 1] = Span(
            range: last.range.lowerBound..<end, source: last.source, message: last.message, turn: last.turn)
        } else {
          spans.append(Span(
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
  /// character printed for it, its end of turn included.
  public func trainedRanges(_ isTrained: ((Int) -> Bool)? = nil) -> [Range<Int>] {
    if !generation.isEmpty, isTrained == nil { return generation.filter { !$0.isEmpty } }
    let isTrained = isTrained ?? { roles[$0] == "assistant" }
    var starts: [Int?] = Array(repeating: nil, count: roles.count)
    var ends = Array(repeating: 0, count: roles.count)
    for span in spans {
      if let message = span.message, span.source.isAnswer, starts.indices.contains(message) {
        starts[message] = starts[message] ?? span.range.lowerBound
        ends[message] = max(ends[message], span.range.upperBound)
      }
      if let turn = span.turn, ends.indices.contains(turn) { ends[turn] = max(ends[turn], span.range.upperBound) }
    }
    var ranges: [Range<Int>] = []
    for message in roles.indices where isTrained(message) {
      guard let start = starts[message], ends[message] > start else { continue }
      ranges.append(start..<ends[message])
    }
    return ranges.sorted { $0.lowerBound < $1.lowerBound }
  }
}

extension TextSource {
  /// What a model writes when it answers.
  fileprivate var isAnswer: Bool { self == .content || self == .reasoning || self == .toolCalls }
}
