internal import HTTPTypes
internal import HoldfastBasics
internal import Hummingbird
#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

public enum ServerKey {
  /// 256 random bits.
  public static func generated() -> String {
    var random = SystemRandomNumberGenerator()
    return "hf-" + (0..<4).map { _ in
      let word = String(random.next(), radix: 16)
      return String(repeating: "0", count: 16 - word.count) + word
    }.joined()
  }

  /// Whether two keys are the same; the time tells nothing but the length of what was given.
  static func isSame(_ given: some Collection<UInt8>, _ key: [UInt8]) -> Bool {
    var difference = given.count ^ key.count, place = 0
    for byte in given {
      difference |= Int(byte ^ key[place])
      place += 1
      if place == key.count { place = 0 }
    }
    return difference == 0
  }
}

/// Lets in who brings the key: as a bearer token, or as the password of a browser's own question (any user name).
///
/// Without a key, what a page of another site makes a browser send is kept out: the Host must be this machine's.
struct Access<Context: RequestContext>: RouterMiddleware {
  private let key: [UInt8]?

  init(key: String?) { self.key = key.map { Array($0.utf8) } }

  func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
    guard let key else {
      guard ServerConfiguration.isLoopback(host(request.head.authority ?? "localhost")) else {
        throw APIError(status: .forbidden, message: "this server has no key and answers only to names of this machine", type: "authentication_error")
      }
      return try await next(request, context)
    }
    guard let given = credential(request.headers[.authorization]), ServerKey.isSame(given, key) else { throw APIError.noKey }
    return try await next(request, context)
  }

  /// Without the port; empty where it is no host at all.
  private func host(_ authority: String) -> Substring {
    guard authority.hasPrefix("[") else { return authority.prefix { $0 != ":" } }
    let address = authority.dropFirst().prefix { $0 != "]" }, rest = authority.dropFirst(address.count + 2)
    return rest.isEmpty || rest.hasPrefix(":") ? address : ""
  }

  private func credential(_ header: String?) -> [UInt8]? {
    guard let parts = header?.split(separator: " ", maxSplits: 1), parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "bearer": return Array(parts[1].utf8)
    case "basic":
      guard let data = Data(base64Encoded: String(parts[1])), let colon = data.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      return Array(data[data.index(after: colon)...])
    default: return nil
    }
  }
}

/// Whatever is thrown is answered in the form that clients read.
struct Refusals<Context: RequestContext>: RouterMiddleware {
  let metrics: ServerMetrics

  func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
    do { return try await next(request, context) } catch is CancellationError {
      // Nobody is there to read it.
      return Response(status: .internalServerError)
    } catch {
      let refusal = APIError(error)
      metrics.count(refused: refusal)
      return refusal.response
    }
  }
}
