import HoldfastBasics
import Testing
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct RenderTests {
  private let template =
    "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant: {% endif %}"

  private func shop() throws -> Workshop {
    let shop = try Workshop(examples: 1)
    try shop.write(template, to: "model/chat_template.jinja")
    try shop.write(MappedFile(path: packageRoot + "/Tests/Fixtures/tokenizers/bytes/tokenizer.json").text(), to: "model/tokenizer.json")
    try shop.write("{}", to: "model/tokenizer_config.json")
    return shop
  }

  private let rows = """
    {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
    {"messages": [{"role": "assistant", "content": "a", "train": false}, {"role": "assistant", "content": "b", "weight": 0.5}]}
    {"messages": 3}
    {"messages": []}

    """

  @Test func json() throws {
    let shop = try shop()
    let fine = try shop.holdfast("render", "--model", shop.path + "/model", "--json", reading: rows)
    #expect(fine.status == 0, "\(fine.errors)")
    let lines = try fine.output.split(separator: "\n").map { try JSON(text: String($0)) }
    try #require(lines.count == 4)
    #expect(lines[0]["rendered"] == "<s>user: hi</s><s>assistant: ho</s>")
    let ids = try #require(lines[0]["ids"]?.array), trained = try #require(lines[0]["trained"]?.array)
    #expect(ids.count == trained.count && ids.count > 4)
    // What is learnt is the tail of the text: the answer and its end.
    let learnt = trained.compactMap(\.int)
    #expect(learnt == learnt.sorted() && (1..<ids.count).contains(learnt.reduce(0, +)))
    #expect(lines[1]["error"]?.string?.contains("`weight` of message 2 must be 0") == true)
    #expect(lines[2]["error"] != nil)
    #expect(lines[3]["rendered"] == "" && lines[3]["ids"] == [])
    let prompted = try shop.holdfast("render", "--model", shop.path + "/model", "--json", "--add-generation-prompt", reading: rows)
    #expect(prompted.output.hasPrefix(#"{"rendered": "<s>user: hi</s><s>assistant: ho</s><s>assistant: ", "#))
  }

  @Test func withoutColour() throws {
    let shop = try shop()
    let outcome = try shop.holdfast("render", "--model", shop.path + "/model", reading: rows)
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("<s>user: hi</s><s>assistant: ⟦ho</s>⟧"), "\(outcome.output)")
    #expect(!outcome.output.contains("\u{1B}"))
    #expect(outcome.errors.contains("line 2: ") && outcome.errors.contains("line 3: "))
  }

  @Test func aModelWithoutATemplateIsNamed() throws {
    let shop = try Workshop(examples: 1)
    try shop.write("{}", to: "model/tokenizer_config.json")
    let outcome = try shop.holdfast("render", "--model", shop.path + "/model", reading: rows)
    #expect(outcome.status == 1 && outcome.errors.contains("chat_template"))
  }

  /// A Python that has what the oracle needs.
  private static let python: String? = {
    guard let shop = try? Workshop(examples: 1) else { return nil }
    let name = ProcessInfo.processInfo.environment["HOLDFAST_PYTHON"] ?? "python3"
    return Process(["-c", "import jinja2, tokenizers"], in: shop.path, program: name).wait().status == 0 ? name : nil
  }()

  @Test(
    .enabled(if: Files.exists(packageRoot + "/../shared/chat-templates"), "../shared/chat-templates is not there"),
    .enabled(if: python != nil, "the Python packages jinja2 and tokenizers are not there"))
  func `an independent oracle agrees on ids and mask`() throws {
    let shop = try Workshop(examples: 1)
    let outcome = Process(
      [packageRoot + "/Scripts/mask_oracle.py", "--count", "208", "--seed", "7"], in: shop.path, program: Self.python ?? "").wait()
    #expect(outcome.status == 0 && outcome.output.contains("; 0 disagree"), "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.hasPrefix("208 conversations over 13 templates"))
  }
}
