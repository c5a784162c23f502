import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("Formats of rows")
struct FormatTests {
  private let renderer = ExampleRenderer(encoder: ToyEncoder(), messages: ToyMessages())

  private func read(_ row: JSON, _ change: (inout DataSource) -> Void = { _ in }) throws -> Dataset {
    try withScratch { folder in
      try folder.write(row.text() + "\n", "rows.jsonl")
      var source = DataSource(path: folder.path + "/rows.jsonl")
      change(&source)
      return try Dataset(reading: [source], with: renderer, rowLength: nil)
    }
  }

  /// A rendering with what is learnt in brackets.
  private func shown(_ rendering: Rendering) -> String {
    var text = "", isOpen = false
    for (id, isTrained) in zip(rendering.ids, rendering.isTrained) {
      if isTrained != isOpen { text += isTrained ? "⟦" : "⟧" }
      isOpen = isTrained
      text += id == 1 ? "<s>" : id == 2 ? "</s>" : String(Unicode.Scalar(UInt32(id - 10))!)
    }
    return text + (isOpen ? "⟧" : "")
  }

  @Test(
    "a row becomes this text, and this of it is learnt",
    arguments: [
      (
        ["conversations": [["from": "human", "value": "a"], ["from": "gpt", "value": "b"]]], .sharegpt, .plain,
        "<s>[user]a</s>[assistant]⟦b</s>⟧"
      ),
      (
        [
          "conversations": [["role": "user", "content": "a"], ["from": "observation", "value": "o"], ["from": "gpt", "value": "b"]], "system": "s",
        ], .sharegpt, .plain, "<s>[system]s</s>[user]a</s>[tool]o</s>[assistant]⟦b</s>⟧"
      ),
      (
        ["instruction": "Say it.", "input": "", "output": "it"], .alpaca, .plain,
        "<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nSay it.\n\n### Response:\n⟦it</s>⟧"
      ),
      (
        ["instruction": "Say it.", "input": "x", "output": "it", "system": "Be brief."], .alpaca, .plain,
        "<s>Be brief.\n\n### Instruction:\nSay it.\n\n### Input:\nx\n\n### Response:\n⟦it</s>⟧"
      ),
      (
        ["instruction": "Say it.", "input": "x", "output": "it", "system": "S"], .alpaca, .chat,
        "<s>[system]S</s>[user]Say it.\nx</s>[assistant]⟦it</s>⟧"
      ),
      (["prompt": "a", "completion": "b"], .promptCompletion, .chat, "<s>[user]a</s>[assistant]⟦b</s>⟧"),
      (
        ["prompt": [["role": "user", "content": "a"]], "completion": [["role": "assistant", "content": "b"]]], .promptCompletion, .plain,
        "<s>[user]a</s>[assistant]⟦b</s>⟧"
      ),
      (["question": "Q", "choices": ["x", "y"], "answer": 1], .multipleChoice, .plain, "<s>Question: Q\nAnswer:⟦ y</s>⟧"),
      (["question": "Q", "choices": ["x", "y"], "answer": "B"], .multipleChoice, .plain, "<s>Question: Q\nAnswer:⟦ y</s>⟧"),
      (
        ["prompt": "P ", "choices": ["text": ["x", "y"], "label": ["1", "2"]], "answerKey": "2"], .multipleChoice, .plain,
        "<s>P ⟦y</s>⟧"
      ),
      (["question": "Q", "options": ["x", "y"], "answer": "x"], .multipleChoice, .chat, "<s>[user]Question: Q\nAnswer:</s>[assistant]⟦x</s>⟧"),
    ] as [(JSON, DataFormat, PromptTemplate, String)])
  func formats(row: JSON, format: DataFormat, template: PromptTemplate, text: String) throws {
    let dataset = try read(row) { $0.template = template }
    #expect(dataset.sources[0].format == format)
    #expect(shown(dataset.examples[0].rendering) == text)
  }

  @Test("other names are mapped, and the format is found from the mapped ones")
  func fields() throws {
    let row: JSON = ["q": "a", "a": "b", "text": "c"]
    let mapped = try read(row) { $0.fields = ["prompt": "q", "completion": "a"]; $0.format = .promptCompletion }
    #expect(shown(mapped.examples[0].rendering) == "<s>a⟦b</s>⟧")
    let swapped = try read(["prompt": "b", "completion": "a"]) { $0.fields = ["prompt": "completion", "completion": "prompt"] }
    #expect(shown(swapped.examples[0].rendering) == "<s>a⟦b</s>⟧")
    let error = try #require(throws: BadRowsError.self) { try read(row) { $0.fields = ["prompt": "nowhere"] } }
    #expect(error.first[0].reason.contains("`nowhere`"))
  }

  @Test("what a format lacks is named", arguments: [
    (["instruction": "a", "output": ""], "`output` is empty"), (["instruction": 3, "output": "b"], "`instruction` is not a text"),
    (["instruction": "a", "output": "b", "history": [["c", "d"]]], "template: chat"),
    (["conversations": [["value": "a"]]], "neither `from` nor `role`"), (["conversations": []], "not empty"),
    (["conversations": [["from": "function_call", "value": "no"]]], "not JSON"),
    (["question": "Q", "choices": ["x", "y"], "answer": 2], "none of its 2 choices"),
    (["question": "Q", "choices": ["x"], "answer": 0], "two or more"),
  ] as [(JSON, String)])
  func badRows(row: JSON, reason: String) throws {
    let error = try #require(throws: BadRowsError.self) { try read(row) }
    #expect(error.first[0].reason.contains(reason), "\(error)")
  }

  @Test("pairs share their prompt, and training on single answers refuses them")
  func preference() throws {
    let pairs: [(JSON, String, String)] = [
      (["prompt": "ab", "chosen": "cd", "rejected": "ce"], "<s>ab⟦cd</s>⟧", "<s>ab⟦ce</s>⟧"),
      (
        ["prompt": [["role": "user", "content": "a"]], "chosen": [["role": "assistant", "content": "b"]], "rejected": [["role": "assistant", "content": "c"]]],
        "<s>[user]a</s>[assistant]⟦b</s>⟧", "<s>[user]a</s>[assistant]⟦c</s>⟧"
      ),
      (
        ["conversations": [["from": "human", "value": "a"]], "chosen": ["from": "gpt", "value": "b"], "rejected": ["from": "gpt", "value": "c"]],
        "<s>[user]a</s>[assistant]⟦b</s>⟧", "<s>[user]a</s>[assistant]⟦c</s>⟧"
      ),
    ]
    for (row, chosen, rejected) in pairs {
      let pair = try renderer.renderPair(try #require(row.object), template: .plain)
      #expect(shown(pair.chosen) == chosen && shown(pair.rejected) == rejected)
      #expect(pair.sharedTokens == zip(pair.chosen.ids, pair.rejected.ids).prefix { $0 == $1 }.count)
      let problems = try #require(throws: Problems.self) { try read(row) }
      #expect("\(problems)".contains("dpo"))
    }
    #expect(throws: RowError.self) { try renderer.renderPair(["prompt": "a", "chosen": "b", "rejected": "b"], template: .plain) }
  }
}
