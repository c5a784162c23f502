package import HoldfastBasics
package import HoldfastTokenizers

extension ExampleRenderer {
  /// The examples of a row of `messages`.
  func conversation(_ row: JSONObject, trainOn: TrainOn, turns: Turns?) throws(RowError) -> [Rendering] {
    let isTrained = try row.trainedMessages(trainOn)
    let weights = row.messageWeights
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
          let turn = $0
          let rendering = render(try messageRenderer.render(row, turn: turn))
          return weights.map { rendering.weighted($0[turn]) } ?? rendering
        }.filter { $0.trainedCount > 0 }
        if renderings.isEmpty { throw RowError("no trained token: nothing here would be learnt") }
        return renderings
      }
      if trainOn == .all {
        let text = try messageRenderer.render(row, training: isTrained).text
        return [try weigh(render(RenderedMessages(text: text, trained: [0..<Int.max])), row, isTrained, weights)]
      }
      if turns == nil, let difference = try messageRenderer.historyDifference(row, training: isTrained) {
        throw RowError(
          "\(difference). Say `turns: last` or `split` to learn answers as they are asked for, or `all` to learn this")
      }
      return [try weigh(render(try messageRenderer.render(row, training: isTrained)), row, isTrained, weights)]
    } catch let error as RowError {
      throw error
    } catch {
      throw RowError("the chat template refuses it: \(error)")
    }
  }
}

extension ExampleRenderer {
  /// The rendering of a whole conversation with the weights that its messages say. A token of a message is found as one that is
  /// learnt where that weight's messages alone are.
  package func weigh(_ rendering: Rendering, _ row: JSONObject, _ isTrained: [Bool], _ weights: [Float]?) throws -> Rendering {
    guard let weights, let messageRenderer else { return rendering }
    var result = [Float](repeating: 1, count: rendering.ids.count)
    for weight in Set(zip(weights, isTrained).filter { $0.1 && $0.0 != 1 }.map(\.0)) {
      let alone = render(try messageRenderer.render(row, training: isTrained.indices.map { isTrained[$0] && weights[$0] == weight }))
      for (i, isHere) in alone.isTrained.enumerated() where isHere { result[i] = weight }
    }
    return Rendering(
      ids: rendering.ids, isTrained: rendering.isTrained, edgeTokens: rendering.edgeTokens,
      weights: result.allSatisfy { $0 == 1 } ? [] : result)
  }
}

extension Rendering {
  fileprivate func weighted(_ weight: Float) -> Rendering {
    weight == 1 ? self : Rendering(
      ids: ids, isTrained: isTrained, edgeTokens: edgeTokens, weights: [Float](repeating: weight, count: ids.count))
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
  /// `weight`: 0 is not learnt) wins.
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

  /// What messages that are learnt weigh; nil where all weigh 1. Ask ``trainedMessages(_:)`` first, which refuses what is none.
  package var messageWeights: [Float]? {
    guard let turns = self["messages"]?.array, turns.contains(where: { $0["weight"]?.double != nil }) else { return nil }
    let weights = turns.map { Float($0["weight"]?.double ?? 1) }
    return weights.allSatisfy { $0 == 1 || $0 == 0 } ? nil : weights
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
      guard let value = weight.double, value >= 0, Float(value).isFinite, value == 0 || Float(value) > 0 else {
        throw RowError("`weight` of message \(index + 1) must be a number from 0 (read, not learnt) up")
      }
      if let said, said != (value > 0) { throw RowError("`train` and `weight` of message \(index + 1) contradict each other") }
      said = value > 0
    }
    return said
  }
}
