public import HoldfastBasics

/// Where the files of a suite are looked for.
struct SuitePlace {
  /// Relative paths begin here.
  let folder: String

  func path(_ name: String) -> String { name.hasPrefix("/") || folder.isEmpty ? name : folder + "/" + name }
}

extension EvaluationTask {
  /// Reads a task's keys, and its items. All complaints go to the reader.
  init(_ reader: KeyReader, place: SuitePlace) {
    let kind = reader.required("kind", as: Kind.self, doc: "How the task asks; `format` may say it.")
    _ = reader.optional("format", as: TaskFormat.self, otherwise: "rows as evaluate reads them", doc: "How the rows of a well-known set are asked; every key may be given beside it.")
    let file = reader.optional("file", as: String.self, doc: "Rows (JSONL, JSON, CSV), or a text. Relative paths begin at the suite's folder, or at --data.")
    let world = reader.optional("world", as: String.self, doc: "A family of the little world instead of a file.")
    let split = reader.value("split", default: "test", doc: "Of the little world: validation or test.")
    let only = reader.optional("only", as: String.self, otherwise: "all", doc: "A JSON file that names rows by their id: its list, or the keys of its object.")
    let given = reader.optional("name", as: String.self, otherwise: "the file's name", doc: "What tables call it.")
    role = reader.value("role", default: .general, doc: "`general`: what the model could do before; `domain`: what it is being taught.")
    weight = reader.value("weight", default: 1.0, in: 0.0..., doc: "In the mean over its role's tasks; 0 stands aside.")
    let limit = reader.optional("limit", in: 1..., otherwise: "all", unit: "items", doc: "At most so many.")
    let seed = reader.optional("seed", as: Int.self, otherwise: "the first ones", doc: "Draws the items that `limit` leaves.")
    let metrics = TaskMetric.of(kind)
    let metric = reader.value("metric", default: metrics[0], defaultWords: "the kind's first", doc: "What the values are.")
    if !metrics.contains(metric) {
      reader.complain("metric", "\(metric.rawValue) is no metric of \(kind.rawValue); valid here: \(metrics.map(\.rawValue).joined(separator: ", "))")
    }
    self.kind = kind
    self.metric = metric

    var settings = TaskSettings()
    let keys = TaskKeys.of(kind.rawValue)
    func own<T>(_ key: String, _ body: () -> T) -> T { reader.when(keys.contains(key), "a task of kind \(kind.rawValue) does not read it") { _ in body() } }
    let prompts = own("prompt") { reader.optional("prompt", as: [String].self, otherwise: "the row's own", doc: "What stands before the answer: a template, or several forms of the question.") } ?? []
    let answer = own("answer") { reader.optional("answer", as: [String].self, otherwise: "the row's own", doc: "Template of the right answer, or of several; the first one is the completion.") } ?? []
    let completion = own("completion") { reader.optional("completion", as: String.self, otherwise: "the answer", doc: "Template of the answer as it reads behind the prompt, for shots.") }
    let options = own("options") { reader.optional("options", as: [String].self, otherwise: "the row's own", doc: "A template for each option.") } ?? []
    let correct = own("correct") { reader.optional("correct", as: String.self, otherwise: "the row's own", doc: "Template of the right option: its text, or its number from 0.") }
    settings.normalization = own("normalization") { reader.value("normalization", default: .byte, doc: "What an option's log-likelihood is divided by.") }
    settings.maximumTokens = own("max_tokens") { reader.value("max_tokens", default: 64, in: 1..., unit: "tokens", doc: "Of an answer at most.") }
    settings.stops = own("stop") { reader.value("stop", default: ["\n"], doc: "An answer ends before one of these.") }
    let extract = own("extract") { reader.optional("extract", as: String.self, otherwise: "all of it", doc: "Regular expression of the answer in what was generated: last match, first group. Where it fits nothing, the answer is wrong.") }
    settings.samples = own("samples") { reader.value("samples", default: 3, in: 0..., unit: "items", doc: "How many answers are kept as text.") }
    settings.window = own("window") { reader.optional("window", in: 2..., otherwise: "the model's context", unit: "tokens", doc: "Length of a window of text.") }
    let bytes = own("bytes") { reader.optional("bytes", in: 1..., otherwise: "all", unit: "bytes", doc: "Of a text at most, from its beginning to the end of a line.") }
    settings.isChat = own("chat") { reader.value("chat", default: false, doc: "Put the prompt into the model's chat template, as a user's turn.") }
    let shots = own("shots") { reader.value("shots", default: 0, in: 0..., unit: "items", doc: "Solved examples before the question.") }
    let shotsFile = own("shots_file") { reader.optional("shots_file", as: String.self, doc: "Where they come from; never the items themselves.") }
    let program = own("program") { reader.optional("program", as: String.self, doc: "Template of the program that is run; `completion` is what was generated. It passes if it exits with 0.") }
    let allowsCode = own("allow_code") { reader.value("allow_code", default: false, doc: "Run what the model wrote, locked down, on this machine.") }
    settings.timeout = own("timeout") { reader.value("timeout", default: 10.0, in: Above(0.0), unit: "seconds", doc: "Of a program.") }

    if kind == .code && !allowsCode && !reader.isDocumenting {
      reader.complain("allow_code", "is off; a task of kind code runs what the model wrote, and needs `allow_code: true`")
    }
    if let extract {
      do { settings.extract = try AnswerPattern(extract) } catch { reader.complain("extract", "is no regular expression: \(error)") }
    }
    if shots > 0 && shotsFile == nil && !reader.isDocumenting { reader.complain("shots_file", "is required where there are shots") }
    self.settings = settings

    name = given ?? world ?? file.map(Files.stem) ?? kind.rawValue
    let wantsItems = metric != .distance
    if reader.isDocumenting || !wantsItems {
      if !wantsItems && (file ?? world) != nil { reader.complain("file", "a distance between weights asks no items") }
      source = .none
      what = "distance of the weights"
      hash = ContentHash.of(JSON.object(reader.resolved).text())
      return
    }
    var items = ItemReading(reader: reader, place: place, kind: kind)
    items.templates(prompts: prompts, answer: answer, completion: completion, options: options, correct: correct, program: program)
    items.bytes = bytes
    items.shots = shots > 0 ? shotsFile.map { ($0, shots) } : nil
    source = items.read(file: file, world: world, split: split, only: only, limit: limit, seed: seed)
    what = items.what(count: source.count) + (shots > 0 ? ", \(shots) shots" : "") + (settings.isChat ? ", chat template" : "")
    var about = reader.resolved
    for key in ["name", "role", "weight", "file", "only", "shots_file", "format"] { about[key] = nil }
    about["contents"] = .array(items.contents.map(JSON.string))
    about["scoring"] = .integer(Self.scoringVersion)
    hash = ContentHash.of(JSON.object(about).text())
  }

  /// Goes up when values of the same items and answers change, so that no cache keeps old ones.
  private static let scoringVersion = 1
}

extension LengthNormalization: KeyChoice {}

extension Files {
  /// A file's name without folder and ending.
  static func stem(_ path: String) -> String {
    let name = name(of: path)
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }
}
