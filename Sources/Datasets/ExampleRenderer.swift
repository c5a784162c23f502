package import HoldfastBasics
public import HoldfastTokenizers

/// Turns rows into ids and marks: the one place that decides what is learnt.
///
/// The whole text is tokenized once; a token is trained if its first character lies in a trained span.
public struct ExampleRenderer: Sendable {
  private let encoder: any TokenEncoder
  let messageRenderer: (any MessageRenderer)?

  /// - Parameter messages: prints conversations; nil where the model has no chat template.
  public init(encoder: any TokenEncoder, messages: (any MessageRenderer)? = nil) {
    self.encoder = encoder
    messageRenderer = messages
  }

  /// All of a text, from its beginning to its end token.
  public func render(text: String) -> Rendering {
    render(text, trained: [0..<Int.max])
  }

  /// A prompt and its completion; the two are joined as they stand, so a space between them must be in one of them.
  public func render(prompt: String, completion: String, trainOn: TrainOn = .completion) -> Rendering {
    let start = trainOn == .all ? 0 : prompt.unicodeScalars.count
    return render(prompt + completion, trained: [start..<Int.max])
  }

  /// A conversation. Its template prints every special token, so the tokenizer adds none.
  public func render(_ conversation: RenderedMessages) -> Rendering {
    let (ids, offsets) = encoder.tokens(of: conversation.text, addSpecialTokens: false)
    let (isTrained, edgeTokens) = marks(offsets, conversation.trained)
    return Rendering(ids: ids, isTrained: isTrained, edgeTokens: edgeTokens)
  }

  /// Text with the tokenizer's own beginning and end. A beginning that the text already spells is not doubled, and
  /// the end token, without which a model never learns to stop, is always there and trained.
  private func render(_ text: String, trained spans: [Range<Int>]) -> Rendering {
    var (ids, offsets) = encoder.tokens(of: text, addSpecialTokens: true)
    if let begin = encoder.beginningID, ids.starts(with: [begin, begin]) {
      ids.removeFirst()
      offsets.removeFirst()
    }
    var (isTrained, edgeTokens) = marks(offsets, spans)
    if let end = encoder.endID {
      if ids.count > 1, ids.suffix(2).allSatisfy({ $0 == end }) {
        ids.removeLast()
        isTrained.removeLast()
      }
      if ids.last == end, ids.count > 1 {
        isTrained[isTrained.count - 1] = true
      } else {
        ids.append(end)
        isTrained.append(true)
      }
    }
    return Rendering(ids: ids, isTrained: isTrained, edgeTokens: edgeTokens)
  }

  /// Which tokens begin in a span, and how many lie across the edge of one. A token without characters of its own stands
  /// in no span.
  private func marks(_ offsets: [Range<Int>], _ spans: [Range<Int>]) -> (isTrained: [Bool], edgeTokens: Int) {
    var span = 0, edgeTokens = 0
    let isTrained = offsets.map { range in
      while span < spans.count, spans[span].upperBound <= range.lowerBound { span += 1 }
      guard !range.isEmpty, span < spans.count else { return false }
      let isIn = spans[span].contains(range.lowerBound)
      if range.upperBound > (isIn ? spans[span].upperBound : spans[span].lowerBound) { edgeTokens += 1 }
      return isIn
    }
    return (isTrained, edgeTokens)
  }
}

extension ExampleRenderer {
  /// The examples of a row in one of the three forms that the others are read as (see `DataFormat.plain`): one, or with
  /// `turns: split` one for each answer.
  package func render(
    _ row: JSONObject, format: PlainFormat, trainOn: TrainOn?, turns: Turns? = nil
  ) throws(RowError) -> [Rendering] {
    if let turns, format != .messages { throw RowError("`turns: \(turns.rawValue)` needs `messages`") }
    switch format {
    case .text:
      let text = try row.text("text")
      if let trainOn, trainOn != .all { throw RowError("`train_on: \(trainOn.rawValue)` needs more than plain text") }
      if text.isEmpty { throw RowError("`text` is empty") }
      return [render(text: text)]
    case .promptCompletion:
      let prompt = try row.text("prompt"), completion = try row.text("completion")
      if completion.isEmpty { throw RowError("`completion` is empty") }
      return [render(prompt: prompt, completion: completion, trainOn: trainOn ?? .completion)]
    case .messages: return try conversation(row, trainOn: trainOn ?? .assistant, turns: turns)
    }
  }
}
