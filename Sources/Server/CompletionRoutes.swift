internal import HTTPTypes
internal import HoldfastBasics
internal import HoldfastDecoding
internal import HoldfastTokenizers
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Synchronization

/// The two routes that generate.
struct CompletionRoutes: Sendable {
  let served: ServedModel
  let configuration: ServerConfiguration
  let engine: EngineThread
  let metrics: ServerMetrics
  let connections: Connections
  let logger: Logger
  private let texts: TokenTexts
  private let numbers = Counter()

  init(_ served: ServedModel, _ configuration: ServerConfiguration, _ engine: EngineThread, _ metrics: ServerMetrics, _ connections: Connections, _ logger: Logger) {
    (self.served, self.configuration, self.engine, self.metrics, self.connections, self.logger) = (served, configuration, engine, metrics, connections, logger)
    texts = TokenTexts(served.tokenizer)
  }

  private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).newValue }
  }

  func answer(_ request: Request, _ context: ServerContext, isChat: Bool) async throws -> Response {
    let begun = ContinuousClock.now
    let asked = try CompletionRequest(try await body(of: request, context), isChat: isChat, served, configuration.limits, seed: configuration.seed)
    let batch = try engine.submit(asked.jobs())
    connections.watch(batch, on: context.channel)
    let number = numbers.next(), created = configuration.clock()
    let answers = Answers(
      request: asked, id: "\(isChat ? "chatcmpl" : "cmpl")-\(created)-\(number)", created: created, texts: texts, experts: served.experts)
    let work = Work(asked, batch, answers, served)
    let deadline = deadline(batch, context.channel)
    let routes = self
    @Sendable func finished(_ progress: Work.Progress, _ error: (any Error)?) {
      deadline.cancel()
      connections.forget(batch, on: context.channel)
      batch.fail(CancellationError())
      routes.note(asked, progress, error, begun.duration(to: .now), number)
    }
    if asked.isStreaming {
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
        body: ResponseBody { writer in
          var progress = Work.Progress(work), failure: (any Error)?
          do { try await routes.stream(work, &progress, &writer) } catch {
            // Whose connection takes nothing more has left, whichever of the two is noticed first.
            failure = progress.isWritable ? error : CancellationError()
          }
          finished(progress, failure)
          // The end of the body is written in order, or the connection is closed as broken.
          if let failure, failure is CancellationError { throw failure }
          try await writer.finish(nil)
        })
    }
    var progress = Work.Progress(work)
    do {
      for try await event in batch.events { _ = progress.take(event, work) }
      finished(progress, nil)
      return Response(answers.whole(progress.choices(work), usage: progress.usage(work)))
    } catch {
      finished(progress, error)
      throw error
    }
  }

  private func stream(_ work: Work, _ progress: inout Work.Progress, _ writer: inout any ResponseBodyWriter) async throws {
    func write(_ bytes: ByteBuffer) async throws {
      progress.isWritable = false
      try await writer.write(bytes)
      progress.isWritable = true
    }
    func send(_ json: JSON) async throws {
      var bytes = Array("data: ".utf8)
      json.write(to: &bytes)
      try await write(ByteBuffer(bytes: bytes + "\n\n".utf8))
    }
    do {
      if work.asked.isChat { for index in 0..<work.count { try await send(work.answers.opening(index)) } }
      for try await event in work.batch.events {
        for piece in progress.take(event, work) { try await send(piece) }
      }
      if work.asked.wantsUsage { try await send(work.answers.counts(progress.usage(work))) }
      try await write(ByteBuffer(string: "data: [DONE]\n\n"))
    } catch where progress.isWritable && !(error is CancellationError) {
      try await send(APIError(error).json)
      throw error
    }
  }

  /// A request's time is bounded, and so is that of a client that does not read what is written to it.
  private func deadline(_ batch: EngineBatch, _ channel: any Channel) -> Task<Void, Never> {
    let seconds = configuration.limits.seconds
    return Task {
      do {
        try await Task.sleep(for: .seconds(seconds))
        batch.fail(APIError.late(seconds))
        try await Task.sleep(for: .seconds(5))
        channel.close(promise: nil)
      } catch {}
    }
  }

  /// No prompts and no answers in a log.
  private func note(_ asked: CompletionRequest, _ progress: Work.Progress, _ error: (any Error)?, _ duration: Duration, _ number: Int) {
    let tokens = progress.tokenCount
    var facts: Logger.Metadata = [
      "request": "\(number)", "route": asked.isChat ? "chat" : "completions", "model": "\(asked.model)", "prompts": "\(asked.prompts.count)",
      "choices": "\(asked.choices)", "prompt_tokens": "\(progress.promptTokens)", "tokens": "\(tokens)", "seconds": "\(duration / .seconds(1))",
    ]
    if let first = progress.first { metrics.count(first: first) }
    if let error {
      facts["ended"] = error is CancellationError ? "client left" : "\(APIError(error).code ?? "error")"
      if error is CancellationError { metrics.countGone() } else if asked.isStreaming { metrics.count(refused: APIError(error)) }
    } else {
      metrics.count(answered: duration, tokens: tokens)
    }
    logger.info("completion", metadata: facts)
  }

  // MARK: - Bodies

  private func body(of request: Request, _ context: ServerContext) async throws -> JSONObject {
    let most = configuration.limits.bodyBytes
    let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
    // A form of another site's page cannot send this type without the browser asking first.
    guard type == "application/json" else {
      throw APIError(status: .unsupportedMediaType, message: "send Content-Type: application/json")
    }
    let tooLarge = APIError(status: .contentTooLarge, message: "a body has at most \(most) bytes", code: "body_too_large")
    /// What is still being sent is not read to its end.
    func hangUp() { context.channel.eventLoop.scheduleTask(in: .seconds(1)) { context.channel.close(promise: nil) } }
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most {
      hangUp()
      throw tooLarge
    }
    // Who sends a letter a minute is not waited for.
    let patience = Task {
      try await Task.sleep(for: .seconds(min(30, configuration.limits.seconds)))
      context.channel.close(promise: nil)
    }
    defer { patience.cancel() }
    var bytes: [UInt8] = []
    for try await part in request.body {
      bytes += part.readableBytesView
      if bytes.count > most {
        hangUp()
        throw tooLarge
      }
    }
    let json: JSON
    do { json = try JSON(bytes, limits: .init(depth: 32, elements: 1 << 17)) } catch { throw APIError.bad("\(error)") }
    guard let object = json.object else { throw APIError.bad("the body is not a JSON object") }
    return object
  }
}
