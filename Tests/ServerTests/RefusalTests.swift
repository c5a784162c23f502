import HoldfastBasics
import HoldfastServer
import NIOCore
import Testing

extension ServerTests {
  @Suite("What a server refuses") struct RefusalTests {
    @Test func whatIsWrongIsNamedAllAtOnce() async throws {
      var setting = Toy.Setting(isEmulated: true, context: 100)
      setting.limits.bodyBytes = 20_000
      try await Toy.serve(setting) { scene async throws in
        let text: JSONObject = ["prompt": "a"], chat: JSONObject = ["messages": [["role": "user", "content": "a"]]]
        let cases: [(isChat: Bool, more: JSONObject, status: Int, parameter: JSON, words: [String])] = [
          (false, ["temprature": 1], 400, "temprature", ["no field", "did you mean temperature?"]),
          (false, ["temperature": -1, "top_p": 2, "n": 0], 400, "n", ["temperature is a number", "top_p", "n is a whole number from 1 to 8"]),
          (false, ["model": "gpt"], 404, "model", ["no model \"gpt\"", "toy, off, strong"]),
          (false, ["prompt": nil], 400, "prompt", ["prompt is missing"]),
          (false, ["prompt": []], 400, "prompt", ["a list of 1 to 64"]),
          (false, ["prompt": ""], 400, "prompt", ["empty"]),
          (false, ["prompt": [1, 999_999]], 400, "prompt", ["ids below"]),
          (false, ["prompt": [1, -1]], 400, "prompt", ["ids below"]),
          (false, ["prompt": [1, "a"]], 400, "prompt", ["ids below"]),
          (false, ["prompt": .array(Array(repeating: "a", count: 65))], 400, "prompt", ["1 to 64"]),
          (false, ["n": 8, "prompt": .array(Array(repeating: "a", count: 9))], 400, "n", ["more than 64"]),
          (false, ["max_tokens": 0], 400, "max_tokens", ["echo: true"]),
          (false, ["max_tokens": 5000], 400, "max_tokens", ["0 to 4096"]),
          (false, ["max_tokens": 100], 400, "prompt", ["the context holds 100 tokens", "100 are asked for"]),
          (false, ["stop": ["", "a"]], 400, "stop", ["1 to 256 bytes"]),
          (false, ["stop": .array(Array(repeating: "x", count: 17))], 400, "stop", ["at most 16"]),
          (false, ["stop": .string(String(repeating: "x", count: 257))], 400, "stop", ["256"]),
          (false, ["logit_bias": ["-1": 1]], 400, "logit_bias", ["\"-1\""]),
          (false, ["logit_bias": ["1": 1000]], 400, "logit_bias", ["from -100 to 100"]),
          (false, ["presence_penalty": 0.5], 400, "presence_penalty", ["repetition_penalty is"]),
          (false, ["suffix": "x"], 400, "suffix", ["not supported"]),
          (false, ["stream_options": ["include_usage": true]], 400, "stream_options", ["belongs to stream"]),
          (false, ["beta": -1], 400, "beta", ["allow_negative"]),
          (false, ["weights": [1]], 400, "weights", ["1 weights for 2 experts"]),
          (false, ["weights": [0.9, 0.9]], 400, "weights", ["add up to 1.8"]),
          (false, ["weights": ["who": 1]], 400, "weights", ["kind, terse"]),
          (false, ["weights": [0.5, "a"]], 400, "weights", ["by name"]),
          (false, ["mode": "delta"], 400, "mode", ["one expert"]),
          (true, ["messages": []], 400, "messages", ["list of messages"]),
          (true, ["messages": [["role": "user"]]], 400, "messages", ["{role, content}"]),
          (true, ["messages": [["role": "user", "content": [["type": "image_url", "image_url": "x"]]]]], 400, "messages", ["text as content"]),
          (true, ["tools": [["type": "function"]]], 400, "tools", ["not supported"]),
          (true, ["response_format": ["type": "json_object"]], 400, "response_format", ["beyond text"]),
          (true, ["top_logprobs": 2], 400, "top_logprobs", ["logprobs: true"]),
          (true, ["logprobs": true, "top_logprobs": 21], 400, "top_logprobs", ["0 to 20"]),
        ]
        for (isChat, more, status, parameter, words) in cases {
          var body = isChat ? chat : text
          for (key, value) in more.members { body[key] = value }
          let reply = try await scene.client.post(isChat ? "/v1/chat/completions" : "/v1/completions", .object(body))
          #expect(reply.status == status, "\(more): \(reply.body)")
          #expect(reply.json["error"]?["param"] == parameter && reply.json["error"]?["type"] == "invalid_request_error", "\(reply.body)")
          for word in words { #expect(reply.message.contains(word), "\(reply.message)") }
        }
        // What changes nothing is let pass.
        let harmless: JSONObject = ["user": "me", "metadata": ["a": "b"], "presence_penalty": 0, "frequency_penalty": 0.0, "tools": [], "max_tokens": 1]
        var body = chat
        for (key, value) in harmless.members { body[key] = value }
        #expect(try await scene.client.post("/v1/chat/completions", .object(body)).status == 200)
        for (bytes, words) in [("", "ends where a value"), ("{\"a\":", "ends where"), ("[]", "not a JSON object"), ("{\"a\":1,\"a\":2}", "twice"), ("\u{FF}", "no value")] {
          let reply = try await scene.client.ask("POST", "/v1/completions", Array(bytes.utf8))
          #expect(reply.status == 400 && reply.message.contains(words), "\(reply.body)")
        }
        let form = try await scene.client.ask("POST", "/v1/completions", Array("{\"prompt\":\"a\"}".utf8), headers: ["Content-Type": "text/plain"])
        #expect(form.status == 415)
        #expect(try await scene.client.get("/v1/nothing").status == 404)
      }
    }

    @Test func aLargeBodyIsRefusedBeforeItIsRead() async throws {
      var setting = Toy.Setting()
      setting.limits.bodyBytes = 1000
      try await Toy.serve(setting) { scene async throws in
        let body = Array("{\"prompt\":\"\(String(repeating: "a", count: 990))\"}".utf8)
        #expect(try await scene.client.ask("POST", "/v1/completions", body).status == 413)
        // Only announced: the answer comes though nothing was sent.
        let announced = try await scene.client.open(scene.client.request("POST", "/v1/completions", nil, headers: [
          "Content-Type": "application/json", "Content-Length": "1000000000",
        ])) { inbound in
          var text = ""
          for try await part in inbound { text += String(buffer: part) }
          return text
        }
        #expect(announced.hasPrefix("HTTP/1.1 413 ") && announced.contains("at most 1000 bytes"))
        // In pieces of unknown length.
        let pieces = try await scene.client.open(scene.client.request("POST", "/v1/completions", nil, headers: [
          "Content-Type": "application/json", "Transfer-Encoding": "chunked",
        ]) + Array("7D0\r\n".utf8) + Array(repeating: 97, count: 2000)) { inbound in
          var text = ""
          for try await part in inbound { text += String(buffer: part) }
          return text
        }
        #expect(pieces.hasPrefix("HTTP/1.1 413 "))
      }
    }

    @Test func aFullQueueSaysWhenToComeAgain() async throws {
      var setting = Toy.Setting(rows: 1)
      setting.limits.queue = 1
      try await Toy.serve(setting) { scene async throws in
        scene.engine.hold(true)
        let body: JSON = ["prompt": "a", "max_tokens": 3]
        try await withThrowingTaskGroup(of: Int.self) { group in
          for _ in 0..<2 { group.addTask { try await scene.client.post("/v1/completions", body).status } }
          try await eventually("two wait") { scene.engine.facts.waiting == 2 }
          let refused = try await scene.client.post("/v1/completions", body)
          #expect(refused.status == 429 && refused.headers["retry-after"] == "1" && refused.json["error"]?["code"] == "queue_full")
          // A request is taken whole or not at all.
          #expect(try await scene.client.post("/v1/completions", ["prompt": "a", "n": 2]).status == 429)
          #expect(try await scene.client.post("/v1/completions", ["prompt": "a", "n": 3]).message.contains("never fits"))
          scene.engine.hold(false)
          for try await status in group { #expect(status == 200) }
        }
        #expect(try await scene.client.post("/v1/completions", body).status == 200)
        #expect(try await scene.client.get("/metrics").body.contains("holdfast_refusals_total{status=\"429\"} 2\n"))
      }
    }

    @Test func timeRunsOut() async throws {
      var setting = Toy.Setting()
      setting.limits.seconds = 0.3
      try await Toy.serve(setting) { scene async throws in
        scene.engine.hold(true)
        let whole = try await scene.client.post("/v1/completions", ["prompt": "a"])
        #expect(whole.status == 504 && whole.json["error"]?["code"] == "timeout")
        let streamed = try await scene.client.post("/v1/completions", ["prompt": "a", "stream": true])
        #expect(streamed.status == 200 && streamed.pieces.last?["error"]?["code"] == "timeout" && streamed.events.last != "[DONE]")
        scene.engine.hold(false)
        try await eventually("nothing is left") { scene.engine.facts.waiting + scene.engine.facts.running == 0 }
      }
    }

    @Test func mutatedBodiesNeverCrash() async throws {
      try await Toy.serve(.init(isEmulated: true, context: 64)) { scene async throws in
        let seeds: [JSON] = [
          ["prompt": ["a", "b"], "max_tokens": 3, "n": 2, "stop": ["x"], "logprobs": 2, "echo": true, "logit_bias": ["5": 1.5], "seed": 3],
          ["prompt": [1, 2, 3], "stream": true, "stream_options": ["include_usage": true], "beta": 0.5, "weights": [0.5, 0.5], "mixture": true],
          ["messages": [["role": "user", "content": "hi"]], "max_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "logprobs": true, "top_logprobs": 1],
        ]
        let values: [JSON] = [
          .null, true, 0, -1, 1, 1e300, -0.5, .integer(.max), .integer(.min), "", "a", "\u{0}", "é\u{301}👩‍👩‍👧", [], [[]], [nil], [:], ["a": [1]], [1, "a"], .string(String(repeating: "z", count: 300)),
        ]
        var stream = CounterGenerator(seed: 9, "bodies"), statuses: [Int: Int] = [:]
        for i in 0..<600 {
          var bytes: [UInt8]
          guard case .object(var object) = seeds[i % 3] else { continue }
          for _ in 0..<stream.below(3) { object[object.keys[stream.below(object.keys.count)]] = values[stream.below(values.count)] }
          bytes = Array(JSON.object(object).text().utf8)
          if i % 5 == 0 { for _ in 0...stream.below(4) { bytes[stream.below(bytes.count)] = UInt8(stream.below(256)) } }
          if i % 7 == 0 { bytes.removeLast(stream.below(bytes.count)) }
          let reply = try await scene.client.ask("POST", i % 3 == 2 ? "/v1/chat/completions" : "/v1/completions", bytes)
          statuses[reply.status, default: 0] += 1
          #expect([200, 400, 404].contains(reply.status), "\(String(decoding: bytes, as: UTF8.self)) \(reply.body)")
        }
        #expect(statuses[200, default: 0] > 50 && statuses[400, default: 0] > 100, "\(statuses)")
        // Nor heads that are none.
        for head in ["GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "POST /v1/completions HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n"] {
          _ = try? await scene.client.open(Array(head.utf8)) { inbound in for try await _ in inbound { break } }
        }
        #expect(try await scene.client.get("/health").body == "ok")
      }
    }
  }
}
