import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels
import HoldfastServer
import HoldfastTokenizers

/// Tiny random models of one vocabulary behind a server.
enum Toy {
  static let key = "a key for tests"
  static let context = 4096

  /// Byte-level: single tokens are halves of characters.
  static func tokenizer() throws -> Tokenizer {
    let folder = String(#filePath.dropLast("ServerTests/Toy.swift".count)) + "Fixtures/tokenizers/bytes"
    return try Tokenizer(folder: folder)
  }

  static func model(_ seed: UInt64, _ vocabulary: Int, context: Int, deviation: Double = 0.5) throws -> DecodingModel {
    let configuration = try ModelConfiguration([
      "model_type": "llama", "vocab_size": .integer(vocabulary), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": .integer(context),
      "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    ])
    return try DecodingModel(Decoder(configuration, weights: RandomWeights(seed: seed, deviation: deviation, layerCount: 2)))
  }

  static func ensemble(_ vocabulary: Int, isEmulated: Bool, context: Int) throws -> Ensemble {
    let base = Ensemble.Member("base", try model(1, vocabulary, context: context))
    if !isEmulated { return try Ensemble(base: base) }
    let experts = [Ensemble.Member("kind", try model(2, vocabulary, context: context)), .init("terse", try model(3, vocabulary, context: context))]
    return try Ensemble(base: base, experts: experts, antiExpert: .init("small", try model(4, vocabulary, context: context)))
  }

  struct Setting {
    var rows = 4
    var isEmulated = false
    var context = Toy.context
    var limits = ServerLimits()
    var key: String? = Toy.key
    var ends: Set<Int> = []
  }

  struct Scene: Sendable {
    let client: Client
    let server: HTTPServer
    let running: RunningServer
    let engine: EngineThread
    let tokenizer: Tokenizer
  }

  /// Runs a server for as long as `body` takes, and sees it end.
  static func serve<T: Sendable>(_ setting: Setting = Setting(), _ body: (Scene) async throws -> T) async throws -> T {
    let tokenizer = try tokenizer(), vocabulary = tokenizer.vocabularySize
    let engine = try engine(setting, vocabulary)
    var strong = Emulation(beta: 2)
    strong.weights = [0.25, 0.75]
    let served = ServedModel(
      name: "toy", tokenizer: tokenizer, emulation: Emulation(), experts: setting.isEmulated ? ["kind", "terse"] : [], hasAntiExpert: setting.isEmulated,
      virtual: setting.isEmulated ? [VirtualModel("off", Emulation(beta: 0)), VirtualModel("strong", strong)] : [], context: setting.context,
      vocabulary: vocabulary, endIDs: setting.ends, text: { GenerationRequest(prompt: tokenizer.encode($0, addSpecialTokens: false), maximumTokens: 1) },
      chat: { messages in
        let text = messages.map { "\($0["role"]?.string ?? ""): \($0["content"]?.string ?? "")\n" }.joined() + "assistant: "
        return GenerationRequest(prompt: tokenizer.encode(text, addSpecialTokens: false), maximumTokens: 1)
      })
    var configuration = ServerConfiguration(clock: { 1_700_000_000 }, seed: { 77 })
    (configuration.port, configuration.key, configuration.limits) = (0, setting.key, setting.limits)
    let server = try HTTPServer(configuration, served, engine, logs: false), running = try await server.start()
    let scene = Scene(client: Client(port: running.port, key: setting.key), server: server, running: running, engine: engine, tokenizer: tokenizer)
    do {
      let result = try await body(scene)
      await running.shutDown()
      try await running.ended()
      engine.stop()
      return result
    } catch {
      engine.hold(false)
      await running.shutDown()
      try await running.ended()
      engine.stop()
      throw error
    }
  }

  private static func engine(_ setting: Setting, _ vocabulary: Int) throws -> EngineThread {
    let ensemble = try ensemble(vocabulary, isEmulated: setting.isEmulated, context: setting.context)
    return EngineThread(try GenerationEngine(ensemble, rows: setting.rows, capacity: setting.context), rows: setting.rows, queue: setting.limits.queue)
  }
}
