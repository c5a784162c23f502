/// What libtorch, its shim or the machine refused.
public struct EngineError: Error, Sendable, CustomStringConvertible {
  /// What happened, in words, with the likely cure where one is known.
  public let reason: String

  public init(_ reason: String) { self.reason = reason }

  public var description: String { reason }
}
