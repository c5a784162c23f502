internal import HoldfastBasics
internal import HoldfastDecoding
internal import HoldfastTokenizers

/// A request at work: which job is which answer, and what has come so far.
struct Work: Sendable {
  let asked: CompletionRequest
  let batch: EngineBatch
  let answers: Answers
  let tokenizer: Tokenizer
  /// Jobs that generate, in front of those that score.
  private let generating: [(prompt: Int, index: Int)]

  init(_ asked: CompletionRequest, _ batch: EngineBatch, _ answers: Answers, _ served: ServedModel) {
    (self.asked, self.batch, self.answers, tokenizer) = (asked, batch, answers, served.tokenizer)
    generating = asked.prompts.indices.filter { asked.tokens[$0] > 0 }.flatMap { prompt in
      (0..<asked.choices).map { (prompt, prompt * asked.choices + $0) }
    }
  }

  /// Answers, over all prompts.
  var count: Int { asked.prompts.count * asked.choices }

  struct Progress {
    private var texts: [Int: ChoiceText] = [:]
    private var whole: [Answers.Choice]
    private var scores: [Int: [GeneratedToken]] = [:]
    /// Pieces that wait for the prompt's scores, which come first in the answer.
    private var held: [Int: [JSON]] = [:]
    private var echoed: Set<Int> = []
    private(set) var promptTokens = 0
    private(set) var first: Duration?
    private let begun = ContinuousClock.now
    /// Whether the connection takes more.
    var isWritable = true

    init(_ work: Work) {
      whole = (0..<work.count).map { Answers.Choice(index: $0) }
      promptTokens = work.asked.prompts.reduce(0) { $0 + $1.request.prompt.count }
      for (prompt, index) in work.generating {
        texts[index] = ChoiceText(work.tokenizer, after: work.asked.prompts[prompt].request.prompt, stops: work.asked.stops)
      }
      // Without scores, what is given back is known from the start.
      if work.asked.echoes, work.asked.logprobs == nil {
        for index in whole.indices { whole[index].echo = echo(index / work.asked.choices, nil, work) }
      }
      for index in whole.indices where texts[index] == nil { whole[index].finish = "length" }
    }

    var tokenCount: Int { texts.values.reduce(0) { $0 + $1.tokenCount } }

    func usage(_ work: Work) -> JSON {
      ["prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(tokenCount), "total_tokens": .integer(promptTokens + tokenCount)]
    }

    func choices(_ work: Work) -> [Answers.Choice] { whole }

    /// Takes what the engine brought; the pieces to send, in order.
    mutating func take(_ event: EngineEvent, _ work: Work) -> [JSON] {
      if first == nil { first = begun.duration(to: .now) }
      if event.isScore {
        let prompt = event.place - work.generating.count
        return (0..<work.asked.choices).flatMap { choice in
          let index = prompt * work.asked.choices + choice
          whole[index].echo = echo(prompt, event.tokens, work)
          return opening(index, work) + (held.removeValue(forKey: index) ?? [])
        }
      }
      let index = work.generating[event.place].index
      let delta = texts[index]!.append(event.tokens, finish: event.finish)
      let finish = texts[index]!.finish
      whole[index].text += delta.text
      whole[index].entries += delta.entries
      if let finish {
        whole[index].finish = finish
        work.batch.close(event.place)
      }
      if delta.text.isEmpty, delta.entries.isEmpty, finish == nil { return [] }
      let waits = work.asked.echoes && work.asked.logprobs != nil && whole[index].echo == nil
      let before = whole[index].echo?.text.unicodeScalars.count ?? (work.asked.echoes ? echo(index / work.asked.choices, nil, work).text.unicodeScalars.count : 0)
      let piece = work.answers.delta(index, delta, finish: finish, before: before)
      if waits {
        held[index, default: []].append(piece)
        return []
      }
      return opening(index, work) + [piece]
    }

    /// The prompt that stands in front, once.
    private mutating func opening(_ index: Int, _ work: Work) -> [JSON] {
      guard let echo = whole[index].echo, echoed.insert(index).inserted else { return [] }
      return [work.answers.echo(index, echo)]
    }

    private func echo(_ prompt: Int, _ scores: [GeneratedToken]?, _ work: Work) -> Answers.Echo {
      let given = work.asked.prompts[prompt], ids = given.request.prompt
      var stream = TextStream(work.tokenizer), text = "", starts: [Int] = []
      for id in ids {
        starts.append(text.unicodeScalars.count)
        text += stream.append(id)
      }
      text += stream.finish()
      return Answers.Echo(text: given.text ?? text, ids: ids, starts: starts, scores: scores.map { [nil] + $0.map { $0 } })
    }
  }
}
