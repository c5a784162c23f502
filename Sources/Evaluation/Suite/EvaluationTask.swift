public import HoldfastBasics

/// One thing that a suite measures: where its items come from, how they are asked and how the answers are scored.
public struct EvaluationTask: Sendable {
  /// How a task asks.
  public enum Kind: String, KeyChoice {
    /// Likelihood of texts.
    case nll
    /// The likeliest of several options.
    case choice
    /// A greedy answer.
    case generate
    /// A greedy answer whose instructions a program checks.
    case ifeval
    /// Likelihood of reference answers.
    case reference
    /// A greedy answer that is run as a program.
    case code
    /// Distance from a base model.
    case drift
  }

  /// Which side of a trade-off a task stands on.
  public enum Role: String, KeyChoice {
    /// What the model could do before: versatility.
    case general
    /// What it is being taught: speciality.
    case domain
  }

  public let name: String
  public let kind: Kind
  public let role: Role
  public let metric: TaskMetric
  /// Of its score in a mean over its role's tasks; 0 stands aside.
  public let weight: Double
  /// File, choice of items and form of the question, in words.
  public let what: String
  /// SHA-256 over everything that decides its values: settings, templates and the files' contents. Name, role and weight
  /// are not among it.
  public let hash: String
  package let settings: TaskSettings
  package let source: TaskItems

  /// Items that are asked; 0 for a task that asks none.
  public var count: Int { source.count }
}

/// How a task asks and what it does with answers.
package struct TaskSettings: Sendable {
  var normalization = LengthNormalization.byte
  var maximumTokens = 64
  /// An answer ends before one of these.
  package var stops: [String] = []
  var extract: AnswerPattern?
  var isChat = false
  /// How many answers are kept as text.
  var samples = 0
  /// Tokens of a window of text; nil: the model's context.
  var window: Int?
  /// Of a program, in seconds.
  var timeout = 10.0
}
