internal import HoldfastModels
public import HoldfastRecords

/// What an option's log-likelihood is divided by before options are compared.
public enum LengthNormalization: String, Sendable, Hashable, CaseIterable {
  case none
  /// By the option's tokens.
  case token
  /// By the option's UTF-8 bytes, which does not depend on the tokenizer.
  case byte
}

/// The likelihood of every option of a list of questions.
public struct ChoiceScores: Sendable {
  /// One option behind its prompt.
  public struct Option: Sendable, Hashable {
    /// Nats, summed over the option's tokens.
    public let logProbability: Double
    /// Tokens that were scored.
    public let tokens: Int
    /// UTF-8 bytes of the option's text.
    public let bytes: Int

    public init(logProbability: Double, tokens: Int, bytes: Int) {
      self.logProbability = logProbability
      self.tokens = tokens
      self.bytes = bytes
    }

    /// Nats, or nats a token or byte; the highest is picked.
    public func score(_ normalization: LengthNormalization) -> Double {
      switch normalization {
      case .none: logProbability
      case .token: logProbability / Double(max(1, tokens))
      case .byte: logProbability / Double(max(1, bytes))
      }
    }
  }

  /// By question, then by option.
  public let options: [[Option]]
  /// The right option of each question.
  public let correct: [Int]

  public init(options: [[Option]], correct: [Int]) {
    self.options = options
    self.correct = correct
  }

  /// The option with the best score for each question; of equals the first.
  public func picks(_ normalization: LengthNormalization) -> [Int] {
    options.map { options in
      let scores = options.map { $0.score(normalization) }
      return scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
    }
  }

  /// 1 for every question whose pick is right, otherwise 0.
  public func hits(_ normalization: LengthNormalization) -> [Double] {
    zip(picks(normalization), correct).map { $0 == $1 ? 1 : 0 }
  }

  /// The share of right picks.
  public func accuracy(_ normalization: LengthNormalization) -> Estimate { .mean(hits(normalization)) }

  /// Accuracies as records: `NAME.accuracy`, `NAME.accuracy_per_token` and `NAME.accuracy_per_byte`.
  public func records(name: String, what: String, step: Int? = nil) -> [ScoreRecord] {
    LengthNormalization.allCases.map { normalization in
      let suffix = normalization == .none ? "" : "_per_\(normalization.rawValue)"
      return accuracy(normalization).record("\(name).accuracy\(suffix)", unit: "share of items", what: what, step: step)
    }
  }
}

extension Evaluator {
  /// Scores every option of every question by its likelihood behind the prompt. Items without options are a mistake of
  /// the caller and trap.
  ///
  /// Prompt and option are tokenized as one text. Where a token reaches across their border, all options of the
  /// question are scored from the last token before it that they share, so that all stand behind the same context.
  public func choices(_ items: [EvaluationItem]) throws -> ChoiceScores {
    var requests: [LikelihoodRequest] = []
    for item in items {
      precondition(item.correct != nil, "an item without options has nothing to choose from")
      let prompt = try ids(of: item.prompt)
      let texts = try item.options.map { try ids(of: item.prompt + $0) }
      let shared = texts.reduce(prompt.count) { min($0, $1.commonPrefix(with: prompt)) }
      // Without any token in front, the first one is given.
      let border = max(1, shared)
      for text in texts {
        requests.append(LikelihoodRequest(context: Array(text.prefix(border)), continuation: Array(text.dropFirst(border))))
      }
    }
    let scores = try likelihoods(of: requests)
    var next = 0
    let options = items.map { item in
      item.options.map { option in
        defer { next += 1 }
        return ChoiceScores.Option(
          logProbability: scores[next].logProbability, tokens: scores[next].count, bytes: option.utf8.count)
      }
    }
    return ChoiceScores(options: options, correct: items.map { $0.correct! })
  }
}

extension Array<Int> {
  fileprivate func commonPrefix(with other: [Int]) -> Int {
    zip(self, other).prefix { $0 == $1 }.count
  }
}
