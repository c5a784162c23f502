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
    let weights = try #require(lines[1]["weights"]?.array), marks = try #require(lines[1]["trained"]?.array)
    #expect(weights == marks.map { .number(($0.double ?? 0) / 2) } && lines[0]["weights"] == nil)
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
    #expect(!outcome.errors.contains("line 2: ") && outcome.errors.contains("line 3: "))
  }

  /// Weights scale the loss and the gradient, and never the count.
  @Test func weightsScaleTheLossAndNotTheCount() throws {
    let shop = try Workshop(examples: 1)
    try shop.write("{% for m in messages %}{{ m.content }}{% endfor %}", to: "model/chat_template.jinja")
    func step(_ name: String, _ weight: String) throws -> JSON {
      let rows = (0..<6).map {
        #"{"messages": [{"role": "user", "content": "what is \#($0)"}, {"role": "assistant", "content": " it is \#($0) indeed"\#(weight)}]}"#
      }
      let data = try shop.write(rows.joined(separator: "\n"), to: name + ".jsonl")
      let outcome = shop.holdfast("tune", try shop.recipe(name, "data: [{path: \(data)}]\nsteps: 1\noptimizer: {max_norm: 0}"))
      try #require(outcome.status == 0, "\(outcome.errors)")
      let file = try MappedFile(path: "\(shop.path)/\(name)/metrics.jsonl")
      return try JSON(text: String(try #require(file.text().split(separator: "\n").first)))
    }
    let plain = try step("plain", ""), half = try step("half", #", "weight": 0.5"#)
    #expect(plain["units"] == half["units"] && plain["units"]?.int ?? 0 > 10)
    for key in ["loss", "norm"] {
      let (a, b) = (try #require(plain[key]?.double), try #require(half[key]?.double))
      #expect(abs(b / a - 0.5) < 1e-5, "\(key): \(a) and \(b)")
    }
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
