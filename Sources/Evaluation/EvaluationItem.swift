public import HoldfastDatasets

/// One question with its answer, as text.
///
/// Prompt and completion, and prompt and option, are joined as they stand: a space between them is in one of them.
public struct EvaluationItem: Sendable, Hashable {
  /// The text before the answer, as the model reads it.
  public var prompt: String
  /// How the right answer reads behind the prompt.
  public var completion: String
  /// Completions to choose from; empty where the answer is generated only.
  public var options: [String]
  /// Which option is right.
  public var correct: Int?

  /// A question whose answer is generated.
  public init(prompt: String, completion: String) {
    self.prompt = prompt
    self.completion = completion
    options = []
    correct = nil
  }

  /// A question with options.
  public init(prompt: String, options: [String], correct: Int) {
    precondition(options.indices.contains(correct), "the right option \(correct) is none of \(options.count)")
    self.prompt = prompt
    self.options = options
    self.correct = correct
    completion = options[correct]
  }

  /// What a generated answer is compared with: the completion without white space around it.
  public var answer: String { completion.trimmed }
}

extension EvaluationItem {
  /// A question of the little world.
  public init(_ item: LittleWorld.Item) {
    if let correct = item.options.firstIndex(of: item.completion) {
      self.init(prompt: item.prompt, options: item.options, correct: correct)
    } else {
      self.init(prompt: item.prompt, completion: item.completion)
    }
  }
}

extension String {
  /// Without white space at both ends.
  var trimmed: String {
    let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
    guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(scalars[...last])
  }
}
