public import HoldfastBasics
public import HoldfastDecoding
public import HoldfastTokenizers

/// What a request may ask for at most.
public struct ServerLimits: Sendable, Hashable {
  /// Bytes of a request's body.
  public var bodyBytes = 1 << 20
  /// Tokens of one answer.
  public var tokens = 4096
  /// Answers to one prompt (`n`).
  public var choices = 8
  /// Prompts × n of one request.
  public var jobs = 64
  /// Stop strings, and the bytes of each.
  public var stops = 16, stopBytes = 256
  /// Single tokens with a bias.
  public var biases = 300
  /// Likeliest tokens told of each place.
  public var likeliest = 20
  /// Answers that wait for a row; more are refused with 429.
  public var queue = 64
  /// Seconds that a request may take, waiting and sending included.
  public var seconds = 300.0
  /// Connections; more wait at the door.
  public var connections = 256

  public init() {}
}

/// A name under which the ensemble answers with another emulation.
public struct VirtualModel: Sendable, Hashable {
  public let name: String
  public let emulation: Emulation

  public init(_ name: String, _ emulation: Emulation) {
    self.name = name
    self.emulation = emulation
  }
}

/// The ensemble as texts see it. The engine itself belongs to its thread.
public struct ServedModel: Sendable {
  public let name: String
  public let tokenizer: Tokenizer
  /// Where a request says nothing else.
  public let emulation: Emulation
  /// The experts' names, in the order of their weights.
  public let experts: [String]
  public let hasAntiExpert: Bool
  public var virtual: [VirtualModel]
  /// Tokens of a text and its continuation.
  public let context: Int
  /// Ids that may come.
  public let vocabulary: Int
  /// Tokens that end an answer.
  public let endIDs: Set<Int>
  /// The prompts of a text, tokens in front included.
  public let text: @Sendable (String) throws -> GenerationRequest
  /// The prompts of a conversation; nil where there is no chat template.
  public let chat: (@Sendable ([JSON]) throws -> GenerationRequest)?

  public init(
    name: String, tokenizer: Tokenizer, emulation: Emulation, experts: [String], hasAntiExpert: Bool, virtual: [VirtualModel], context: Int,
    vocabulary: Int, endIDs: Set<Int>, text: @escaping @Sendable (String) throws -> GenerationRequest,
    chat: (@Sendable ([JSON]) throws -> GenerationRequest)?
  ) {
    (self.name, self.tokenizer, self.emulation, self.experts) = (name, tokenizer, emulation, experts)
    (self.hasAntiExpert, self.virtual, self.context, self.vocabulary) = (hasAntiExpert, virtual, context, vocabulary)
    (self.endIDs, self.text, self.chat) = (endIDs, text, chat)
  }

  var isEmulated: Bool { hasAntiExpert || !experts.isEmpty }
}

/// Where and for whom a server answers.
public struct ServerConfiguration: Sendable {
  public var host = "127.0.0.1"
  /// 0: any that is free.
  public var port = 8080
  /// nil: everybody on this machine may ask; the address must be a loopback one then.
  public var key: String?
  public var limits = ServerLimits()
  /// Seconds since 1970.
  public var clock: @Sendable () -> Int
  /// Decides the seeds of requests that name none.
  public var seed: @Sendable () -> UInt64

  public init(clock: @escaping @Sendable () -> Int, seed: @escaping @Sendable () -> UInt64) {
    self.clock = clock
    self.seed = seed
  }

  /// Addresses that only this machine reaches. A name such as 127.0.0.1.example.org is none.
  public static func isLoopback(_ host: some StringProtocol) -> Bool {
    if host.lowercased() == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { part in
      part.utf8.allSatisfy { (48...57).contains($0) } && UInt8(part) != nil
    }
  }
}
