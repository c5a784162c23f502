public import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The learning rate of every step, a pure function of the step's number.
///
/// Warm-up and decay follow transformers' `get_*_schedule_with_warmup` (5.17): of `w` warm-up steps, step k
/// has rate peak × k / w, so the first step has rate 0; afterwards cosine and linear fall from the peak
/// towards the floor, which step `total` (one past the last) would have.
public struct Schedule: Sendable, Hashable {
  public enum Kind: String, KeyChoice {
    case constant, linear, cosine
    case warmupStableDecay = "warmup_stable_decay"
  }

  public let kind: Kind
  /// The highest rate.
  public let peak: Double
  public let warmup: Extent
  /// Length of the fall at the end; `warmup_stable_decay` only.
  public let decay: Extent
  /// The lowest rate after warm-up, as a share of the peak.
  public let floor: Double

  public init(
    _ kind: Kind, peak: Double, warmup: Extent = .steps(0), decay: Extent = .share(0.1), floor: Double = 0
  ) {
    self.kind = kind
    self.peak = peak
    self.warmup = warmup
    self.decay = decay
    self.floor = floor
  }

  init(_ reader: KeyReader, peak: Double) {
    let kind = reader.value("kind", default: Kind.cosine, doc: "How the rate runs after warm-up.")
    let warmup = reader.value(
      "warmup", default: Extent.steps(0),
      doc: "The rate rises from 0 to `learning_rate` over these first steps.")
    let decay = reader.when(kind == .warmupStableDecay, "is read only with kind: warmup_stable_decay") {
      $0.value(
        "decay", default: Extent.share(0.1),
        doc: "The rate falls over these last steps; only with `kind: warmup_stable_decay`.")
    }
    let floor = reader.when(kind != .constant, "is not read with kind: constant") {
      $0.value("floor", default: 0.0, in: 0...1, unit: "share of `learning_rate`", doc: "Where the rate falls to.")
    }
    self.init(kind, peak: peak, warmup: warmup, decay: decay, floor: floor)
  }

  /// The learning rate of a step, counted from 0, in a run of `total` steps.
  public func rate(step: Int, of total: Int) -> Double {
    let warm = warmup.steps(of: total)
    if step < warm { return peak * Double(step) / Double(warm) }
    let share: Double
    switch kind {
    case .constant: return peak
    case .linear: share = 1 - progress(step, from: warm, to: total)
    case .cosine: share = (1 + cos(.pi * progress(step, from: warm, to: total))) / 2
    case .warmupStableDecay:
      share = 1 - progress(step, from: max(warm, total - decay.steps(of: total)), to: total)
    }
    return peak * (floor + (1 - floor) * share)
  }

  private func progress(_ step: Int, from start: Int, to end: Int) -> Double {
    min(1, max(0, Double(step - start) / Double(max(1, end - start))))
  }
}

/// A number of steps, or a share of all.
public enum Extent: Sendable, Hashable, KeyValue {
  case steps(Int)
  /// Below 1; rounded up to whole steps, as transformers does.
  case share(Double)

  public func steps(of total: Int) -> Int {
    switch self {
    case .steps(let count): min(count, total)
    case .share(let share): min(total, Int((share * Double(total)).rounded(.up)))
    }
  }

  public static var kindOfValue: String { "a share below 1 or a whole number of steps" }
  public static var placeholder: Extent { .steps(0) }
  public init?(key json: JSON) {
    switch json {
    case .integer(let count) where count >= 0: self = .steps(count)
    case .number(let share) where (0..<1).contains(share): self = .share(share)
    default: return nil
    }
  }
  public var json: JSON {
    switch self {
    case .steps(let count): .integer(count)
    case .share(let share): .number(share)
    }
  }
}
