internal import HTTPTypes
internal import HoldfastBasics
internal import HoldfastDecoding

/// A request for completions or for the next message of a chat, read and checked.
struct CompletionRequest {
  /// One prompt.
  struct Prompt {
    /// As it was given; nil where it was given as ids.
    let text: String?
    let request: GenerationRequest
  }

  let isChat: Bool
  let model: String
  var prompts: [Prompt] = []
  var choices = 1
  var stops: [String] = []
  var seed: UInt64 = 0
  var isStreaming = false
  var wantsUsage = false
  /// Likeliest tokens told of each place; nil: nothing is told of tokens.
  var logprobs: Int?
  /// The prompt stands in front of the answer.
  var echoes = false
  /// Tokens to add; 0 with `echoes` only scores.
  var tokens: [Int] = []
  /// Each member's word on every token.
  var tellsMixture = false

  /// - Throws: `APIError` with everything that is wrong.
  init(_ object: JSONObject, isChat: Bool, _ served: ServedModel, _ limits: ServerLimits, seed: () -> UInt64) throws(APIError) {
    var fields = Fields(object)
    self.isChat = isChat
    let model = fields.string("model") ?? served.name
    self.model = model
    guard model == served.name || served.virtual.contains(where: { $0.name == model }) else {
      let names = [served.name] + served.virtual.map(\.name)
      throw APIError(
        status: .notFound, message: "there is no model \"\(model.prefix(80))\"; there are: \(names.joined(separator: ", "))", parameter: "model",
        code: "model_not_found")
    }
    choices = fields.integer("n", in: 1...limits.choices) ?? 1
    self.seed = fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? seed()
    isStreaming = fields.flag("stream")
    if let options = fields.json("stream_options") {
      if !isStreaming { fields.complain("stream_options", "belongs to stream") }
      if options.object == nil { fields.complain("stream_options", "is an object") }
      wantsUsage = options["include_usage"]?.bool ?? false
    }
    stops = Self.stops(&fields, limits)
    let sampling = Self.sampling(&fields, served, limits)
    let emulation = Self.emulation(&fields, served, model)
    tellsMixture = fields.flag("mixture")
    if tellsMixture, !served.isEmulated { fields.complain("mixture", "needs a model with experts") }
    let most = isChat ? (fields.integer("max_completion_tokens", in: 1...limits.tokens) ?? fields.integer("max_tokens", in: 1...limits.tokens))
      : fields.integer("max_tokens", in: 0...limits.tokens) ?? 16
    if isChat {
      fields.ignore(["max_tokens"])
      let isTold = fields.flag("logprobs"), likeliest = fields.integer("top_logprobs", in: 0...limits.likeliest)
      if likeliest != nil, !isTold { fields.complain("top_logprobs", "needs logprobs: true") }
      logprobs = isTold || tellsMixture ? likeliest ?? 0 : nil
      fields.refuse("tools", unless: [[]], "are not supported")
      fields.refuse("tool_choice", unless: ["none", "auto"], "is not supported")
      fields.refuse("response_format", unless: [["type": "text"]], "is not supported beyond text")
    } else {
      logprobs = fields.integer("logprobs", in: 0...limits.likeliest) ?? (tellsMixture ? 0 : nil)
      echoes = fields.flag("echo")
      if most == 0, !echoes { fields.complain("max_tokens", "is 0, which only scores and needs echo: true") }
      fields.refuse("suffix", unless: [""], "is not supported")
      if let best = fields.integer("best_of"), best != choices { fields.complain("best_of", "is not supported beyond n") }
    }
    for name in ["presence_penalty", "frequency_penalty"] { fields.refuse(name, unless: [0, 0.0], "is not supported; repetition_penalty is") }
    fields.ignore(["user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls"])
    let given = isChat ? Self.conversation(&fields, served) : Self.texts(&fields, served, limits)
    if given.count * choices > limits.jobs { fields.complain("n", "times the number of prompts is more than \(limits.jobs)") }
    try fields.check()
    for (place, prompt) in given.enumerated() {
      var request = prompt.request
      let length = max(request.prompt.count, request.expertPrompt?.count ?? 0, request.antiExpertPrompt?.count ?? 0)
      let room = served.context - length, tokens = most ?? min(limits.tokens, max(1, room))
      if length == 0 { throw .bad("prompt \(place) is empty, and this tokenizer puts no token in front", parameter: isChat ? "messages" : "prompt") }
      if tokens > room {
        throw .bad(
          "the context holds \(served.context) tokens; the prompt has \(length), and \(tokens) are asked for", parameter: isChat ? "messages" : "prompt",
          code: "context_length_exceeded")
      }
      request.maximumTokens = max(1, tokens)
      request.stopIDs = served.endIDs
      request.sampling = sampling
      request.emulation = emulation
      request.likeliest = logprobs ?? 0
      prompts.append(Prompt(text: prompt.text, request: request))
      self.tokens.append(tokens)
    }
  }

  /// The jobs of the engine: those that generate, prompt by prompt, then those that score.
  func jobs() -> [EngineJob] {
    var jobs: [EngineJob] = []
    for (prompt, tokens) in zip(prompts, tokens) where tokens > 0 {
      for choice in 0..<choices {
        var request = prompt.request
        // The first answer is the one of n = 1.
        var stream = CounterGenerator(seed: seed, "choice", choice)
        request.sampling.seed = choice == 0 ? seed : stream.next()
        jobs.append(.generate(request))
      }
    }
    if echoes, logprobs != nil {
      for prompt in prompts {
        var request = prompt.request
        let ids = request.prompt
        request.prompt = [ids[0]]
        (request.expertPrompt, request.antiExpertPrompt) = (nil, nil)
        jobs.append(.score(request, Array(ids.dropFirst())))
      }
    }
    return jobs
  }

  // MARK: - Parts

  private static func stops(_ fields: inout Fields, _ limits: ServerLimits) -> [String] {
    guard let value = fields.json("stop") else { return [] }
    let texts = value.array.map { $0.map(\.string) } ?? [value.string]
    if texts.count > limits.stops || texts.contains(where: { $0 == nil || $0!.isEmpty || $0!.utf8.count > limits.stopBytes }) {
      fields.complain("stop", "is a text or at most \(limits.stops) of them, each of 1 to \(limits.stopBytes) bytes")
      return []
    }
    return texts.compactMap { $0 }
  }

  private static func sampling(_ fields: inout Fields, _ served: ServedModel, _ limits: ServerLimits) -> Sampling {
    var sampling = Sampling(temperature: fields.number("temperature", in: 0...100) ?? 1, topP: fields.number("top_p", in: 1e-9...1) ?? 1)
    sampling.topK = max(0, fields.integer("top_k", in: -1...1 << 30) ?? 0)
    sampling.minP = fields.number("min_p", in: 0...1) ?? 0
    sampling.repetitionPenalty = fields.number("repetition_penalty", in: 0.01...100) ?? 1
    if let biases = fields.json("logit_bias") {
      guard let object = biases.object, object.count <= limits.biases else {
        fields.complain("logit_bias", "is an object of at most \(limits.biases) ids with numbers")
        return sampling
      }
      for (key, value) in object.members {
        guard let id = Int(key), (0..<served.vocabulary).contains(id), let number = value.double, abs(number) <= 100 else {
          fields.complain("logit_bias", "has \"\(key.prefix(20))\": a token's id, below \(served.vocabulary), with a number from -100 to 100 is needed")
          break
        }
        sampling.logitBias[id] = number
      }
    }
    return sampling
  }

  private static func emulation(_ fields: inout Fields, _ served: ServedModel, _ model: String) -> Emulation? {
    let named = served.virtual.first { $0.name == model }?.emulation
    var emulation = named ?? served.emulation, names: [String] = []
    func number(_ name: String) -> Double? {
      guard let value = fields.number(name) else { return nil }
      names.append(name)
      return value
    }
    if let value = number("beta") { emulation.beta = value }
    if let value = number("ratio_clip") { emulation.ratioClip = value }
    if let value = number("base_top_p") { emulation.baseTopP = value }
    if let value = number("plausibility") { emulation.plausibility = value }
    if let value = number("upscale_top_p") { emulation.upscaleTopP = value }
    if let value = fields.string("mode") {
      names.append("mode")
      if let mode = Emulation.Mode(rawValue: value) { emulation.mode = mode } else { fields.complain("mode", "is reward or delta") }
    }
    if let value = fields.json("weights") {
      names.append("weights")
      let weights = value.array?.compactMap(\.double) ?? served.experts.map { value[$0]?.double ?? 0 }
      if value.array.map({ $0.count == weights.count }) ?? (value.object.map { $0.keys.allSatisfy(served.experts.contains) } ?? false) {
        emulation.weights = weights
      } else {
        fields.complain("weights", "are numbers, one for each of \(served.experts.joined(separator: ", ")), as a list or by name")
      }
    }
    if fields.flag("allow_negative") { emulation.allowsNegative = true }
    if fields.flag("any_weights") { emulation.allowsAnyWeights = true }
    if !served.isEmulated {
      for name in names { fields.complain(name, "needs a model with experts") }
      return nil
    }
    for complaint in emulation.complaints(experts: served.experts.count, hasBase: true, hasAntiExpert: served.hasAntiExpert) {
      fields.complain(names.first ?? "model", "is refused: \(complaint)")
    }
    return names.isEmpty && named == nil ? nil : emulation
  }

  /// What a text's reader threw is the request's fault.
  private static func read(_ fields: inout Fields, _ name: String, _ body: () throws -> GenerationRequest) -> GenerationRequest {
    do { return try body() } catch {
      fields.complain(name, "cannot be read: \(String("\(error)".prefix(300)))")
      return GenerationRequest(prompt: [0], maximumTokens: 1)
    }
  }

  private static func texts(_ fields: inout Fields, _ served: ServedModel, _ limits: ServerLimits) -> [Prompt] {
    guard let value = fields.json("prompt") else {
      fields.complain("prompt", "is missing")
      return []
    }
    let values: [JSON] = if let array = value.array, array.first?.int == nil { array } else { [value] }
    if values.isEmpty || values.count > limits.jobs {
      fields.complain("prompt", "is a text, a list of ids, or a list of 1 to \(limits.jobs) of these")
      return []
    }
    var prompts: [Prompt] = []
    for value in values {
      if let text = value.string {
        prompts.append(Prompt(text: text, request: read(&fields, "prompt") { try served.text(text) }))
      } else if let ids = value.array?.map(\.int), ids.allSatisfy({ $0.map { (0..<served.vocabulary).contains($0) } ?? false }) {
        prompts.append(Prompt(text: nil, request: GenerationRequest(prompt: ids.map { $0! }, maximumTokens: 1)))
      } else {
        fields.complain("prompt", "is a text, a list of ids below \(served.vocabulary), or a list of these")
        break
      }
    }
    return prompts
  }

  private static func conversation(_ fields: inout Fields, _ served: ServedModel) -> [Prompt] {
    guard let given = fields.json("messages")?.array, !given.isEmpty else {
      fields.complain("messages", "is a list of messages, each with role and content")
      return []
    }
    guard let chat = served.chat else {
      fields.complain("messages", "cannot be used: this model has no chat template; use /v1/completions")
      return []
    }
    var messages: [JSON] = []
    for message in given {
      var text = message["content"]?.string
      if let parts = message["content"]?.array, parts.allSatisfy({ $0["type"] == "text" && $0["text"]?.string != nil }) {
        text = parts.map { $0["text"]!.string! }.joined()
      }
      guard let role = message["role"]?.string, let text else {
        fields.complain("messages", "has a message that is not {role, content} with a text as content")
        return []
      }
      messages.append(["role": .string(role), "content": .string(text)])
    }
    return [Prompt(text: nil, request: read(&fields, "messages") { try chat(messages) })]
  }
}
