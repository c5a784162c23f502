internal import HTTPTypes
public import HoldfastBasics
internal import HoldfastDecoding
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

/// The HTTP server over a generation engine.
public struct HTTPServer: Sendable {
  let configuration: ServerConfiguration
  let served: ServedModel
  let engine: EngineThread
  let metrics = ServerMetrics()
  let connections = Connections()
  let logger: Logger

  /// - Parameter logs: whether a line for every request goes to standard error.
  /// - Throws: `Problems` where what is asked for would let strangers in, or names do not fit together.
  public init(_ configuration: ServerConfiguration, _ served: ServedModel, _ engine: EngineThread, logs: Bool = true) throws(Problems) {
    var problems = Problems("server")
    if configuration.key == nil, !ServerConfiguration.isLoopback(configuration.host) {
      problems.add("without a key the server listens on this machine only, not on \(configuration.host); give it a key, or the host 127.0.0.1")
    }
    if let key = configuration.key, key.utf8.count < 8 { problems.add("the key has \(key.utf8.count) bytes; it has 8 or more") }
    let names = [served.name] + served.virtual.map(\.name)
    for (i, name) in names.enumerated() where names[..<i].contains(name) { problems.add("two models are called \(name)") }
    if !served.virtual.isEmpty, !served.isEmulated { problems.add("named models differ in how experts are mixed, and there are no experts") }
    for model in served.virtual {
      for complaint in model.emulation.complaints(experts: served.experts.count, hasBase: true, hasAntiExpert: served.hasAntiExpert) where served.isEmulated {
        problems.add("the model \(model.name): \(complaint)")
      }
    }
    try problems.check()
    (self.configuration, self.served, self.engine) = (configuration, served, engine)
    logger = Logger(label: "holdfast.server") { label -> any LogHandler in
      logs ? StreamLogHandler.standardError(label: label) : SwiftLogNoOpLogHandler()
    }
  }

  var router: Router<ServerContext> {
    let router = Router(context: ServerContext.self)
    router.add(middleware: Refusals(metrics: metrics))
    // The one route in front of the key.
    router.get("/health") { _, _ in Response(text: "ok", type: "text/plain") }
    router.add(middleware: Access(key: configuration.key))
    let completions = CompletionRoutes(served, configuration, engine, metrics, connections, logger)
    router.post("/v1/chat/completions") { request, context in
      metrics.count(route: "chat")
      return try await completions.answer(request, context, isChat: true)
    }
    router.post("/v1/completions") { request, context in
      metrics.count(route: "completions")
      return try await completions.answer(request, context, isChat: false)
    }
    router.get("/v1/models") { _, _ in Response(models) }
    router.get("/metrics") { _, _ in Response(text: metrics.text(engine.facts, rows: engine.rows), type: "text/plain; version=0.0.4; charset=utf-8") }
    router.get("/") { _, _ in
      var response = Response(text: ChatPage.html, type: "text/html; charset=utf-8")
      response.headers[.contentSecurityPolicy] =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
      return response
    }
    return router
  }

  private var models: JSON {
    let all = [(served.name, served.emulation)] + served.virtual.map { ($0.name, $0.emulation) }
    return [
      "object": "list",
      "data": .array(all.map { name, emulation in
        var object: JSONObject = ["id": .string(name), "object": "model", "created": 0, "owned_by": "holdfast", "context_length": .integer(served.context)]
        if served.isEmulated {
          let weights = emulation.weights.isEmpty ? served.experts.map { _ in 1 / Double(served.experts.count) } : emulation.weights
          object["emulation"] = [
            "mode": .string(emulation.mode.rawValue), "beta": .number(emulation.beta), "experts": .array(served.experts.map(JSON.string)),
            "weights": .array(weights.map(JSON.number)),
          ]
        }
        return .object(object)
      }),
    ]
  }

  /// Listens until SIGTERM or SIGINT; what runs then is finished, everything else refused.
  ///
  /// - Parameter onReady: told the port.
  public func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
    let group = ServiceGroup(configuration: .init(
      services: [.init(service: service(onReady: onReady))], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    engine.stop()
  }

  /// A server in the background, for tests: without signals, at a port of its own.
  package func start() async throws -> RunningServer {
    let (ports, port) = AsyncStream<Int>.makeStream()
    let group = ServiceGroup(configuration: .init(services: [.init(service: service { port.yield($0) })], logger: logger))
    let task = Task {
      defer { port.finish() }
      try await group.run()
    }
    guard let found = await ports.first(where: { _ in true }) else {
      try await task.value
      throw CancellationError()
    }
    return RunningServer(port: found, shutDown: { await group.triggerGracefulShutdown() }, task: task)
  }

  package var model: ServedModel { served }

  /// Methods and paths of all routes.
  package var routes: [(method: String, path: String)] { router.routes.map { ($0.method.rawValue, "/" + $0.path.description.drop { $0 == "/" }) } }

  /// Runs where somebody else looks after signals.
  private func service(onReady: @escaping @Sendable (Int) async -> Void) -> some Service {
    let connections = connections
    let application = Application(
      router: router,
      server: .http1(configuration: .init(additionalChannelHandlers: [ClosingHandler(connections)], idleTimeout: .seconds(60))),
      configuration: .init(
        address: .hostname(configuration.host, port: configuration.port), serverName: "holdfast",
        availableConnectionsDelegate: MaximumAvailableConnections(configuration.limits.connections)),
      onServerRunning: { channel in await onReady(channel.localAddress?.port ?? 0) },
      logger: logger)
    return Draining(engine: engine, application: application)
  }

  private struct Draining<App: ApplicationProtocol>: Service {
    let engine: EngineThread
    let application: App

    func run() async throws {
      try await withGracefulShutdownHandler {
        try await application.run()
      } onGracefulShutdown: {
        engine.drain()
      }
    }
  }
}

/// A server at work.
package struct RunningServer: Sendable {
  package let port: Int
  /// Asks it to end.
  package let shutDown: @Sendable () async -> Void
  let task: Task<Void, any Error>

  /// Waits for its end.
  package func ended() async throws { try await task.value }
}
