import Testing

/// One at a time: each test has a server, an engine and libtorch's threads of its own.
@Suite("The server", .serialized, .timeLimit(.minutes(10))) struct ServerTests {}

struct NeverCame: Error, CustomStringConvertible {
  let description: String
}

/// Waits for something without taking the processor from it.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(120)
  while !(try await isTrue()) {
    guard ContinuousClock.now < end else { throw NeverCame(description: "never came: \(what)") }
    try await Task.sleep(for: .milliseconds(2))
  }
}
