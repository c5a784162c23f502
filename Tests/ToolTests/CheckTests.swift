import HoldfastBasics
import HoldfastDatasets
import HoldfastModels
import HoldfastRecords
import Testing

struct CheckTests {
  /// Rows of which every count is known.
  private let rows = [
    #"{"prompt": "a b c d e f g h i j", "completion": " k l m n o p q r s t u v w x y z z y x w v u t s r q a c e g i k m o p"}"#,
    #"{"prompt": "a b c d e f g h i j", "completion": " k l m n o p q r s t u v w x y z z y x w v u t s r q a c e g i k m o p"}"#,  // again
    #"{"prompt": "a b c d e f g h i j", "completion": " k l m n o p q r s t u v w x y z z y x w v u t s r q a c e g i k m o b"}"#,  // nearly, where letters are tokens
    #"{"prompt": "the bell of the bay rings", "completion": " at noon"}"#,
  ]

  private func source(_ lines: [String], _ shop: Workshop, _ name: String = "rows.jsonl") throws -> String {
    try shop.write(lines.joined(separator: "\n") + "\n", to: name)
  }

  @Test func countsDuplicatesAndContamination() throws {
    let shop = try Workshop(examples: 1)
    let path = try source(rows, shop)
    let held = try source([rows[3], #"{"prompt": "x", "completion": "y"}"#], shop, "held.jsonl")
    let outcome = shop.holdfast("check", "--model", shop.path + "/model", "--data", path, "--against", held, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let found = try #require(try outcome.lines().first)
    #expect(found["rows"] == 4 && found["examples"] == 4 && found["bad_rows"] == 0 && found["format"] == "prompt_completion")
    #expect(found["duplicates"] == 1 && found["contaminated"] == 1, "\(outcome.output)")
    #expect(found["near_duplicates"] == 1 && found["nearly_contaminated"] == 0, "\(outcome.output)")
    #expect(found["without_end"] == 0 && found["doubled_beginnings"] == 0)
    let lengths = try #require(found["lengths"]?.array).compactMap { $0["examples"]?.int }
    #expect(lengths.reduce(0, +) == 4)
    let tokens = try #require(found["tokens"]?.int), trained = try #require(found["trained_tokens"]?.int)
    #expect(trained > 4 && trained < tokens)
  }

  @Test func refusesWhatTuneRefuses() throws {
    let shop = try Workshop(examples: 1)
    let path = try source([rows[0], "{", #"{"prompt": "a", "completion": ""}"#, rows[3]], shop)
    let recipe = try shop.recipe("checked", "data: [{path: \(path)}]\nsteps: 1")
    let check = shop.holdfast("check", recipe)
    #expect(check.status == 2)
    #expect(check.output.contains("2 of 4 rows cannot be trained on") && check.output.contains("line 2: not valid JSON"), "\(check.output)")
    #expect(shop.holdfast("tune", recipe).status == 1)
    let lenient = try shop.recipe("lenient", "data: [{path: \(path)}]\nsteps: 1\nbad_rows: {skip: 0.5}")
    #expect(shop.holdfast("check", lenient).status == 0)
    #expect(shop.holdfast("tune", lenient).status == 0)
    // Too long for a row: the same verdict with and without a recipe.
    #expect(shop.holdfast("check", "--model", shop.path + "/model", "--data", path, "--sequence-length", "4", "--json").status == 2)
    #expect(shop.holdfast("check", "--data", path).status == 64)
    #expect(shop.holdfast("check", shop.path + "/nowhere.yaml").status != 0)
  }

  @Test func showsWhatIsLearnt() throws {
    let shop = try Workshop(examples: 1)
    let path = try source(rows, shop)
    let page = shop.path + "/page.html"
    let outcome = shop.holdfast("check", "--model", shop.path + "/model", "--data", path, "--show", "2", "--html", page)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("⟦ k l m n o p"), "\(outcome.output)")
    #expect(!outcome.output.contains("\u{1B}"))
    let html = try MappedFile(path: page).text()
    #expect(html.contains("<mark> k l m n o p") && html.contains("tune would take this data."))
    #expect(!html.contains("http://") && !html.contains("<script"))
  }

  @Test func historyThatDiffersIsShown() throws {
    let shop = try Workshop(examples: 1)
    try shop.write(
      "{% for m in messages %}<s>{{ m.role }}: {{ m.content.split('/')[-1] if not loop.last else m.content }}</s>{% endfor %}",
      to: "model/chat_template.jinja")
    let row = #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x/b"}, "#
      + #"{"role": "user", "content": "y/c"}, {"role": "assistant", "content": "d"}]}"#
    let path = try source([row], shop)
    let refused = shop.holdfast("check", "--model", shop.path + "/model", "--data", path)
    #expect(refused.status == 2 && refused.output.contains("otherwise than at inference"), "\(refused.output)")
    let split = shop.holdfast("check", "--model", shop.path + "/model", "--data", path, "--turns", "split", "--json")
    let found = try #require(try split.lines().first)
    #expect(split.status == 0 && found["examples"] == 2 && found["history_differences"] == 1)
  }

  /// The labels that a training log counts are those that the oracle of the mask marked.
  @Test func loggedUnitsAreTheOracles() throws {
    let fixtures = packageRoot + "/Tests/Fixtures"
    let fixture = try JSON(text: MappedFile(path: fixtures + "/mask/cases.json").text())
    let cases = try #require(fixture["cases"]?.array).filter {
      $0["tokenizer"] == "bytes" && $0["trained"]?.array?.contains(1) == true
    }
    for template in ["plain", "calls in a loop", "reasoning"] {
      let chosen = cases.filter { $0["template"] == .string(template) }
      try #require(!chosen.isEmpty)
      let shop = try Workshop(examples: 1)
      try shop.write(MappedFile(path: fixtures + "/tokenizers/bytes/tokenizer.json").text(), to: "model/tokenizer.json")
      var configuration = try #require(fixture["tokens"]?.object)
      configuration["chat_template"] = fixture["templates"]?[template]
      try shop.write(JSON.object(configuration).text(), to: "model/tokenizer_config.json")
      var model = try #require(try JSON(text: MappedFile(path: shop.path + "/model/config.json").text()).object)
      model["vocab_size"] = 2048
      try shop.write(JSON.object(model).text(), to: "model/config.json")
      let path = try source(chosen.compactMap { $0["row"]?.text() }, shop)
      let recipe = try shop.recipe(
        "run", "data: [{path: \(path), turns: all}]\nsequence_length: 2048\nepochs: 1\nbatch: 1")
      let outcome = shop.holdfast("tune", recipe)
      try #require(outcome.status == 0, "\(outcome.errors)")
      let units = try RunFolder(shop.path + "/run").readMetrics().steps.map(\.units).reduce(0, +)
      #expect(units == chosen.flatMap { $0["trained"]?.array ?? [] }.compactMap(\.int).reduce(0, +), "\(template)")
    }
  }
}
