/// Several tokens a step: the experts (or a draft model) propose a block, and the large models read it at once (Leviathan et al. 2023;
/// coupling by common noise after Mitchell et al. 2023).
public struct Speculation: Sendable, Hashable {
  public enum Scheme: String, Sendable, CaseIterable {
    /// Proposal and choice are drawn with the same noise: exactly the tokens that would have come without speculation.
    case coupled
    /// Proposals are accepted with the probability min(1, p / q): the same distribution, other samples, a few more accepted.
    case rejection
  }

  public var scheme: Scheme
  /// Tokens a block, or the first block's where it adapts.
  public var block: Int
  /// A block that held whole doubles the row's next one; else the next one is as long as what was emitted.
  public var isAdaptive: Bool
  public var most: Int
  /// For measurements of speed with models that know nothing: a coin of this chance decides whether a proposal holds, and the tokens mean nothing.
  public var simulatedAgreement: Double?

  public init(_ scheme: Scheme = .coupled, block: Int = 8, isAdaptive: Bool = true, most: Int = 16) {
    self.scheme = scheme
    self.block = block
    self.isAdaptive = isAdaptive
    self.most = max(most, block)
  }

  /// What is out of range, one sentence each.
  public var complaints: [String] {
    var found: [String] = []
    if block < 1 || block > 256 { found.append("the block has \(block) tokens; it has 1 to 256") }
    if let a = simulatedAgreement, !(0...1).contains(a) { found.append("the agreement is \(a); it is 0 to 1") }
    return found
  }

  func next(after block: Int, emitted: Int, heldWhole: Bool) -> Int {
    guard isAdaptive else { return block }
    return heldWhole ? min(2 * block, most) : max(1, min(emitted, most))
  }
}
