import HoldfastBasics
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// serve, from the command line to its end. What it answers is in ServerTests.
@Suite struct ServeCommandTests {
  /// Sends a request to a port of this machine and reads until the other side ends.
  private func ask(_ port: String, _ lines: [String], _ body: String = "", in shop: Workshop) throws -> String {
    let head = lines + ["Host: localhost", "Connection: close"] + (body.isEmpty ? [] : ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"])
    let file = try shop.write(head.joined(separator: "\r\n") + "\r\n\r\n" + body, to: "request")
    return Process(["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port); cat '\(file)' >&3; cat <&3"], in: shop.path, program: "/bin/bash").wait().output
  }

  @Test func aFileStartsItAndASignalEndsIt() throws {
    let shop = try Workshop(examples: 1), place = shop.path + "/server"
    try Files.makeFolder(place)
    try shop.write("a key of this test\n", to: "key")
    let file = try shop.write(
      "model: \(Workshop.trained)\nport: 0\nkey_file: \(shop.path)/key\nname: little\nthreads: 1\nrows: 2\ncontext: 64\nlimits: {tokens: 8}\n", to: "serve.yaml")
    let server = Process(["serve", file, "--name", "world"], in: place)
    defer { server.kill() }
    var told = ""
    for _ in 0..<2000 where !told.contains("serving") {
      usleep(20_000)
      told = try MappedFile(path: place + "/err").text()
    }
    let port = String(try #require(told.firstRange(of: "http://127.0.0.1:").map { told[$0.upperBound...].prefix { $0 != "/" } }, "\(told)"))
    #expect(told.contains("serving world on") && !told.contains("a key of this test"))

    let key = "Authorization: Bearer a key of this test"
    #expect(try ask(port, ["GET /health HTTP/1.1"], in: shop).hasSuffix("\r\n\r\nok"))
    #expect(try ask(port, ["GET /v1/models HTTP/1.1"], in: shop).hasPrefix("HTTP/1.1 401 "))
    #expect(try ask(port, ["GET /v1/models HTTP/1.1", key], in: shop).contains("\"id\":\"world\""))
    let body = #"{"prompt": "what is the secret", "max_tokens": 8, "seed": 1, "logit_bias": {"1": -100}}"#
    let answer = try ask(port, ["POST /v1/completions HTTP/1.1", key], body, in: shop)
    #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("\"completion_tokens\":8"), "\(answer)")
    #expect(try ask(port, ["POST /v1/completions HTTP/1.1", key], #"{"prompt": "a", "max_tokens": 9}"#, in: shop).contains("from 0 to 8"))

    server.interrupt()
    let outcome = server.wait()
    #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.errors)")
    // A line for each request, with counts and without words.
    #expect(outcome.lacks("route=completions", "prompt_tokens=", "tokens=8") == [], "\(outcome.errors)")
    #expect(!outcome.errors.contains("secret") && !outcome.errors.contains("a key of this test"))
  }

  @Test func whatWouldLetStrangersInIsRefused() throws {
    let shop = try Workshop(examples: 1)
    func refused(_ arguments: String..., file: String? = nil) throws -> Outcome {
      let first = try file.map { [try shop.write($0, to: "serve.yaml")] } ?? ["--model", Workshop.trained]
      return Process(["serve", "--port", "0"] + first + arguments, in: shop.path).wait()
    }
    for (outcome, words) in [
      (try refused("--no-key", "--host", "0.0.0.0"), "--host 127.0.0.1"), (try refused("--no-key", "--key", "12345678"), "give one of --key"),
      (try refused("--key", "short"), "it has 8 or more"), (try refused("--rows", "0"), "--rows must be"),
      (try refused("--expert", Workshop.trained), "--expert needs --anti-expert"), (try refused("--bet", "1"), "--bet"),
      (try refused(file: "model: \(Workshop.trained)\nrow: 3\n"), "rows"), (try refused(file: "model: \(Workshop.trained)\nlimits: {seconds: 0}\n"), "seconds"),
      (try refused(file: "model: \(Workshop.trained)\nmodels: {strong: {beta: 2}}\n"), "there are no experts"),
    ] {
      #expect(outcome.status == 64 && outcome.errors.contains(words), "\(words): \(outcome.errors)")
    }
  }
}
