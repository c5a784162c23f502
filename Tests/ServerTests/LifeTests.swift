import HoldfastBasics
import HoldfastDecoding
import HoldfastServer
import NIOCore
import Testing

extension ServerTests {
  @Suite("Clients that leave and servers that end") struct LifeTests {
    /// Reads up to the first token.
    private func begin(_ inbound: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) async throws -> String {
      var text = ""
      while !text.contains("\"finish_reason\":null"), let part = try await inbound.next() { text += String(buffer: part) }
      return text
    }

    private func body(_ tokens: Int, _ more: JSONObject = [:]) -> [UInt8] {
      var body: JSONObject = ["prompt": "a", "max_tokens": .integer(tokens), "stream": true]
      for (key, value) in more.members { body[key] = value }
      return Array(JSON.object(body).text().utf8)
    }

    @Test func whoLeavesFreesARow() async throws {
      var setting = Toy.Setting(rows: 1, context: 200_000)
      setting.limits.tokens = 150_000
      try await Toy.serve(setting) { scene async throws in
        for (i, isStreaming) in [true, false].enumerated() {
          let request = scene.client.request("POST", "/v1/completions", body(150_000, ["stream": .bool(isStreaming)]))
          try await scene.client.open(request) { inbound in
            var iterator = inbound.makeAsyncIterator()
            if isStreaming { _ = try await begin(&iterator) } else { try await eventually("it runs") { scene.engine.facts.running > 0 } }
          }
          // The only row: somebody else gets it long before those tokens are made.
          #expect(try await scene.client.post("/v1/completions", ["prompt": "b", "max_tokens": 5]).status == 200)
          try await eventually("nothing runs") { scene.engine.facts.running == 0 }
          try await eventually("it is counted") { try await scene.client.get("/metrics").body.contains("holdfast_disconnects_total \(i + 1)\n") }
        }
        let facts = scene.engine.facts
        #expect(facts.waiting == 0 && facts.counts!.tokens < 150_000)
      }
    }

    @Test func whoLeavesTheQueueIsForgotten() async throws {
      try await Toy.serve { scene async throws in
        scene.engine.hold(true)
        try await scene.client.open(scene.client.request("POST", "/v1/completions", body(5))) { _ in
          try await eventually("it waits") { scene.engine.facts.waiting > 0 }
        }
        try await eventually("nobody waits") { scene.engine.facts.waiting == 0 }
        scene.engine.hold(false)
        #expect(scene.engine.facts.counts?.tokens == 0)
      }
    }

    @Test func aSlowReaderHoldsNobody() async throws {
      try await Toy.serve(.init(rows: 1)) { scene async throws in
        // More than the sockets between hold, and nobody reads it.
        let request = scene.client.request("POST", "/v1/completions", body(4000, ["logprobs": 20]))
        try await scene.client.open(request) { inbound in
          try await eventually("it runs") { scene.engine.facts.running > 0 }
          #expect(try await scene.client.post("/v1/completions", ["prompt": "b", "max_tokens": 5]).status == 200)
          try await eventually("nothing runs") { scene.engine.facts.running == 0 }
          #expect(scene.engine.facts.counts!.tokens == 4005)
          var text = ""
          for try await part in inbound { text += String(buffer: part) }
          #expect(text.contains("data: [DONE]"))
        }
      }
    }

    @Test func endingFinishesWhatRunsAndRefusesTheRest() async throws {
      try await Toy.serve(.init(rows: 1)) { scene async throws in
        let running = scene.client.request("POST", "/v1/completions", body(3000)), waiting = scene.client.request("POST", "/v1/completions", body(5))
        try await scene.client.open(running) { inbound in
          var iterator = inbound.makeAsyncIterator()
          var first = try await begin(&iterator)
          async let refused = scene.client.open(waiting) { inbound in
            var text = ""
            for try await part in inbound { text += String(buffer: part) }
            return text
          }
          try await eventually("one waits") { scene.engine.facts.waiting > 0 || scene.engine.facts.running == 0 }
          await scene.running.shutDown()
          let answer = try await refused
          #expect(answer.contains("shutting_down"), "\(answer)")
          while let part = try await iterator.next() { first += String(buffer: part) }
          #expect(first.contains("\"finish_reason\":\"length\"") && first.contains("data: [DONE]"))
        }
        try await scene.running.ended()
        await #expect(throws: (any Error).self) { try await scene.client.get("/health") }
      }
    }

    @Test func aRequestOfWhichAPartRunsIsFinishedWhole() async throws {
      try await Toy.serve(.init(rows: 2)) { scene async throws in
        try await scene.client.open(scene.client.request("POST", "/v1/completions", body(500, ["n": 5]))) { inbound in
          var iterator = inbound.makeAsyncIterator()
          var text = try await begin(&iterator)
          await scene.running.shutDown()
          while let part = try await iterator.next() { text += String(buffer: part) }
          #expect(text.contains("data: [DONE]"))
          for i in 0..<5 { #expect(text.contains("{\"index\":\(i),\"text\":") && !text.contains("shutting_down"), "\(i)") }
          #expect(text.split(separator: "\"finish_reason\":\"length\"").count == 6)
        }
      }
    }

    @Test func nothingIsLeftBehind() async throws {
      try await Toy.serve(.init(isEmulated: true)) { scene async throws in
        func ask(_ more: JSONObject) async throws {
          var body: JSONObject = ["prompt": "the heron", "max_tokens": 8]
          for (key, value) in more.members { body[key] = value }
          #expect(try await scene.client.post("/v1/completions", .object(body)).status == 200)
        }
        func live() async throws -> Int {
          try await eventually("nothing runs") { scene.engine.facts.running == 0 }
          return scene.engine.facts.liveTensors
        }
        try await ask(["n": 4])
        let before = try await live()
        for _ in 0..<5 {
          try await ask(["n": 6, "stream": true])
          try await ask(["echo": true, "logprobs": 2])
          try await ask(["beta": 0.5])
        }
        #expect(try await live() == before && before > 0)
      }
    }
  }
}
