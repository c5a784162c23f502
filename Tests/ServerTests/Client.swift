import HoldfastBasics
import NIOCore
import NIOPosix

/// Speaks HTTP to a server on this machine; one connection for each request.
struct Client: Sendable {
  let port: Int
  var key: String? = Toy.key

  struct Reply {
    let status: Int
    let headers: [String: String]
    let body: String

    var json: JSON { (try? JSON(text: body)) ?? .null }
    /// The data of a stream's events.
    var events: [String] { body.split(separator: "\n\n", omittingEmptySubsequences: true).map { String($0.dropFirst("data: ".count)) } }
    /// The pieces of a stream without its end.
    var pieces: [JSON] { events.compactMap { try? JSON(text: $0) } }
    var message: String { json["error"]?["message"]?.string ?? "" }
  }

  func get(_ path: String, headers: [String: String] = [:]) async throws -> Reply { try await ask("GET", path, nil, headers: headers) }

  func post(_ path: String, _ body: JSON) async throws -> Reply { try await ask("POST", path, Array(body.text().utf8)) }

  func ask(_ method: String, _ path: String, _ body: [UInt8]?, headers: [String: String] = [:]) async throws -> Reply {
    try await open(request(method, path, body, headers: headers)) { inbound in
      var bytes: [UInt8] = []
      for try await part in inbound { bytes += part.readableBytesView }
      return reply(bytes)
    }
  }

  func request(_ method: String, _ path: String, _ body: [UInt8]?, headers: [String: String] = [:]) -> [UInt8] {
    var all = ["Host": "localhost", "Connection": "close"]
    if let key { all["Authorization"] = "Bearer \(key)" }
    if let body { all.merge(["Content-Type": "application/json", "Content-Length": String(body.count)]) { $1 } }
    all.merge(headers) { $1 }
    let head = "\(method) \(path) HTTP/1.1\r\n" + all.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
    return Array(head.utf8) + (body ?? [])
  }

  /// Sends bytes, and closes the connection once `body` is done with it.
  func open<T: Sendable>(_ bytes: [UInt8], _ body: (NIOAsyncChannelInboundStream<ByteBuffer>) async throws -> T) async throws -> T {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port) { channel in
      channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
    }
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(bytes: bytes))
      return try await body(inbound)
    }
  }

  private func reply(_ bytes: [UInt8]) -> Reply {
    let gap = Array("\r\n\r\n".utf8)
    guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: gap) }) else { return Reply(status: 0, headers: [:], body: "") }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
    }
    var body = Array(bytes[(end + 4)...])
    if headers["transfer-encoding"] == "chunked" { body = Self.joined(body) }
    return Reply(status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: headers, body: String(decoding: body, as: UTF8.self))
  }

  private static func joined(_ chunks: [UInt8]) -> [UInt8] {
    var result: [UInt8] = [], at = 0
    while let end = chunks[at...].firstIndex(of: 13), let count = Int(String(decoding: chunks[at..<end], as: UTF8.self), radix: 16), count > 0 {
      result += chunks[min(end + 2, chunks.count)..<min(end + 2 + count, chunks.count)]
      at = end + 4 + count
      if at >= chunks.count { break }
    }
    return result
  }
}
