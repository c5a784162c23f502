internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Synchronization

/// What a handler knows of its request beside the request.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }
}

/// Who waits on which connection: when a client leaves, its work is dropped at once, even before anything is written to it.
final class Connections: Sendable {
  private let batches = Mutex<[ObjectIdentifier: [ObjectIdentifier: EngineBatch]]>([:])

  /// A batch whose client has left already fails at once.
  func watch(_ batch: EngineBatch, on channel: any Channel) {
    batches.withLock { $0[ObjectIdentifier(channel), default: [:]][ObjectIdentifier(batch)] = batch }
    if !channel.isActive { closed(ObjectIdentifier(channel)) }
  }

  func forget(_ batch: EngineBatch, on channel: any Channel) {
    batches.withLock { batches in
      batches[ObjectIdentifier(channel)]?[ObjectIdentifier(batch)] = nil
      if batches[ObjectIdentifier(channel)]?.isEmpty ?? false { batches[ObjectIdentifier(channel)] = nil }
    }
  }

  func closed(_ channel: ObjectIdentifier) {
    for batch in batches.withLock({ $0.removeValue(forKey: channel) })?.values.map({ $0 }) ?? [] { batch.fail(CancellationError()) }
  }
}

/// Closes a connection whose client will say nothing more, and tells who waits on it.
final class ClosingHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny
  typealias InboundOut = NIOAny
  private let connections: Connections

  init(_ connections: Connections) { self.connections = connections }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, case .inputClosed = event { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    connections.closed(ObjectIdentifier(context.channel))
    context.fireChannelInactive()
  }
}
