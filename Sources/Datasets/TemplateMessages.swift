public import HoldfastBasics
public import HoldfastTokenizers
internal import Synchronization

/// Prints conversations with the tokenizer's own chat template.
public struct TemplateMessages: MessageRenderer {
  private let template: ChatTemplate
  /// Special tokens by the names that templates know.
  private let variables: JSONObject
  private let alike = ShapesAlike()

  /// nil where the tokenizer brings no template.
  /// - Parameter clock: what a template that asks for the date is told; without one it fails.
  public init?(_ tokenizer: Tokenizer, clock: (@Sendable () -> LocalTime)? = nil) throws {
    guard let source = tokenizer.chatTemplate else { return nil }
    var variables = JSONObject()
    for name in ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"] {
      let value = tokenizer.configuration?[name]
      if let text = value?.string ?? value?["content"]?.string { variables[name] = .string(text) }
    }
    try self.init(source, variables: variables, clock: clock)
  }

  /// A template from its text.
  /// - Parameter variables: special tokens and whatever else it reads.
  public init(_ source: String, variables: JSONObject = JSONObject(), clock: (@Sendable () -> LocalTime)? = nil) throws {
    template = try ChatTemplate(source, clock: clock)
    self.variables = variables
  }

  public func render(_ row: JSONObject, training isTrained: [Bool]) throws -> RenderedMessages {
    try render(row, training: isTrained, addGenerationPrompt: false)
  }

  /// - Parameter addGenerationPrompt: also print what makes the model answer; nothing of it is learnt.
  public func render(
    _ row: JSONObject, training isTrained: [Bool], addGenerationPrompt: Bool
  ) throws -> RenderedMessages {
    let (given, rendered) = try rendering(row, prompts: addGenerationPrompt)
    return RenderedMessages(text: rendered.text, trained: ranges(rendered, given) { isTrained[$0] })
  }

  public func render(_ row: JSONObject, turn: Int) throws -> RenderedMessages {
    let (given, rendered) = try rendering(row.upTo(message: turn))
    let trained = ranges(rendered, given) { $0 == turn }
    guard let (before, asked) = try history(row, turn: turn, in: rendered) else {
      return RenderedMessages(text: rendered.text, trained: trained)
    }
    // The turn as it stands, behind the history as it stands when the model is asked.
    let scalars = Array(rendered.text.unicodeScalars)
    let text = String(String.UnicodeScalarView(asked + scalars[before.count...]))
    let shift = asked.count - before.count
    return RenderedMessages(
      text: text,
      trained: trained.filter { $0.lowerBound >= before.count }.map { $0.lowerBound + shift..<$0.upperBound + shift })
  }

  public func historyDifference(_ row: JSONObject, training isTrained: [Bool]) throws -> HistoryDifference? {
    let shape = row.shape(isTrained)
    if alike.contains(shape) { return nil }
    let whole = try rendering(row).rendered
    let scalars = Array(whole.text.unicodeScalars)
    for turn in isTrained.indices where isTrained[turn] {
      guard let place = whole.extent(ofTurn: turn), let alone = try? rendering(row.upTo(message: turn)).rendered,
        let aloneAt = alone.extent(ofTurn: turn)
      else { continue }
      let asked = try history(row, turn: turn, in: alone)?.inference ?? Array(alone.text.unicodeScalars.prefix(aloneAt.lowerBound))
      let inference = asked + Array(alone.text.unicodeScalars)[aloneAt], training = scalars[..<place.upperBound]
      if !training.elementsEqual(inference) {
        return HistoryDifference(message: turn, training: Array(training), inference: inference)
      }
    }
    alike.insert(shape)
    return nil
  }

  // MARK: -

  private func rendering(_ row: JSONObject, prompts: Bool = false) throws -> (variables: JSONObject, rendered: Rendered) {
    var all = JSONObject([
      ("messages", row["messages"]?.withoutControls ?? .null), ("tools", row["tools"] ?? .null),
      ("documents", row["documents"] ?? .null), ("add_generation_prompt", .bool(prompts)),
    ])
    for (name, value) in variables.members { all[name] = value }
    for (name, value) in row["variables"]?.object?.members ?? JSONObject().members { all[name] = value }
    return (all, try template.render(all))
  }

  private func ranges(_ rendered: Rendered, _ variables: JSONObject, _ isTrained: @escaping (Int) -> Bool) -> [Range<Int>] {
    let header = rendered.needsHeader(isTrained) ? template.turnHeader(variables) : nil
    return rendered.trainedRanges(header: header, isTrained)
  }

  /// What `rendered` prints before message `turn`, and what is there when the model is asked for that message; nil where
  /// they are the same, or the message is not printed.
  private func history(
    _ row: JSONObject, turn: Int, in rendered: Rendered
  ) throws -> (training: [Unicode.Scalar], inference: [Unicode.Scalar])? {
    guard turn > 0, let start = rendered.extent(ofTurn: turn)?.lowerBound else { return nil }
    // A template may refuse what ends here, such as a conversation that only an assistant has begun.
    guard let asked = try? rendering(row.upTo(message: turn, including: false), prompts: true).rendered,
      let end = asked.spans.last(where: { ($0.turn ?? $0.message) != nil })?.range.upperBound
    else { return nil }
    let training = rendered.text.unicodeScalars.prefix(start), inference = asked.text.unicodeScalars.prefix(end)
    return training.elementsEqual(inference) ? nil : (Array(training), Array(inference))
  }
}

extension Rendered {
  /// From the first to the last character printed for a message; nil where there is none.
  fileprivate func extent(ofTurn turn: Int) -> Range<Int>? {
    guard let first = spans.first(where: { $0.turn == turn }), let last = spans.last(where: { $0.turn == turn }) else { return nil }
    return first.range.lowerBound..<last.range.upperBound
  }
}

extension JSON {
  /// Messages without what is said to the trainer and not to the template.
  fileprivate var withoutControls: JSON {
    guard let messages = array, messages.contains(where: { $0["train"] != nil || $0["weight"] != nil }) else { return self }
    return .array(messages.map { message in
      guard case .object(var object) = message else { return message }
      object["train"] = nil
      object["weight"] = nil
      return .object(object)
    })
  }
}

/// Shapes of conversations that were seen to print their history as at inference. What a template prints where depends on
/// roles and on which fields there are, hardly on the words; so rows of a known shape need no second look.
private final class ShapesAlike: Sendable {
  private let known = Mutex(Set<Int>())

  func contains(_ shape: Int) -> Bool { known.withLock { $0.contains(shape) } }
  func insert(_ shape: Int) { known.withLock { if $0.count < 1 << 16 { $0.insert(shape) } } }
}

extension JSONObject {
  /// What a template is likely to decide by.
  fileprivate func shape(_ isTrained: [Bool]) -> Int {
    var hasher = Hasher()
    hasher.combine(isTrained)
    for (key, value) in members where key != "messages" {
      hasher.combine(key)
      hasher.combine(key == "variables" ? value : .bool(value.isNull))
    }
    for message in self["messages"]?.array ?? [] {
      for (key, value) in message.object?.members ?? JSONObject().members {
        hasher.combine(key)
        switch value {
        case .string(let text):
          if key == "role" { hasher.combine(text) }
          let scalars = text.unicodeScalars
          hasher.combine(scalars.first.map { $0.properties.isWhitespace })
          hasher.combine(scalars.last.map { $0.properties.isWhitespace })
          let utf8 = text.utf8
          hasher.combine(utf8.contains(UInt8(ascii: "<")) && (text.contains("<think>") || text.contains("</think>")))
        case .array(let elements): hasher.combine(elements.count)
        case .object(let object): hasher.combine(object.keys)
        default: hasher.combine(value)
        }
      }
      hasher.combine(0)
    }
    return hasher.finalize()
  }
}
