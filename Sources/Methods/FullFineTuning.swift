public import HoldfastBasics
public import HoldfastTraining

/// Every parameter trains: what all other methods are compared with.
public struct FullFineTuning: TuningMethod {
  public static let name = "full"
  public static let summary = "Every parameter trains."

  public init() {}
  public init(_ reader: KeyReader) {}

  public func begin(_ stage: StageFacts) -> any ActiveMethod { Active() }

  private final class Active: ActiveMethod {}
}
