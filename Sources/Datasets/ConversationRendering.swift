package import HoldfastBasics
internal import HoldfastTokenizers

extension ExampleRenderer {
  /// The examples of a row of `messages`.
  func conversation(_ row: JSONObject, trainOn: TrainOn, turns: Turns?) throws(RowError) -> [Rendering] {
    let isTrained = try row.trainedMessages(trainOn)
    guard let messageRenderer else {
      throw RowError("this model has no chat template, so it cannot read `messages`; give `prompt` and `completion`")
    }
    if trainOn == .all, let turns, turns != .all {
      throw RowError("`turns: \(turns.rawValue)` learns answers only, but `train_on: all` everything")
    }
    do {
      if turns == .last || turns == .split {
        let answers = isTrained.indices.filter { isTrained[$0] }
        let renderings = try (turns == .last ? answers.suffix(1) : answers[...]).map {
          render(try messageRenderer.render(row, turn: $0))
        }.filter { $0.trainedCount > 0 }
        if renderings.isEmpty { throw RowError("no trained token: nothing here would be learnt") }
        return renderings
      }
      if trainOn == .all {
        let text = try messageRenderer.render(row, training: isTrained).text
        return [render(RenderedMessages(text: text, trained: [0..<Int.max]))]
      }
      if turns == nil, let difference = try messageRenderer.historyDifference(row, training: isTrained) {
        throw RowError(
          "\(difference). Say `turns: last` or `split` to learn answers as they are asked for, or `all` to learn this")
      }
      return [render(try messageRenderer.render(row, training: isTrained))]
    } catch let error as RowError {
      throw error
    } catch {
      throw RowError("the chat template refuses it: \(error)")
    }
  }
}

extension ExampleRenderer {
  /// How the template prints history otherwise than at inference, if it does so in this row of `messages`.
  func historyDifference(_ row: JSONObject, trainOn: TrainOn) throws(RowError) -> HistoryDifference? {
    let isTrained = try row.trainedMessages(trainOn)
    guard let messageRenderer else { return nil }
    do { return try messageRenderer.historyDifference(row, training: isTrained) } catch {
      throw RowError("the chat template refuses it: \(error)")
    }
  }
}

extension JSONObject {
  /// Which messages are learnt: the assistant's, or its last one; what a message says of itself with `train` (or a
  /// `weight` of 0 or 1) wins.
  package func trainedMessages(_ trainOn: TrainOn = .assistant) throws(RowError) -> [Bool] {
    guard let messages = self["messages"] else { throw RowError("`messages` is missing") }
    guard let turns = messages.array, !turns.isEmpty, turns.allSatisfy({ $0["role"]?.string != nil }) else {
      throw RowError("`messages` must be a list of objects with `role` and `content`, not empty")
    }
    let last = turns.lastIndex { $0["role"] == "assistant" }
    var isTrained: [Bool] = []
    for (i, turn) in turns.enumerated() {
      let said = try turn.isTrained(i)
      if said == false, trainOn == .all {
        throw RowError("message \(i + 1) says that it is not to be learnt, but `train_on: all` learns everything")
      }
      isTrained.append(said ?? (trainOn == .all || turn["role"] == "assistant" && (trainOn != .completion || i == last)))
    }
    return isTrained
  }
}

extension JSON {
  /// What a message says of its own training.
  fileprivate func isTrained(_ index: Int) throws(RowError) -> Bool? {
    var said: Bool?
    if let train = self["train"], !train.isNull {
      guard let value = train.bool else { throw RowError("`train` of message \(index + 1) is neither true nor false") }
      said = value
    }
    if let weight = self["weight"], !weight.isNull {
      guard let value = weight.double, value == 0 || value == 1 else {
        throw RowError(
          "`weight` of message \(index + 1) must be 0 (read, not learnt) or 1: all labels of a batch weigh the same")
      }
      if let said, said != (value == 1) { throw RowError("`train` and `weight` of message \(index + 1) contradict each other") }
      said = value == 1
    }
    return said
  }
}
