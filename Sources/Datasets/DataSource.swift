/// A file of examples and how to read it.
public struct DataSource: Sendable, Hashable {
  /// A JSONL file.
  public var path: String
  /// nil: found from the first row.
  public var format: DataFormat?
  /// nil: what suits the format (completion, assistant; all of plain text).
  public var trainOn: TrainOn?
  /// The part of an epoch's examples that come from this source, in (0, 1), drawn anew each epoch; nil: every
  /// example once an epoch. Replay of old data is a source with a share.
  public var share: Double?

  public init(path: String, format: DataFormat? = nil, trainOn: TrainOn? = nil, share: Double? = nil) {
    self.path = path
    self.format = format
    self.trainOn = trainOn
    self.share = share
  }
}

/// What the rows of a file hold.
public enum DataFormat: String, Sendable, Hashable, CaseIterable, Codable {
  /// `{"text": …}`
  case text
  /// `{"prompt": …, "completion": …}`; the two are joined as they stand.
  case promptCompletion = "prompt_completion"
  /// `{"messages": [{"role": …, "content": …}, …]}`, printed by the model's chat template.
  case messages

  /// The members a row must have.
  var fields: [String] {
    switch self {
    case .text: ["text"]
    case .promptCompletion: ["prompt", "completion"]
    case .messages: ["messages"]
    }
  }
}

/// Which tokens of an example are learnt.
public enum TrainOn: String, Sendable, Hashable, CaseIterable, Codable {
  /// The completion and the end of the text.
  case completion
  /// What the assistant says, ends of its turns included.
  case assistant
  /// Everything.
  case all
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
