#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// The same items, asked of one model after another.
public struct AnswersAlong: Sendable {
  /// By model, then by item: 1 where the greedy answer is the expected one, else 0.
  public private(set) var accuracies: [[Double]] = []
  /// By model, then by item: of the right answer behind its prompt.
  public private(set) var perplexities: [[Double]] = []

  public init() {}

  public mutating func ask(_ evaluator: Evaluator, _ items: [EvaluationItem], maximumTokens: Int = 64) throws {
    accuracies.append(try evaluator.exactMatch(items, maximumTokens: maximumTokens).isMatch.map { $0 ? 1 : 0 })
    perplexities.append(try evaluator.answerLikelihoods(items).map { 1 / $0 })
  }

  /// The share of right answers of each model.
  public var means: [Estimate] { accuracies.map { .mean($0) } }

  /// The geometric mean over items of each model.
  public var meanPerplexities: [Double] {
    perplexities.map { values in exp(values.reduce(0) { $0 + log($1) } / Double(max(1, values.count))) }
  }
}
