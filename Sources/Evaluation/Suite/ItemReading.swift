internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastTokenizers

/// Makes a task's items of a file's rows. Complaints go to the task's reader.
struct ItemReading {
  let reader: KeyReader
  let place: SuitePlace
  let kind: EvaluationTask.Kind
  var shots: (file: String, count: Int)?
  /// Of a text at most.
  var bytes: Int?
  /// Hashes of what was read.
  private(set) var contents: [String] = []
  private var origin = ""
  private var total = 0

  private var prompts: [RowTemplate] = [], answers: [RowTemplate] = [], options: [RowTemplate] = []
  private var completion, correct, program: RowTemplate?
  /// A template is wrong or missing: files are still looked at, but nothing is made of their rows.
  private var isBroken = false

  init(reader: KeyReader, place: SuitePlace, kind: EvaluationTask.Kind) {
    self.reader = reader
    self.place = place
    self.kind = kind
  }

  mutating func templates(prompts: [String], answer: [String], completion: String?, options: [String], correct: String?, program: String?) {
    self.prompts = read(prompts, "prompt")
    answers = read(answer, "answer")
    self.options = read(options, "options")
    self.completion = read([completion].compactMap { $0 }, "completion").first
    self.correct = read([correct].compactMap { $0 }, "correct").first
    self.program = read([program].compactMap { $0 }, "program").first
    if options.count == 1 { complain("options", "one option leaves nothing to choose") }
    if !options.isEmpty && correct == nil { complain("correct", "is required beside `options`: a template of the right one") }
    if kind == .code && program == nil { complain("program", "is required: a template of the program that is run, or `format: humaneval`") }
    if kind == .nll && prompts.count > 1 { complain("prompt", "a text has one form") }
  }

  private mutating func read(_ sources: [String], _ key: String) -> [RowTemplate] {
    var templates: [RowTemplate] = []
    for source in sources {
      do throws(TemplateError) { templates.append(try RowTemplate(source)) } catch {
        complain(key, "is no template: \(error.message) (line \(error.line))")
      }
    }
    return templates
  }

  private mutating func complain(_ key: String, _ words: String) {
    reader.complain(key, words)
    isBroken = true
  }

  /// In words.
  func what(count: Int) -> String {
    let items = kind == .nll || kind == .drift ? "texts" : "items"
    let forms = prompts.count > 1 ? ", \(prompts.count) forms of the prompt" : ""
    return "\(origin), \(count == total ? "" : "\(count) of ")\(total) \(count == 1 && total == 1 ? String(items.dropLast()) : items)\(forms)"
  }

  // MARK: Rows

  private typealias Row = (line: Int, row: JSONObject)

  mutating func read(file: String?, world: String?, split: String, only: String?, limit: Int?, seed: Int?) -> TaskItems {
    guard (file == nil) != (world == nil) else {
      reader.complain("file", file == nil ? "is required: where the items come from" : "and `world` cannot both be given")
      return .none
    }
    if let file, kind == .nll || kind == .drift, !isRows(file) { return text(file) }
    guard var rows = file.map({ self.rows($0, key: "file") }) ?? worldRows(world!, split: split, limit: limit) else { return .none }
    if let only { rows = chosen(rows, only) }
    if rows.isEmpty {
      reader.complain(file == nil ? "world" : "file", "\(file ?? world!) holds no items\(only == nil ? "" : " that `only` names")")
      return .none
    }
    total = rows.count
    if let limit, limit < rows.count {
      let picked = seed.map { seed in
        var generator = CounterGenerator(seed: UInt64(bitPattern: Int64(seed)), "suite items")
        return generator.subset(of: rows.count, size: limit)
      }
      rows = picked.map { $0.map { rows[$0] } } ?? Array(rows.prefix(limit))
    }
    if isBroken { return .none }
    let front = shotsText()
    return items(rows, front: front)
  }

  private func isRows(_ file: String) -> Bool {
    [".jsonl", ".ndjson", ".json", ".csv"].contains { ending in file.hasSuffix(ending) || file.hasSuffix(ending + ".gz") || file.hasSuffix(ending + ".zst") }
  }

  private mutating func text(_ file: String) -> TaskItems {
    let path = place.path(file)
    origin = Files.name(of: path)
    total = 1
    do {
      let mapped = try MappedFile(path: path)
      let text = Self.beginning(of: try mapped.text(), bytes)
      contents.append(ContentHash.of(text))
      if text.trimmed.isEmpty { reader.complain("file", "\(file) is empty") }
      return .texts([text])
    } catch {
      reader.complain("file", "\(error)")
      return .none
    }
  }

  /// Whole lines of at most so many bytes; a first line that is longer is cut.
  private static func beginning(of text: String, _ bytes: Int?) -> String {
    guard let bytes, text.utf8.count > bytes else { return text }
    let part = text.utf8.prefix(bytes)
    let end = part.lastIndex(of: 0x0A).map { text.utf8.index(after: $0) }
    return String(text.unicodeScalars[..<(end ?? text.unicodeScalars.index(before: part.endIndex))])
  }

  /// nil after a complaint.
  private mutating func rows(_ file: String, key: String) -> [Row]? {
    let path = place.path(file)
    if key == "file" { origin = Files.name(of: path) }
    do {
      contents.append(try ContentHash.of(file: path))
      if path.hasSuffix(".json"), let rows = try table(path) { return rows }
      var result: [Row] = [], bad: [String] = []
      var reading = Rows([path])
      while let (_, line, row) = try reading.next() {
        switch row {
        case .success(let row): result.append((line, row))
        case .failure(let error): bad.append("line \(line): \(error.reason)")
        }
      }
      complain(bad, key)
      return bad.isEmpty ? result : nil
    } catch {
      reader.complain(key, "\(error)")
      return nil
    }
  }

  /// One object whose members are the rows, each under its id.
  private func table(_ path: String) throws -> [Row]? {
    let file = try MappedFile(path: path)
    guard let object = try withExtendedLifetime(file, { try file.json() }).object, object.values.allSatisfy({ $0.object != nil }) else { return nil }
    return zip(object.keys, object.values).enumerated().map { number, member in
      var row = member.1.object!
      if row["id"] == nil { row["id"] = .string(member.0) }
      return (number + 1, row)
    }
  }

  private mutating func worldRows(_ name: String, split: String, limit: Int?) -> [Row]? {
    guard let family = LittleWorld.Family(rawValue: name) else {
      let families = LittleWorld.Family.allCases.map(\.rawValue)
      let guess = nearestName(to: name, among: families).map { "did you mean \($0)?" } ?? "valid here: \(families.joined(separator: ", "))"
      reader.complain("world", "\(name) is no family of the little world; \(guess)")
      return nil
    }
    guard let split = LittleWorld.Split(rawValue: split), split != .train else {
      reader.complain("split", "\(split) is not valid; validation or test is")
      return nil
    }
    let world = LittleWorld()
    let items = world.items(family, split, count: limit ?? 2000)
    origin = "little world, \(name), \(split.rawValue)"
    contents.append("little world \(world.seed) " + ContentHash.of(items.map { $0.prompt + $0.completion }.joined(separator: "\n")))
    return items.enumerated().compactMap { number, item in item.evaluationRow.object.map { (number + 1, $0) } }
  }

  /// The rows whose id a file names.
  private mutating func chosen(_ rows: [Row], _ only: String) -> [Row] {
    let path = place.path(only)
    do {
      let file = try MappedFile(path: path)
      let json = try withExtendedLifetime(file) { try file.json() }
      contents.append(try ContentHash.of(file: path))
      guard let names = json.object?.keys ?? json.array?.map({ $0.string ?? $0.text() }) else {
        reader.complain("only", "\(only) is neither a list of ids nor an object with ids as keys")
        return rows
      }
      let wanted = Set(names)
      return rows.filter { row in ["id", "key", "task_id"].contains { key in row.row[key].map { wanted.contains($0.string ?? $0.text()) } == true } }
    } catch {
      reader.complain("only", "\(error)")
      return rows
    }
  }

  private func complain(_ bad: [String], _ key: String) {
    for words in bad.prefix(5) { reader.complain(key, words) }
    if bad.count > 5 { reader.complain(key, "and \(bad.count - 5) more rows") }
  }

  // MARK: Items

  private func items(_ rows: [Row], front: String) -> TaskItems {
    // A member that no row has is a mistyped name, and would print as nothing.
    let known = rows.prefix(20).flatMap(\.row.keys)
    for (key, templates) in [("prompt", prompts), ("answer", answers), ("options", options), ("correct", [correct].compactMap { $0 }), ("program", [program].compactMap { $0 })] {
      for name in Set(templates.flatMap { template in template.missing(in: rows[0].row) }).sorted() where !known.contains(name) && !(key == "program" && name == "completion") {
        let guess = nearestName(to: name, among: known).map { "; did you mean \($0)?" } ?? "; they have \(rows[0].row.keys.joined(separator: ", "))"
        reader.complain(key, "the rows have no `\(name)`\(guess)")
        return .none
      }
    }
    var bad: [String] = [], texts: [String] = [], questions: [TaskQuestion] = []
    for (line, row) in rows {
      do throws(RowError) {
        if kind == .nll || kind == .drift {
          texts.append(try document(row))
        } else {
          questions.append(try question(row, line: line, front: front))
        }
      } catch {
        bad.append("line \(line): \(error.reason)")
      }
    }
    complain(bad, "file")
    return kind == .nll || kind == .drift ? .texts(texts) : .questions(questions)
  }

  private func render(_ template: RowTemplate, _ row: JSONObject) throws(RowError) -> String {
    do throws(TemplateError) { return try template.text(of: row) } catch { throw RowError("template \(template.source.prefix(40)): \(error.message)") }
  }

  /// A text of a row: the template's, `text`, or prompt and completion.
  private func document(_ row: JSONObject) throws(RowError) -> String {
    if let prompt = prompts.first {
      return try render(prompt, row) + (answers.first.map { template throws(RowError) in try render(template, row) } ?? "")
    }
    if let text = row["text"]?.string { return text }
    let stem = try QuestionStem(row)
    guard let text = row["completion"]?.string ?? row["answer"]?.string else { throw RowError("it has neither `text` nor `prompt` and `completion`") }
    return stem.prompt + stem.behind(text)
  }

  private func question(_ row: JSONObject, line: Int, front: String) throws(RowError) -> TaskQuestion {
    var forms: [String] = []
    for template in prompts { forms.append(try render(template, row)) }
    var question = TaskQuestion(prompts: forms, completion: "", references: [], line: line)
    func behind(_ text: String) -> String {
      forms.isEmpty || text.first?.isWhitespace == true || forms[0].last?.isWhitespace != false ? text : " " + text
    }
    switch kind {
    case .choice:
      if options.isEmpty {
        let choice = try ChoiceRow(prompts.isEmpty ? row : row.with("prompt", .string(forms[0])))
        if forms.isEmpty { question.prompts = [choice.prompt] }
        question.options = choice.options.map(behind)
        question.correct = choice.correct
      } else {
        if forms.isEmpty { question.prompts = [try QuestionStem(row).prompt] }
        for option in options { question.options.append(try render(option, row)) }
        let right = try render(correct!, row).trimmed
        guard let place = question.options.firstIndex(where: { $0.trimmed == right }) ?? Int(right).flatMap({ question.options.indices.contains($0) ? $0 : nil }) else {
          throw RowError("the right option \"\(right)\" is none of \(question.options.map(\.trimmed).joined(separator: ", "))")
        }
        question.correct = place
      }
      if question.options.contains("") { throw RowError("an option is empty") }
      question.completion = question.options[question.correct!]
    case .generate, .reference:
      if answers.isEmpty {
        let stem = try QuestionStem(row)
        if forms.isEmpty { question.prompts = [stem.prompt] }
        guard let answer = row["completion"] ?? row["answer"] ?? row["answerKey"] else { throw RowError("it needs `answer` as a text") }
        // SQuAD's rows list several texts.
        let texts = answer.string.map { [$0] } ?? (answer.array ?? answer["text"]?.array)?.compactMap(\.string) ?? []
        guard let first = texts.first else { throw RowError("its answer is no text") }
        question.completion = forms.isEmpty ? stem.behind(first) : behind(first)
        question.references = texts.map(\.trimmed)
        if let answer = row["answer"]?.string { question.references[0] = answer.trimmed }
      } else {
        if forms.isEmpty { question.prompts = [try QuestionStem(row).prompt] }
        for answer in answers { question.references.append(try render(answer, row)) }
        question.completion = behind(try completion.map { template throws(RowError) in try render(template, row) } ?? question.references[0])
        question.references = question.references.map(\.trimmed)
      }
      if question.references.contains("") { throw RowError("the answer is empty") }
    case .ifeval:
      if forms.isEmpty { question.prompts = [try QuestionStem(row).prompt] }
      question.instructions = try InstructionCheck.instructions(of: row)
    case .code:
      if forms.isEmpty { question.prompts = [try QuestionStem(row).prompt] }
      // What is generated takes a mark's place, so that the template need not run again.
      let mark = "\u{F8FF}completion\u{F8FF}"
      let parts = try render(program!, row.with("completion", .string(mark)))
      guard let place = parts.firstRange(of: mark) else { throw RowError("the program has no place for what is generated: {{ completion }}") }
      question.program = (String(parts[..<place.lowerBound]), String(parts[place.upperBound...]))
    case .nll, .drift: break
    }
    if question.prompts.contains("") { throw RowError("the prompt is empty") }
    question.plain = [question.prompts[0] + " " + question.completion, question.prompts[0] + question.completion] + TrainedOn.pair(of: row)
    question.prompts = question.prompts.map { front + $0 }
    return question
  }

  /// Solved examples, each followed by an empty line.
  private mutating func shotsText() -> String {
    guard let (file, count) = shots, let rows = rows(file, key: "shots_file") else { return "" }
    var text = "", found = 0
    for (line, row) in rows where found < count {
      do throws(RowError) {
        let example = try question(row, line: line, front: "")
        text += example.prompts[0] + example.completion + "\n\n"
        found += 1
      } catch {
        reader.complain("shots_file", "line \(line): \(error.reason)")
        return ""
      }
    }
    if found < count { reader.complain("shots_file", "\(file) has \(found) rows, and \(count) are wanted") }
    return text
  }
}

extension JSONObject {
  fileprivate func with(_ key: String, _ value: JSON) -> JSONObject {
    var copy = self
    copy[key] = value
    return copy
  }
}
