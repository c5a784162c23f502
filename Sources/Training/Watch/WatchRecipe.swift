public import HoldfastBasics
public import HoldfastDatasets
internal import HoldfastRecords

/// Looking at what is learned and what is kept while the run goes on.
public struct WatchRecipe: Sendable, Hashable {
  public enum Keep: String, KeyChoice, Sendable { case best, none }

  /// How often.
  public enum Every: Sendable, Hashable {
    /// So that it takes the stated share of the run's time.
    case auto
    case steps(Int)
  }

  public let general, domain: [DataSource]
  /// Of each of the two at most.
  public let items: Int
  public let every: Every
  /// Of the run's time; nil where `every` says how often.
  public let share: Double?
  public let keep: Keep
  public let tradeOff: Double
  /// nats a label; nil: none.
  public let forgettingBudget: Double?

  init(_ reader: KeyReader) {
    general = reader.list("general", shorthand: "path", required: true, DataSource.init)
    domain = reader.list("domain", shorthand: "path", required: true, DataSource.init)
    items = reader.value(
      "items", default: 64, in: 1..., unit: "examples", doc: "At most so many of `general`, and of `domain`, are measured; always the same ones.")
    let every = reader.value(
      "every", default: Every.auto,
      doc: "How often: after so many steps, or `auto`, as often as `share` allows, which the clock decides. Measured before the first step and after the last in any case.")
    self.every = every
    let share = reader.when(every == .auto, "is read only with every: auto") {
      $0.value("share", default: 0.03, in: Above(0.0, below: 1), unit: "share of the run's time", doc: "What measuring, and saving what it found best, may take.")
    }
    self.share = every == .auto ? share : nil
    keep = reader.value(
      "keep", default: .best, doc: "`best`: `final/` holds the weights of the best point, whose checkpoint is kept; `none`: those of the last step.")
    tradeOff = reader.value(
      "trade_off", default: 0.5, in: 0...1, doc: "Weight of what is kept; of what is learned the rest. The best point has the greatest (1 − trade_off) · fall of the domain loss − trade_off · rise of the general loss.")
    forgettingBudget = reader.optional(
      "forgetting_budget", in: Above(0.0), otherwise: "none", unit: "nats a label", doc: "The run stops where the general loss has risen by more than this; what is over it is never the best.")
  }

  var rule: WatchRule { WatchRule(tradeOff: tradeOff, forgettingBudget: forgettingBudget) }
}

extension WatchRecipe.Every: KeyValue {
  public static var kindOfValue: String { "auto, or a whole number at least 1" }
  public static var placeholder: Self { .auto }

  public init?(key json: JSON) {
    if json == "auto" {
      self = .auto
    } else if let steps = Int(key: json), steps >= 1 {
      self = .steps(steps)
    } else {
      return nil
    }
  }

  public var json: JSON {
    switch self {
    case .auto: "auto"
    case .steps(let count): .integer(count)
    }
  }
}
