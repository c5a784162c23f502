internal import HoldfastBasics
internal import HoldfastDecoding
internal import HoldfastTokenizers

/// The JSON of answers: whole ones and pieces of a stream, of chats and of texts.
struct Answers {
  let request: CompletionRequest
  let id: String
  let created: Int
  let texts: TokenTexts
  /// The experts' names.
  let experts: [String]

  // MARK: - Whole

  func whole(_ choices: [Choice], usage: JSON) -> JSON {
    .object(envelope(request.isChat ? "chat.completion" : "text_completion", .array(choices.map(json)), usage: usage))
  }

  /// One answer with all that is told of it.
  struct Choice {
    let index: Int
    var text = ""
    var entries: [ChoiceText.Entry] = []
    /// Of the prompt, where it stands in front.
    var echo: Echo?
    var finish = "stop"
  }

  /// A prompt that is given back.
  struct Echo {
    let text: String
    let ids: [Int]
    /// Scalars of the text before each token.
    let starts: [Int]
    /// nil where nothing is told of tokens; the first token has nothing in front.
    let scores: [GeneratedToken?]?
  }

  private func json(_ choice: Choice) -> JSON {
    var object: JSONObject = ["index": .integer(choice.index)]
    if request.isChat {
      object["message"] = ["role": "assistant", "content": .string(choice.text)]
    } else {
      object["text"] = .string((choice.echo?.text ?? "") + choice.text)
    }
    object["logprobs"] = logprobs(choice.entries, echo: choice.echo)
    object["finish_reason"] = .string(choice.finish)
    return .object(object)
  }

  // MARK: - Pieces

  /// The first piece of a chat's answer.
  func opening(_ index: Int) -> JSON { piece(["index": .integer(index), "delta": ["role": "assistant", "content": ""], "logprobs": .null, "finish_reason": .null]) }

  func echo(_ index: Int, _ echo: Echo) -> JSON {
    piece(["index": .integer(index), "text": .string(echo.text), "logprobs": logprobs([], echo: echo), "finish_reason": .null])
  }

  /// - Parameter before: scalars of the prompt that was given back.
  func delta(_ index: Int, _ delta: ChoiceText.Delta, finish: String?, before: Int) -> JSON {
    var object: JSONObject = ["index": .integer(index)]
    if request.isChat { object["delta"] = delta.text.isEmpty ? [:] : ["content": .string(delta.text)] } else { object["text"] = .string(delta.text) }
    object["logprobs"] = delta.entries.isEmpty ? .null : logprobs(delta.entries, before: before)
    object["finish_reason"] = finish.map(JSON.string) ?? .null
    return piece(.object(object))
  }

  /// The last piece where counts were asked for.
  func counts(_ usage: JSON) -> JSON { .object(envelope(pieceName, [], usage: usage)) }

  private var pieceName: String { request.isChat ? "chat.completion.chunk" : "text_completion" }

  private func piece(_ choice: JSON) -> JSON { .object(envelope(pieceName, [choice], usage: request.wantsUsage ? .null : nil)) }

  private func envelope(_ name: String, _ choices: JSON, usage: JSON?) -> JSONObject {
    var object: JSONObject = [
      "id": .string(id), "object": .string(name), "created": .integer(created), "model": .string(request.model), "choices": choices,
    ]
    // A double holds whole numbers up to 2⁵³, and not every client keeps more.
    object["seed"] = .integer(Int(bitPattern: UInt(request.seed)))
    if let usage { object["usage"] = usage }
    return object
  }

  // MARK: - Tokens

  private func logprobs(_ entries: [ChoiceText.Entry], echo: Echo? = nil, before: Int = 0) -> JSON {
    guard request.logprobs != nil else { return .null }
    if request.isChat {
      return ["content": .array(entries.map { entry in
        var object = spelled(entry.token.id, entry.token.logProbability)
        object["top_logprobs"] = .array(entry.token.likeliest.map { .object(spelled($0.id, $0.logProbability)) })
        if request.tellsMixture, let mixture = entry.token.mixture { object["mixture"] = json(mixture) }
        return .object(object)
      })]
    }
    let base = before + (echo?.text.unicodeScalars.count ?? 0)
    let front: [(Int, GeneratedToken?, Int)] = echo.map { echo in
      echo.ids.indices.map { (echo.ids[$0], echo.scores?[$0], echo.starts[$0]) }
    } ?? []
    let all = front + entries.map { ($0.token.id, $0.token, base + $0.start) }
    var object: JSONObject = [
      "tokens": .array(all.map { .string(texts.text($0.0)) }),
      "token_logprobs": .array(all.map { $0.1.map { number($0.logProbability) } ?? .null }),
      "top_logprobs": .array(all.map { $0.1.map(likeliest) ?? .null }),
      "text_offset": .array(all.map { .integer($0.2) }),
    ]
    if request.tellsMixture { object["mixture"] = .array(all.map { $0.1?.mixture.map(json) ?? .null }) }
    return .object(object)
  }

  private func spelled(_ id: Int, _ value: Double) -> JSONObject {
    ["token": .string(texts.text(id)), "logprob": number(value), "bytes": texts.bytes(id).map { .array($0.map { .integer(Int($0)) }) } ?? .null]
  }

  /// The likeliest tokens and the one that stands there.
  private func likeliest(_ token: GeneratedToken) -> JSON {
    var object = JSONObject()
    for other in token.likeliest { object[texts.text(other.id)] = number(other.logProbability) }
    object[texts.text(token.id)] = number(token.logProbability)
    return .object(object)
  }

  private func json(_ mixture: MixtureInfo) -> JSON {
    var of = JSONObject()
    for (name, value) in zip(experts, mixture.experts) { of[name] = value.map(number) ?? .null }
    return [
      "log_z": number(mixture.logZ), "total_variation": number(mixture.totalVariation), "base": mixture.base.map(number) ?? .null,
      "experts": .object(of), "anti_expert": mixture.antiExpert.map(number) ?? .null,
    ]
  }

  /// JSON knows no infinity; clients expect a number here.
  private func number(_ value: Double) -> JSON { .number(value.isFinite ? value : -9999) }
}
