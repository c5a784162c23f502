public import HoldfastBasics

/// Where examples come from and how to read them.
public struct DataSource: Sendable, Hashable {
  /// What logs call it; nil: its paths.
  public var name: String?
  /// Files, folders and patterns; their rows stand one behind another.
  public var paths: [String]
  /// nil: found from the first row.
  public var format: DataFormat?
  /// nil: what suits the format (completion, assistant; all of plain text).
  public var trainOn: TrainOn?
  /// Which answers of a conversation are learnt; nil: all of them, unless the template prints what stands before one
  /// otherwise than at inference.
  public var turns: Turns?
  /// The part of an epoch's examples that come from this source, in (0, 1), drawn anew each epoch; nil: every
  /// example once an epoch. Replay of old data is a source with a share.
  public var share: Double?
  /// How many examples of it an epoch has, gone through evenly from epoch to epoch; in place of a share.
  public var examples: Int?
  /// The same in tokens, on average.
  public var tokens: Int?
  /// What a row calls a member, by the name that the format has for it.
  public var fields: [String: String]
  /// How a prompt and its answer become text.
  public var template: PromptTemplate
  /// What the chat template is told beside the messages, such as a date or whether to think; a row's own `variables` win.
  public var variables: JSONObject

  public init(
    path: String, name: String? = nil, format: DataFormat? = nil, trainOn: TrainOn? = nil, turns: Turns? = nil,
    share: Double? = nil, examples: Int? = nil, tokens: Int? = nil, fields: [String: String] = [:], template: PromptTemplate = .plain,
    variables: JSONObject = JSONObject()
  ) {
    self.init(
      paths: [path], name: name, format: format, trainOn: trainOn, turns: turns, share: share, examples: examples, tokens: tokens,
      fields: fields, template: template, variables: variables)
  }

  public init(
    paths: [String], name: String? = nil, format: DataFormat? = nil, trainOn: TrainOn? = nil, turns: Turns? = nil,
    share: Double? = nil, examples: Int? = nil, tokens: Int? = nil, fields: [String: String] = [:], template: PromptTemplate = .plain,
    variables: JSONObject = JSONObject()
  ) {
    self.paths = paths
    self.name = name
    self.format = format
    self.trainOn = trainOn
    self.turns = turns
    self.share = share
    self.examples = examples
    self.tokens = tokens
    self.fields = fields
    self.template = template
    self.variables = variables
  }

  /// What to call it in messages.
  public var label: String { name ?? paths.joined(separator: ", ") }
}

/// What the rows of a file hold.
public enum DataFormat: String, Sendable, Hashable, CaseIterable, Codable {
  /// `{"text": …}`
  case text
  /// `{"prompt": …, "completion": …}`; the two are joined as they stand.
  case promptCompletion = "prompt_completion"
  /// `{"messages": [{"role": …, "content": …}, …]}`, printed by the model's chat template.
  case messages
  /// `{"conversations": [{"from": "human", "value": …}, …]}`, read as messages.
  case sharegpt
  /// `{"instruction": …, "input": …, "output": …}`, also with `system` and `history`.
  case alpaca
  /// `{"prompt": …, "chosen": …, "rejected": …}`, texts or conversations.
  case preference
  /// `{"question": …, "choices": […], "answer": …}`; the right choice is the completion.
  case multipleChoice = "multiple_choice"
}

/// How a prompt and its answer become text where a row is no conversation.
public enum PromptTemplate: String, Sendable, Hashable, CaseIterable, Codable {
  /// As they stand; an Alpaca row in the text that Alpaca's authors trained on.
  case plain
  /// As a user's and an assistant's message, printed by the model's chat template.
  case chat
}

/// Which tokens of an example are learnt.
public enum TrainOn: String, Sendable, Hashable, CaseIterable, Codable {
  /// The completion and the end of the text; of a conversation its last answer.
  case completion
  /// What the assistant says, ends of its turns included.
  case assistant
  /// Everything.
  case all
}

/// Which of a conversation's answers are learnt, and behind what.
public enum Turns: String, Sendable, Hashable, CaseIterable, Codable {
  /// All of them, in one example: the conversation as the template prints it whole.
  case all
  /// The last one, behind what stands there when the model is asked for it.
  case last
  /// Each in an example of its own, behind what stands there when the model is asked for it.
  case split
}

/// What happens to an example that has more tokens than a row takes.
public enum TooLong: String, Sendable, Hashable, CaseIterable, Codable {
  /// The run is refused. The default: nothing is lost unasked.
  case refuse
  /// Its beginning is kept; counted.
  case truncate
  /// It is left out; counted.
  case drop
}

/// What happens to a row that cannot be read or teaches nothing.
public enum BadRows: Sendable, Hashable {
  /// The run is refused. The default.
  case refuse
  /// It is left out and counted, as long as at most this share of a source's rows is bad.
  case skip(share: Double)
}
