import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers

/// One token a Unicode scalar (its value + 10), `<s>` = 1 and `</s>` = 2 where the text spells them.
struct ToyEncoder: TokenEncoder {
  var beginningID: Int? = 1
  var endID: Int? = 2
  /// What the tokenizer adds by itself.
  var addsBeginning = true
  var addsEnd = false
  /// Scalars of a token at most.
  var width = 1

  func tokens(of text: String, addSpecialTokens: Bool) -> (ids: [Int], offsets: [Range<Int>]) {
    var ids: [Int] = [], offsets: [Range<Int>] = []
    if addSpecialTokens, addsBeginning, let beginningID {
      ids.append(beginningID)
      offsets.append(0..<0)
    }
    let scalars = Array(text.unicodeScalars)
    var i = 0
    func spells(_ word: String) -> Bool { scalars[i...].starts(with: word.unicodeScalars) }
    while i < scalars.count {
      if spells("<s>") {
        ids.append(1)
        offsets.append(i..<i + 3)
        i += 3
      } else if spells("</s>") {
        ids.append(2)
        offsets.append(i..<i + 4)
        i += 4
      } else {
        let end = min(i + width, scalars.count)
        ids.append(scalars[i..<end].reduce(10) { $0 + Int($1.value) })
        offsets.append(i..<end)
        i = end
      }
    }
    if addSpecialTokens, addsEnd, let endID {
      ids.append(endID)
      offsets.append(0..<0)
    }
    return (ids, offsets)
  }
}

/// `[role]content</s>` a message; what the assistant says is its content and the end.
struct ToyMessages: MessageRenderer {
  func render(_ row: JSONObject, training isTrained: [Bool]) throws -> RenderedMessages {
    var text = "<s>"
    var spans: [Range<Int>] = []
    for (i, message) in (row["messages"]?.array ?? []).enumerated() {
      let role = message["role"]?.string ?? ""
      guard let content = message["content"]?.string else { throw Problems("template", ["content is missing"]) }
      text += "[\(role)]"
      let start = text.unicodeScalars.count
      text += content + "</s>"
      if isTrained[i] { spans.append(start..<text.unicodeScalars.count) }
    }
    return RenderedMessages(text: text, trained: spans)
  }
}

/// The ids of a text's scalars in the toy encoder.
func toy(_ text: String) -> [Int] { text.unicodeScalars.map { Int($0.value) + 10 } }

/// Examples with random lengths and marks; ids tell example and place apart.
func randomExamples(_ count: Int, longest: Int, seed: UInt64, sources: Int = 1) -> [Example] {
  var generator = CounterGenerator(seed: seed, "examples")
  return (0..<count).map { index in
    let length = 2 + generator.below(longest - 1)
    var marks = (0..<length).map { _ in generator.below(3) > 0 }
    marks[length - 1] = true
    return Example(
      rendering: Rendering(ids: (0..<length).map { index * 1000 + $0 }, isTrained: marks), source: index % sources,
      line: index + 1)
  }
}
