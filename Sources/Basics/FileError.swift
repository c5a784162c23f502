#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What the file system refused: which file, doing what, why, and the likely cure.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  public let path: String
  /// What was being done, as in "cannot … PATH".
  public let doing: String
  /// errno; 0 where the system gave none.
  public let code: Int32
  public let reason: String

  public init(path: String, doing: String, code: Int32, reason: String? = nil) {
    self.path = path
    self.doing = doing
    self.code = code
    self.reason = reason ?? String(cString: strerror(code))
  }

  public var description: String {
    let cure =
      switch code {
      case ENOSPC, EDQUOT: "; free some space and run again: nothing that was complete is lost"
      case EACCES, EPERM: "; check who may read and write there"
      case ENOENT: "; check the path"
      default: ""
      }
    return "cannot \(doing) \(path): \(reason)\(cure)"
  }
}
