import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("One function renders an example")
struct RenderingTests {
  @Test("text: everything is learnt, from the first character to the end token")
  func text() {
    let rendering = ExampleRenderer(encoder: ToyEncoder()).render(text: "ab")
    #expect(rendering.ids == [1] + toy("ab") + [2])
    #expect(rendering.isTrained == [false, true, true, true])
  }

  @Test("prompt and completion: the completion and the end are learnt")
  func completion() {
    let renderer = ExampleRenderer(encoder: ToyEncoder())
    let rendering = renderer.render(prompt: "é? ", completion: "ab")
    #expect(rendering.ids == [1] + toy("é? ab") + [2])
    #expect(rendering.isTrained == [false, false, false, false, true, true, true])
    #expect(renderer.render(prompt: "é? ", completion: "ab", trainOn: .all).isTrained.dropFirst().allSatisfy { $0 })
  }

  @Test("a token across the edge belongs to where its first character lies")
  func edge() {
    let renderer = ExampleRenderer(encoder: ToyEncoder(addsBeginning: false, width: 2))
    #expect(renderer.render(prompt: "abc", completion: "de").isTrained == [false, false, true, true])  // ab cd e end
    #expect(renderer.render(prompt: "ab", completion: "cde").isTrained == [false, true, true, true])
  }

  @Test(
    "the beginning is never doubled, the end never lost or doubled",
    arguments: [
      (ToyEncoder(), "<s>ab", [1]), (ToyEncoder(addsBeginning: false), "<s>ab", [1]),
      (ToyEncoder(addsBeginning: false), "ab", []), (ToyEncoder(addsEnd: true), "ab", [1]),
      (ToyEncoder(), "ab</s>", [1]), (ToyEncoder(addsEnd: true), "ab</s>", [1]),
    ])
  func ends(encoder: ToyEncoder, text: String, head: [Int]) {
    let ids = head + toy("ab") + [2]
    let whole = ExampleRenderer(encoder: encoder).render(text: text)
    #expect(whole.ids == ids)
    #expect(whole.isTrained.last == true)
    let cut = text.unicodeScalars.firstIndex(of: "b")!
    let answer = ExampleRenderer(encoder: encoder).render(
      prompt: String(text[..<cut]), completion: String(text[cut...]))
    #expect(answer.ids == ids)
    #expect(answer.isTrained == ids.indices.map { $0 >= ids.count - 2 })
  }

  @Test("a tokenizer without an end token adds none")
  func noEnd() {
    let rendering = ExampleRenderer(encoder: ToyEncoder(endID: nil)).render(text: "ab")
    #expect(rendering.ids == [1] + toy("ab"))
  }

  @Test("messages: what the template says the assistant printed is learnt, nothing is added")
  func messages() throws {
    let row: JSON = [
      "messages": [
        ["role": "user", "content": "a"], ["role": "assistant", "content": "b"], ["role": "user", "content": "c"],
        ["role": "assistant", "content": "de"],
      ]
    ]
    let messages = try ToyMessages().render(try #require(row.object), training: [false, true, false, true])
    let rendering = ExampleRenderer(encoder: ToyEncoder(), messages: ToyMessages()).render(messages)
    let learnt = zip(rendering.ids, rendering.isTrained).filter(\.1).map(\.0)
    #expect(learnt == toy("b") + [2] + toy("de") + [2])
    #expect(rendering.ids.count { $0 == 1 } == 1)
    #expect(rendering.ids.count { $0 == 2 } == 4)
    #expect(rendering.edgeTokens == 0)
  }
}
