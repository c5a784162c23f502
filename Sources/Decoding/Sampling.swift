internal import HoldfastBasics
internal import HoldfastEngine

/// How the next token is chosen from its scores. Applied in this order: logit bias, repetition penalty, temperature, top-k, top-p, min-p;
/// then a token is drawn as the largest of score + Gumbel noise, which draws from the softmax (Gumbel 1954). The noise is a function
/// of the seed, the token's place in the text and its id alone, so neither a batch nor speculation changes what is drawn.
public struct Sampling: Sendable, Hashable {
  /// 0 takes the likeliest token.
  public var temperature: Double
  /// The smallest set of likeliest tokens whose probability reaches this is drawn from (Holtzman et al. 2020); 1: all.
  public var topP: Double
  /// Only this many of the likeliest tokens are drawn from; 0: all.
  public var topK = 0
  /// Only tokens of at least this share of the greatest probability are drawn from; 0: all.
  public var minP = 0.0
  /// Scores of tokens that stand in the text already are divided by this where positive, multiplied where negative (Keskar et al. 2019).
  /// A mixture's scores are log-probabilities, all negative; a model's alone are its logits.
  public var repetitionPenalty = 1.0
  /// Added to single tokens' scores.
  public var logitBias: [Int: Double] = [:]
  /// Decides the draws; those of a row depend on its own seed alone.
  public var seed: UInt64

  public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topP = topP
    self.seed = seed
  }

  /// The likeliest token, always.
  public static let greedy = Sampling()

  /// What is out of range, one sentence each.
  public var complaints: [String] {
    var found: [String] = []
    if !(temperature >= 0 && temperature.isFinite) { found.append("temperature is \(temperature); it is 0 or more") }
    if !(topP > 0 && topP <= 1) { found.append("top_p is \(topP); it is above 0 and at most 1") }
    if topK < 0 { found.append("top_k is \(topK); it is 0 (all) or more") }
    if !(minP >= 0 && minP <= 1) { found.append("min_p is \(minP); it is 0 to 1") }
    if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) { found.append("repetition_penalty is \(repetitionPenalty); it is above 0") }
    for (id, value) in logitBias.sorted(by: { $0.key < $1.key }) where value.isNaN { found.append("the logit bias of \(id) is no number") }
    return found
  }

  /// The same for the engine. `seen`: ids of the text so far, each once; `position`: the place of the token that is chosen.
  func choice(seen: [Int], position: Int) -> Choice {
    var choice = Choice()
    (choice.temperature, choice.topP, choice.minP, choice.topK, choice.penalty) = (temperature, topP, minP, topK, repetitionPenalty)
    if repetitionPenalty != 1 { choice.seen = seen }
    choice.biases = logitBias.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    var stream = CounterGenerator(seed: seed, "sampling")
    choice.key = stream.next()
    choice.position = position
    return choice
  }

  /// Uniform in [0, 1): decides about the proposal for a place, and draws there where it is turned down.
  func uniforms(position: Int) -> (accept: Double, draw: Double) {
    var stream = CounterGenerator(seed: seed, "acceptance", position)
    return (stream.unit(), stream.unit())
  }
}
