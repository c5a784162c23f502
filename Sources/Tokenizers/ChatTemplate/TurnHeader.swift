public import HoldfastBasics

/// What a template prints at the head of an assistant's turn: what a model finds there, and does not write itself.
///
/// Found by rendering a short conversation of our own with the same template and variables.
public struct TurnHeader: Sendable, Hashable {
  /// What `add_generation_prompt` prints after a user's message.
  let generationPrompt: [Unicode.Scalar]
  /// What stands in an assistant's turn before the content of a plain answer.
  let beforeContent: [Unicode.Scalar]

  /// How many of the first scalars of an assistant's turn are its header; nil where the turn begins otherwise.
  ///
  /// A turn that begins with the generation prompt goes on where inference goes on. Templates without such a prompt,
  /// or with one that their own answers do not begin with, still head all answers alike.
  func length(in lead: [Unicode.Scalar]) -> Int? {
    if !generationPrompt.isEmpty, lead.starts(with: generationPrompt) { return generationPrompt.count }
    return lead.starts(with: beforeContent) ? beforeContent.count : nil
  }
}

extension ChatTemplate {
  /// The header of assistants' turns; nil where the template prints no plain question and answer.
  ///
  /// - Parameter variables: what a conversation is rendered with; its messages are not looked at.
  public func turnHeader(_ variables: JSONObject = JSONObject()) -> TurnHeader? {
    var variables = variables
    variables["messages"] = [
      ["role": "user", "content": "Q"], ["role": "assistant", "content": "A"], ["role": "user", "content": "Q"],
    ]
    variables["add_generation_prompt"] = true
    guard let rendered = try? render(variables) else { return nil }
    let scalars = Array(rendered.text.unicodeScalars)
    let answer = rendered.spans.first { $0.source == .content && $0.message == 1 && $0.turn ?? 1 == 1 }
    guard let answer, let last = rendered.spans.last(where: { ($0.turn ?? $0.message) != nil }) else { return nil }
    let before = rendered.spans.filter { $0.turn == 1 && $0.range.upperBound <= answer.range.lowerBound }
    return TurnHeader(
      generationPrompt: Array(scalars[last.range.upperBound...]), beforeContent: before.flatMap { scalars[$0.range] })
  }
}
