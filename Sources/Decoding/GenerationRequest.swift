/// What to continue and when to stop.
public struct GenerationRequest: Sendable, Hashable {
  /// Token ids to continue; at least one. In an ensemble the base's, and everybody's for whom nothing else is given.
  public var prompt: [Int]
  /// What the experts continue, where they see another format than the base; in their own ids.
  public var expertPrompt: [Int]?
  /// What the anti-expert continues, in its own ids. Other than the base's, the ratio of experts and anti-expert speaks of formats too.
  public var antiExpertPrompt: [Int]?
  /// Tokens to add at most.
  public var maximumTokens: Int
  /// Generation ends behind one of these; it stands at the end of the result.
  public var stopIDs: Set<Int>
  /// How each token is chosen.
  public var sampling: Sampling
  /// Other than the ensemble's.
  public var emulation: Emulation?
  /// Report this many of the likeliest tokens at each place.
  public var likeliest = 0

  public init(prompt: [Int], maximumTokens: Int, stopIDs: Set<Int> = [], sampling: Sampling = .greedy) {
    self.prompt = prompt
    self.maximumTokens = maximumTokens
    self.stopIDs = stopIDs
    self.sampling = sampling
  }
}

/// A token that was chosen, and what was said of it before penalties, temperature and filters.
public struct GeneratedToken: Sendable, Hashable {
  public let id: Int
  /// log p of the model, or of the mixture; nats.
  public let logProbability: Double
  /// The likeliest tokens there with their log p, as many as were asked for.
  public let likeliest: [ScoredID]
  /// Of an ensemble.
  public let mixture: MixtureInfo?
}

public struct ScoredID: Sendable, Hashable {
  public let id: Int
  public let logProbability: Double
}

/// What the members of an ensemble said at a place.
public struct MixtureInfo: Sendable, Hashable {
  /// log Σ exp of the combined scores, nats. The product of all Z is the weight of a text against the target over whole texts.
  public let logZ: Double
  /// Total variation between the mixture and what the experts alone say (without experts: the base).
  public let totalVariation: Double
  /// log p of the token under the members; nil for who is not there or lacks it.
  public let base: Double?
  public let experts: [Double?]
  public let antiExpert: Double?
}

/// Why a row ended.
public enum FinishReason: String, Sendable, Hashable {
  /// A token that ends a text.
  case end
  /// As many tokens as were asked for.
  case length
}

/// What one step brought to a request.
public struct GenerationProgress: Sendable {
  public let request: Int
  /// One, or several where speculation held.
  public let tokens: [GeneratedToken]
  /// Set with the last tokens; the row is free again.
  public let finish: FinishReason?
}

/// Counts since the engine was made.
public struct GenerationCounts: Sendable, Hashable {
  public var tokens = 0
  /// Tokens of prompts that were read, and those that another row had read already.
  public var promptTokens = 0, sharedPromptTokens = 0
  /// Proposals that were looked at, and those that held.
  public var proposed = 0, agreed = 0
  /// Passes of the members in the order base, experts, anti-expert, draft; rows of one call count once.
  public var passes: [Int] = []

  /// Share of the proposals that held; nil without speculation.
  public var agreement: Double? { proposed > 0 ? Double(agreed) / Double(proposed) : nil }
}
