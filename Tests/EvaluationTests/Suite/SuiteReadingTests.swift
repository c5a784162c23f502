import HoldfastBasics
import HoldfastDatasets
import HoldfastEvaluation
import Testing

/// A folder that goes away with its test.
final class SuiteFolder {
  let path: String

  init(_ files: [String: String] = [:]) throws {
    path = "/tmp/holdfast-suite-\(UInt64.random(in: 0 ... .max))"
    try Files.makeFolder(path)
    for (name, text) in files { try Files.writeAtomically(text, to: path + "/" + name) }
  }

  deinit { try? Files.remove(path) }

  func suite(_ yaml: String) throws -> EvaluationSuite { try EvaluationSuite(yaml: yaml, subject: "suite.yaml", data: path) }

  func complaints(_ yaml: String) throws -> [String] {
    do {
      _ = try suite(yaml)
      return []
    } catch let problems as Problems { return problems.complaints }
  }

  func questions(_ yaml: String) throws -> [TaskQuestion] {
    guard case .questions(let questions) = try suite(yaml).tasks[0].source else { return [] }
    return questions
  }
}

@Suite("Reading suites") struct SuiteReadingTests {
  @Test("all that is wrong is said at once: files, metrics, empty sets, keys, formats, families, rows")
  func complaints() throws {
    let folder = try SuiteFolder([
      "empty.jsonl": "", "rows.jsonl": #"{"prompt": "a", "answer": "b"}"# + "\n", "bad.jsonl": #"{"prompt": "a"}"# + "\n{]\n",
      "text.txt": "ab ab",
    ])
    let found = try folder.complaints(
      """
      name: broken
      tasks:
        - {kind: nll, file: nowhere.txt}
        - {name: two, kind: generate, file: rows.jsonl, metric: exakt}
        - {name: two, kind: choice, file: empty.jsonl, metric: f1}
        - {kind: generate, file: rows.jsonl, prompt: "{{ promt }}", shots: 2, extract: "("}
        - {name: five, kind: generate, format: gsmk8, file: rows.jsonl, limt: 3}
        - {kind: generate, world: clinik}
        - {kind: reference, file: bad.jsonl, max_tokens: 8}
        - {name: eight, kind: code, file: rows.jsonl}
        - {name: nine, kind: nll}
      """)
    for expected in [
      "line 3: tasks[0].file: cannot read \(folder.path)/nowhere.txt: No such file or directory; check the path",
      "line 4: tasks[1].metric: exakt is not valid; one of",
      "did you mean exact?",
      "line 5: tasks[2].metric: f1 is no metric of choice; valid here: accuracy, right_share",
      "line 5: tasks[2].file: empty.jsonl holds no items",
      "line 6: tasks[3].prompt: the rows have no `promt`; did you mean prompt?",
      "line 6: tasks[3].shots_file: is required where there are shots",
      "line 6: tasks[3].extract: is no regular expression",
      "line 7: tasks[4].limt: no such key; did you mean tasks[4].limit?",
      "line 7: tasks[4].format: gsmk8 is not valid; one of",
      "did you mean gsm8k?",
      "line 8: tasks[5].world: clinik is no family of the little world; did you mean clinic?",
      "line 9: tasks[6].max_tokens: a task of kind reference does not read it",
      "line 9: tasks[6].file: line 2: not valid JSON",
      "line 10: tasks[7].allow_code: is off; a task of kind code runs what the model wrote, and needs `allow_code: true`",
      "line 10: tasks[7].program: is required",
      "line 11: tasks[8].file: is required",
      "tasks: two are called two",
    ] {
      #expect(found.contains { $0.contains(expected) }, "\(expected) is not among \(found)")
    }
    #expect(try folder.complaints("tasks: []") == ["line 1: tasks: is required: at least one"])
    #expect(try folder.complaints("tasks: [{kind: nll, file: text.txt}]") == [])
  }

  @Test("a task's hash is of its settings and its files' contents; name, role and weight are not in it")
  func hashes() throws {
    let rows = #"{"prompt": "a", "answer": "b"}"# + "\n"
    let folder = try SuiteFolder(["a.jsonl": rows, "b.jsonl": rows, "c.jsonl": rows + rows])
    func hash(_ task: String) throws -> String { try folder.suite("tasks: [{\(task)}]").tasks[0].hash }
    let own = try hash("kind: generate, file: a.jsonl")
    #expect(try hash("kind: generate, file: b.jsonl, name: other, role: domain, weight: 2") == own)
    #expect(try hash("kind: generate, file: c.jsonl") != own)
    #expect(try hash("kind: generate, file: a.jsonl, max_tokens: 3") != own)
    #expect(try hash("kind: reference, file: a.jsonl") != own)
    #expect(try folder.suite("tasks: [{kind: generate, file: a.jsonl}]").hash != folder.suite("tasks: [{kind: generate, file: a.jsonl, weight: 2}]").hash)
  }

  @Test("formats: what a row of each kind becomes")
  func formats() throws {
    let folder = try SuiteFolder([
      "arc.jsonl": #"{"id": "x", "question": {"stem": "Which floats?", "choices": [{"text": "cork", "label": "A"}, {"text": "iron", "label": "B"}]}, "answerKey": "A"}"#,
      "gsm.jsonl": #"{"question": "Two and two?", "answer": "Two and two are <<2+2=4>>4.\n#### 4"}"#,
      "pub.json": #"{"7": {"QUESTION": "Does it help?", "CONTEXTS": ["One.", "Two."], "final_decision": "no"}, "8": {"QUESTION": "q", "CONTEXTS": [], "final_decision": "yes"}}"#,
      "only.json": #"{"7": "no"}"#,
      "pair.jsonl": #"{"chosen": "\n\nHuman: hi\n\nAssistant: good day", "rejected": "\n\nHuman: hi\n\nAssistant: go away"}"#,
      "code.jsonl": #"{"prompt": "def f(x):\n", "entry_point": "f", "test": "def check(g):\n    assert g(1) == 2", "task_id": "T/0"}"#,
      "mbpp.jsonl": #"{"text": "Write f.", "test_list": ["assert f(1) == 2", "assert f(2) == 3"], "test_setup_code": "", "task_id": 1}"#,
      "alpaca.json": #"[{"instruction": "Say hi.", "input": "", "output": "Hi."}, {"instruction": "Add.", "input": "1 2", "output": "3"}]"#,
      "if.jsonl": #"{"key": 1, "prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}"#,
    ])
    let arc = try folder.questions("tasks: [{format: arc, file: arc.jsonl}]")[0]
    #expect(arc.prompts == ["Question: Which floats?\nAnswer:", "Q: Which floats?\nA:", "Which floats?\nThe answer is"])
    #expect(arc.options == [" cork", " iron"] && arc.correct == 0)
    let gsm = try folder.questions("tasks: [{format: gsm8k, file: gsm.jsonl, shots: 1, shots_file: gsm.jsonl}]")[0]
    #expect(gsm.references == ["4"])
    #expect(gsm.prompts == ["Question: Two and two?\nAnswer: Two and two are <<2+2=4>>4.\n#### 4\n\nQuestion: Two and two?\nAnswer:"])
    let pub = try folder.questions("tasks: [{format: pubmedqa, file: pub.json, only: only.json}]")
    #expect(pub.count == 1 && pub[0].correct == 1 && pub[0].prompts[0] == "Abstract: One.\nTwo.\nQuestion: Does it help?\nAnswer:")
    let pair = try folder.questions("tasks: [{format: preference, file: pair.jsonl}]")[0]
    #expect(pair.prompts == ["\n\nHuman: hi\n\nAssistant:"] && pair.options == [" good day", " go away"] && pair.correct == 0)
    let code = try folder.questions("tasks: [{format: humaneval, file: code.jsonl, allow_code: true}]")[0]
    #expect(code.program?.before == "def f(x):\n" && code.program?.after == "\ndef check(g):\n    assert g(1) == 2\ncheck(f)")
    let mbpp = try folder.questions("tasks: [{format: mbpp, file: mbpp.jsonl, allow_code: true}]")[0]
    #expect(mbpp.prompts == ["\"\"\"\nWrite f.\nassert f(1) == 2\nassert f(2) == 3\n\"\"\""])
    #expect(mbpp.program?.before == "\n" && mbpp.program?.after == "\nassert f(1) == 2\nassert f(2) == 3")
    let alpaca = try folder.questions("tasks: [{format: instruction, file: alpaca.json}]")
    #expect(alpaca.map(\.prompts[0]) == ["### Instruction:\nSay hi.\n\n### Response:", "### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:"])
    #expect(alpaca.map(\.completion) == ["\nHi.", "\n3"])
    #expect(try folder.questions("tasks: [{format: ifeval, file: if.jsonl}]")[0].instructions.map(\.id) == ["punctuation:no_comma"])
    #expect(try folder.suite("tasks: [{format: ifeval, file: if.jsonl}]").tasks[0].settings.stops == [])
  }

  @Test("items of the little world, and a seed that draws which")
  func limits() throws {
    let folder = try SuiteFolder(["rows.jsonl": (0..<50).map { #"{"prompt": "q\#($0)", "answer": "a"}"# }.joined(separator: "\n")])
    let world = try folder.questions("tasks: [{kind: generate, world: clinic, limit: 5}]")
    #expect(world.map(\.prompts[0]) == LittleWorld().items(.clinic, .test, count: 5).map(\.prompt))
    #expect(try folder.questions("tasks: [{kind: generate, file: rows.jsonl, limit: 3}]").map(\.line) == [1, 2, 3])
    let drawn = try folder.questions("tasks: [{kind: generate, file: rows.jsonl, limit: 3, seed: 4}]").map(\.line)
    #expect(drawn.count == 3 && drawn == drawn.sorted() && drawn != [1, 2, 3])
    #expect(try folder.suite("tasks: [{kind: generate, file: rows.jsonl, limit: 3}]").tasks[0].what == "rows.jsonl, 3 of 50 items")
  }

  @Test("items that were trained on are refused: whole, in other white space, or in most of their long runs")
  func trainedOn() throws {
    let story = "the old ship came back to the harbour at noon with all of its blue sails torn by the west wind and nobody on board"
    let folder = try SuiteFolder([
      "items.jsonl": """
        {"prompt": "Two and two?", "answer": "four"}
        {"prompt": "Three and three?", "answer": "six"}
        {"prompt": "\(story)", "answer": "indeed"}
        """,
      "text.txt": "short line\nThis line of a text was read before, word for word, in training.\nAnd this one was never seen by anybody at all.\n",
      "train.jsonl": """
        {"prompt": "Two  and\\n two?", "completion": " Four"}
        {"text": "Once upon a time \(story), or so they say"}
        {"text": "this line of a text was read before, word for word, in training"}
        """,
    ])
    let suite = try folder.suite("name: mine\ntasks: [{kind: generate, file: items.jsonl}, {kind: nll, file: text.txt}]")
    var seen = TrainedOn()
    #expect(try seen.remember(file: folder.path + "/train.jsonl") == 3)
    let found = seen.overlaps(with: suite)
    #expect(found.map { "\($0.task) \($0.item) \($0.isWhole)" } == ["items 1 true", "items 3 false", "text 2 true"])
    let problems = #expect(throws: Problems.self) { try seen.check(suite) }
    #expect(problems?.complaints.count == 2)
    #expect(
      problems?.complaints.first
        == "items: 2 of 3 items stand in the training data (1 whole, the others in most of their runs of 13 words): 1, 3; take them out of one or the other")
    var other = TrainedOn()
    other.remember("something else altogether")
    try other.check(suite)
  }
}
