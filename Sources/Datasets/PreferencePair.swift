package import HoldfastBasics
public import HoldfastTokenizers

/// A prompt with two answers, rendered twice: what an objective over pairs learns from.
public struct PreferencePair: Sendable, Hashable {
  public let chosen: Rendering
  public let rejected: Rendering
  /// Tokens at the beginning that both have in common: the prompt, and whatever the answers begin alike with.
  public let sharedTokens: Int

  public init(chosen: Rendering, rejected: Rendering) {
    self.chosen = chosen
    self.rejected = rejected
    sharedTokens = zip(chosen.ids, rejected.ids).prefix { $0 == $1 }.count
  }

  /// What is said where pairs are learnt from and a source has none.
  static func missing(_ format: DataFormat) -> String {
    "its rows are \(format.rawValue), but the objective dpo learns from preference pairs: `prompt`, `chosen` and `rejected`"
  }

  /// What is said where single answers are learnt.
  static let notHere =
    "these are preference pairs (`chosen`, `rejected`), which the objectives sft and pretraining do not learn from; they are for dpo. To learn the chosen answers alone: `format: prompt_completion` with `fields: {completion: chosen}`"
}

extension ExampleRenderer {
  /// A row with `chosen` and `rejected`, which are texts behind `prompt` (or `instruction` and `input`), or conversations, whole or behind
  /// those of `prompt` or `conversations`.
  ///
  /// - Throws: `RowError`.
  package func renderPair(_ row: JSONObject, template: PromptTemplate, trainOn: TrainOn? = nil) throws(RowError) -> PreferencePair {
    guard let chosen = row["chosen"], let rejected = row["rejected"] else { throw RowError("`chosen` or `rejected` is missing") }
    let prompt = row["prompt"] ?? row["conversations"] ?? row["messages"]
    func one(_ row: JSONObject, _ format: PlainFormat) throws(RowError) -> Rendering {
      try render(row, format: format, trainOn: trainOn, turns: format == .messages ? .all : nil)[0]
    }
    func side(_ answer: JSON) throws(RowError) -> Rendering {
      let isText = answer.string != nil && prompt?.array == nil
      if isText, row["instruction"] != nil {
        var alpaca = row
        alpaca["output"] = answer
        let (plain, format) = try DataFormat.alpaca.plain(alpaca, template: template)
        return try one(plain, format)
      }
      if isText, template == .plain {
        guard let prompt = prompt?.string else { throw RowError("`prompt` is missing or no text") }
        return try one(["prompt": .string(prompt), "completion": answer], .promptCompletion)
      }
      return try one(Conversation.of(prompt: prompt, answer: answer, in: row), .messages)
    }
    let pair = PreferencePair(chosen: try side(chosen), rejected: try side(rejected))
    if !pair.chosen.weights.isEmpty || !pair.rejected.weights.isEmpty {
      throw RowError("messages of a pair have no `weight`: dpo compares whole answers")
    }
    if pair.chosen.ids == pair.rejected.ids { throw RowError("`chosen` and `rejected` are the same") }
    return pair
  }
}
