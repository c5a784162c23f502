public import HoldfastBasics

/// How a run ended when it was last at work: `outcome.json` in its folder.
///
/// While a run works there is none, and a kill leaves none either.
public struct RunOutcome: Sendable, Hashable {
  public enum End: String, Sendable, CaseIterable { case finished, stoppedEarly = "stopped early", interrupted, failed }

  public let end: End
  /// Steps of the whole run.
  public let planned: Int
  /// Why it stopped before them, in words; nil where nothing more is to be said.
  public let reason: String?

  public init(_ end: End, planned: Int, reason: String? = nil) {
    self.end = end
    self.planned = planned
    self.reason = reason
  }

  /// The record as an object.
  public var json: JSON {
    var object: JSONObject = ["format": 1, "end": .string(end.rawValue), "planned": .integer(planned)]
    if let reason { object["reason"] = .string(reason) }
    return .object(object)
  }

  /// Reads `outcome.json`; nil where there is none. Throws every member that is missing or of another kind.
  public init?(file path: String) throws {
    guard Files.exists(path) else { return nil }
    var reader = FactReader(try JSON(Files.read(path)), subject: path)
    let word = reader.string("end")
    planned = reader.int("planned")
    reason = reader.optionalString("reason")
    if let known = End(rawValue: word) {
      end = known
    } else {
      end = .failed
      reader.complain("end is \(word), which this Holdfast does not know")
    }
    try reader.problems.check()
  }

  /// Writes the whole file or none of it.
  public func write(to path: String) throws(FileError) { try Files.writeAtomically(json.text() + "\n", to: path) }
}
