/// What a model can do with a training item before it knows the item's answer by heart (Kang et al. 2024, "What do learning
/// dynamics reveal about generalization in LLM reasoning?", arXiv 2411.07681): the mean over training items tells beforehand what
/// unseen items will score.
public struct Memorization: Sendable, Hashable {
  /// Of each item, at the last checkpoint: the lower of its accuracy there and its best accuracy at any checkpoint at which its
  /// answer was not memorized.
  public let preMemorization: [Double]
  /// The first checkpoint at which each item's answer is memorized; nil where none is.
  public let memorizedAt: [Int?]
  /// Mean accuracy at each checkpoint.
  public let accuracies: [Estimate]
  /// Share of items memorized at each checkpoint.
  public let memorized: [Double]

  /// - Parameters:
  ///   - accuracies: by checkpoint, then by training item, between 0 and 1.
  ///   - perplexities: of the training answers behind their prompts, likewise.
  ///   - threshold: an answer is memorized at a perplexity of so much or less. It is a choice: a higher one calls more memorized.
  public init(accuracies: [[Double]], perplexities: [[Double]], threshold: Double) {
    precondition(!accuracies.isEmpty && accuracies.count == perplexities.count, "a list for each checkpoint")
    precondition(zip(accuracies, perplexities).allSatisfy { $0.count == accuracies[0].count && $1.count == accuracies[0].count }, "a value for each item")
    let items = accuracies[0].indices
    preMemorization = items.map { item in
      let best = zip(accuracies, perplexities).reduce(0) { $1.1[item] > threshold ? max($0, $1.0[item]) : $0 }
      return min(best, accuracies.last![item])
    }
    memorizedAt = items.map { item in perplexities.firstIndex { $0[item] <= threshold } }
    self.accuracies = accuracies.map { .mean($0) }
    memorized = perplexities.map { values in Double(values.count { $0 <= threshold }) / Double(max(1, values.count)) }
  }

  /// The mean over items.
  public var estimate: Estimate { .mean(preMemorization) }
}
