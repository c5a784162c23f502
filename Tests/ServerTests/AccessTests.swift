import HoldfastBasics
import HoldfastServer
import Testing

extension ServerTests {
  @Suite("Who may ask") struct AccessTests {
    @Test func everyRouteIsBehindTheKeyButHealth() async throws {
      try await Toy.serve { scene async throws in
        let routes = scene.server.routes
        #expect(routes.map { "\($0.method) \($0.path)" }.sorted() == [
          "GET /", "GET /health", "GET /metrics", "GET /v1/models", "POST /v1/chat/completions", "POST /v1/completions",
        ])
        for route in routes + [("GET", "/no/such/route"), ("DELETE", "/v1/models")] {
          let body: [UInt8]? = route.method == "POST" ? Array("{}".utf8) : nil, isOpen = route.path == "/health"
          for wrong in [nil, "", "a key for test", "a key for tests and more", "A key for tests", "a key for testsa key for tests"] as [String?] {
            var stranger = scene.client
            stranger.key = wrong
            let reply = try await stranger.ask(route.method, route.path, body)
            #expect(reply.status == (isOpen ? 200 : 401), "\(route) with \(wrong ?? "no key")")
            if !isOpen { #expect(reply.json["error"]?["code"] == "invalid_api_key") }
            if isOpen { #expect(reply.body == "ok") }
          }
          #expect(try await scene.client.ask(route.method, route.path, body).status != 401, "\(route)")
        }
        // A browser's own question: any user, the key as password.
        var browser = scene.client
        browser.key = nil
        #expect(try await browser.get("/", headers: ["Authorization": "Basic bWU6YSBrZXkgZm9yIHRlc3Rz"]).status == 200)
        #expect(try await browser.get("/", headers: ["Authorization": "Basic bWU6YSBrZXkgZm9yIHRlc3Q="]).status == 401)
        #expect(try await browser.get("/").headers["www-authenticate"]?.hasPrefix("Basic ") == true)
      }
    }

    @Test func withoutAKeyOnlyNamesOfThisMachineAreAnswered() async throws {
      try await Toy.serve(.init(key: nil)) { scene async throws in
        #expect(try await scene.client.get("/v1/models").status == 200)
        #expect(try await scene.client.get("/v1/models", headers: ["Host": "127.0.0.1:8080"]).status == 200)
        #expect(try await scene.client.get("/v1/models", headers: ["Host": "[::1]:8080"]).status == 200)
        for name in ["evil.example", "127.evil.example", "127.0.0.1.evil.example:80", "127.0.0.256", "localhost.evil.example", "[::1].evil.example"] {
          #expect(try await scene.client.get("/v1/models", headers: ["Host": name]).status == 403, "\(name)")
        }
      }
    }

    @Test func withoutAKeyNobodyElseIsListenedTo() async throws {
      for (host, key) in [("0.0.0.0", nil), ("192.168.1.2", nil), ("127.0.0.1", "short")] as [(String, String?)] {
        await #expect(throws: Problems.self) {
          try await Toy.serve { scene async throws in
            var configuration = ServerConfiguration(clock: { 0 }, seed: { 0 })
            (configuration.host, configuration.key) = (host, key)
            _ = try HTTPServer(configuration, scene.server.model, scene.engine, logs: false)
          }
        }
      }
      #expect(ServerKey.generated() != ServerKey.generated() && ServerKey.generated().utf8.count == 67)
    }
  }
}
