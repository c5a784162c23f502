public import HoldfastBasics

/// What a task's values are.
public enum TaskMetric: String, KeyChoice {
  case bitsPerByte = "bits_per_byte", natsPerLabel = "nats_per_label"
  case accuracy, rightShare = "right_share"
  case exact, numeric, f1, rougeL = "rouge_l"
  case strict, loose
  case logLikelihood = "log_likelihood", likelihood
  case passed
  case kl, agreement, distance

  /// The metrics of a kind of task; the first is its default.
  static func of(_ kind: EvaluationTask.Kind) -> [TaskMetric] {
    switch kind {
    case .nll: [.bitsPerByte, .natsPerLabel]
    case .choice: [.accuracy, .rightShare]
    case .generate: [.exact, .numeric, .f1, .rougeL]
    case .ifeval: [.strict, .loose]
    case .reference: [.logLikelihood, .likelihood]
    case .code: [.passed]
    case .drift: [.kl, .agreement, .distance]
    }
  }

  public var higherIsBetter: Bool {
    switch self {
    case .bitsPerByte, .natsPerLabel, .kl, .distance: false
    default: true
    }
  }

  public var unit: String {
    switch self {
    case .bitsPerByte: "bits a byte"
    case .natsPerLabel, .logLikelihood: "nats a label"
    case .kl: "nats a token"
    case .agreement: "share of tokens"
    case .distance: "share of the base's norm"
    case .likelihood: "probability a label"
    case .rightShare: "probability"
    case .f1, .rougeL: "overlap"
    default: "share of items"
    }
  }

  /// Whether values lie between 0 and 1, so that they print as percent.
  public var isShare: Bool {
    switch self {
    case .bitsPerByte, .natsPerLabel, .logLikelihood, .kl, .distance: false
    default: true
    }
  }
}
