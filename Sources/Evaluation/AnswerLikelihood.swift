#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif
internal import HoldfastModels

extension Evaluator {
  /// How likely each right answer is behind its prompt, per token: exp(1/n · Σ log p), the geometric mean of its tokens'
  /// probabilities, between 0 and 1. It moves long before a greedy answer changes.
  public func answerLikelihoods(_ items: [EvaluationItem]) throws -> [Double] {
    let requests = try items.map { item in
      let prompt = try ids(of: item.prompt), text = try ids(of: item.prompt + item.completion)
      let border = max(1, zip(text, prompt).prefix { $0 == $1 }.count)
      return LikelihoodRequest(context: Array(text.prefix(border)), continuation: Array(text.dropFirst(border)))
    }
    return try likelihoods(of: requests).map { scores in
      scores.isEmpty ? 1 : exp(scores.logProbability / Double(scores.count))
    }
  }
}
