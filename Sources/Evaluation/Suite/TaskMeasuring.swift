internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords
internal import HoldfastTokenizers
#if canImport(Glibc)
internal import Glibc
#else
internal import Foundation
#endif

/// What a measurement finds before it is a result.
struct TaskValues {
  var perItem: [Double] = []
  var weights: [Double]?
  var chance: Double?
  var forms: [Estimate] = []
  var others: [(suffix: String, estimate: Estimate, unit: String)] = []
  var samples: [TaskResult.Sample] = []
}

extension Evaluator {
  /// Asks one task.
  ///
  /// - Parameter base: what a task of kind drift compares with; without one it traps.
  func measure(_ task: EvaluationTask, base: Evaluator?) throws -> TaskResult {
    let values: TaskValues
    do {
      switch task.source {
      case .texts(let texts): values = task.kind == .drift ? try drift(task, texts, base!) : try textValues(task, texts)
      case .none: values = TaskValues(perItem: [try base!.distance(to: self)])
      case .questions(let plain):
        let questions = task.settings.isChat ? try inChat(plain) : plain
        switch task.kind {
        case .choice: values = try choiceValues(task, questions)
        case .reference: values = try referenceValues(task, questions)
        case .ifeval: values = try instructionValues(task, questions)
        case .code: values = try programValues(task, questions)
        default: values = try answerValues(task, questions)
        }
      }
    } catch let error as EngineError {
      throw Problems(task.name, ["\(error)"])
    }
    return TaskResult(
      name: task.name, kind: task.kind, role: task.role, metric: task.metric, weight: task.weight, what: task.what, chance: values.chance,
      perItem: values.perItem, itemWeights: values.weights, forms: values.forms,
      others: values.others.map { $0.estimate.record("\(task.name).\($0.suffix)", unit: $0.unit, what: task.what) },
      samples: values.samples, taskHash: task.hash)
  }

  /// Prompts as a user's turn in the model's chat template, up to where the model answers.
  private func inChat(_ questions: [TaskQuestion]) throws -> [TaskQuestion] {
    guard let template = try TemplateMessages(tokenizer) else {
      throw EngineError("`chat: true`, but the model's tokenizer brings no chat template")
    }
    return try questions.map { question in
      var question = question
      question.prompts = try question.prompts.map { prompt in
        let messages: JSON = [["role": "user", "content": .string(prompt)]]
        return try template.render(JSONObject([("messages", messages)]), training: [false], addGenerationPrompt: true).text
      }
      return question
    }
  }

  // MARK: Texts

  /// Values of blocks of neighbouring labels: their likelihoods are alike, so that blocks are the items.
  private func textValues(_ task: EvaluationTask, _ texts: [String]) throws -> TaskValues {
    let rule = window(task)
    let scored = try scores(ofTexts: texts, rule: rule)
    var values = TaskValues(weights: [])
    var labels = 0, bytes = 0, nats = 0.0
    for (text, scores) in zip(texts, scored) {
      // What stands first in a window without a front has no likelihood, and its bytes are not counted either.
      let skipped = zip(scores.ids, scores.scores).reduce(0) { $0 + ($1.1 == nil ? tokenizer.decode([$1.0]).utf8.count : 0) }
      bytes += max(0, text.utf8.count - skipped)
      for block in scores.blocks() {
        values.perItem.append(-block.logProbability / Double(block.count))
        values.weights!.append(Double(block.count))
        labels += block.count
        nats -= block.logProbability
      }
    }
    guard labels > 0, bytes > 0 else { throw EngineError("the texts hold no token that can be scored") }
    let perLabel = Estimate.weighted(values.perItem, weights: values.weights), scale = Double(labels) / (Double(bytes) * log(2))
    if task.metric == .bitsPerByte {
      values.others.append(("nats_per_label", perLabel, TaskMetric.natsPerLabel.unit))
      values.perItem = values.perItem.map { $0 * scale }
    } else {
      values.others.append(("bits_per_byte", perLabel.scaled(by: scale), TaskMetric.bitsPerByte.unit))
    }
    return values
  }

  func window(_ task: EvaluationTask) -> WindowRule {
    var rule = windowRule
    if let length = task.settings.window { rule.length = min(rule.length, max(length, front.count + 2)) }
    return rule
  }

  // MARK: Options

  private func choiceValues(_ task: EvaluationTask, _ questions: [TaskQuestion]) throws -> TaskValues {
    var values = TaskValues(perItem: Array(repeating: 0, count: questions.count))
    let count = questions.map(\.prompts.count).min() ?? 1
    for form in 0..<count {
      let scores = try choices(questions.map { $0.item(form) })
      let found = task.metric == .accuracy ? scores.hits(task.settings.normalization) : scores.rightShares(task.settings.normalization)
      for i in found.indices { values.perItem[i] += found[i] / Double(count) }
      if count > 1 { values.forms.append(.mean(found)) }
      if task.metric != .accuracy { continue }
      for other in LengthNormalization.allCases where other != task.settings.normalization && count == 1 {
        values.others.append(("accuracy_\(other == .none ? "unnormalized" : "per_" + other.rawValue)", scores.accuracy(other), task.metric.unit))
      }
    }
    values.chance = questions.reduce(0) { $0 + 1 / Double($1.options.count) } / Double(max(1, questions.count))
    return values
  }

  // MARK: Reference answers

  private func referenceValues(_ task: EvaluationTask, _ questions: [TaskQuestion]) throws -> TaskValues {
    let likelihoods = try answerLikelihoods(questions.map { $0.item() })
    let isLog = task.metric == .logLikelihood
    return TaskValues(
      perItem: isLog ? likelihoods.map { log($0) } : likelihoods,
      others: isLog ? [("likelihood", .mean(likelihoods), TaskMetric.likelihood.unit)] : [("log_likelihood", .mean(likelihoods.map { log($0) }), TaskMetric.logLikelihood.unit)])
  }

  // MARK: Answers

  private func answerValues(_ task: EvaluationTask, _ questions: [TaskQuestion]) throws -> TaskValues {
    var values = TaskValues(chance: Self.commonest(questions, task.metric))
    let kept = min(task.settings.samples, questions.count)
    if task.metric == .exact, task.settings.extract == nil, task.settings.stops == ["\n"], questions.allSatisfy({ $0.references.count == 1 && $0.completion.trimmed == $0.references[0] }) {
      // Most items are decided without writing their answer.
      values.perItem = try exactMatch(questions.map { $0.item() }, maximumTokens: task.settings.maximumTokens).isMatch.map { $0 ? 1 : 0 }
      let texts = try answers(to: questions.prefix(kept).map { $0.prompts[0] }, maximumTokens: task.settings.maximumTokens)
      values.samples = Self.samples(questions, texts, values.perItem)
      return values
    }
    let texts = try continuations(of: questions.map { $0.prompts[0] }, maximumTokens: task.settings.maximumTokens, stops: task.settings.stops)
    values.perItem = zip(questions, texts).map { question, text in
      guard let pattern = task.settings.extract else { return AnswerScore.value(task.metric, text, references: question.references) }
      return pattern.answer(in: text).map { AnswerScore.value(task.metric, $0, references: question.references) } ?? 0
    }
    values.samples = Self.samples(questions, Array(texts.prefix(kept)), values.perItem)
    return values
  }

  private func instructionValues(_ task: EvaluationTask, _ questions: [TaskQuestion]) throws -> TaskValues {
    let texts = try continuations(of: questions.map { $0.prompts[0] }, maximumTokens: task.settings.maximumTokens, stops: task.settings.stops)
    var strict: [[Double]] = [], loose: [[Double]] = []
    for (question, text) in zip(questions, texts) {
      let checks = try question.instructions.map { (instruction) throws(RowError) in try InstructionCheck(id: instruction.id, arguments: instruction.arguments) }
      strict.append(checks.map { $0.holdsStrictly(for: text) ? 1 : 0 })
      loose.append(checks.map { $0.holdsLoosely(for: text) ? 1 : 0 })
    }
    func whole(_ flags: [[Double]]) -> [Double] { flags.map { $0.contains(0) ? 0 : 1 } }
    func each(_ flags: [[Double]]) -> Estimate { .ratio(sums: flags.map { $0.reduce(0, +) }, counts: flags.map(\.count)) }
    let isStrict = task.metric == .strict, unit = "share of instructions"
    var values = TaskValues(perItem: whole(isStrict ? strict : loose))
    values.others = [
      (isStrict ? "loose" : "strict", .mean(whole(isStrict ? loose : strict)), task.metric.unit),
      ("strict_instructions", each(strict), unit), ("loose_instructions", each(loose), unit),
    ]
    values.samples = Self.samples(questions, Array(texts.prefix(task.settings.samples)), values.perItem)
    return values
  }

  private func programValues(_ task: EvaluationTask, _ questions: [TaskQuestion]) throws -> TaskValues {
    try ProgramRun.check()
    let texts = try continuations(of: questions.map { $0.prompts[0] }, maximumTokens: task.settings.maximumTokens, stops: task.settings.stops)
    var values = TaskValues()
    values.perItem = try zip(questions, texts).map { question, text in
      let program = question.program!
      return try ProgramRun(program.before + text + program.after, timeout: task.settings.timeout).passes() ? 1 : 0
    }
    values.samples = Self.samples(questions, Array(texts.prefix(task.settings.samples)), values.perItem)
    return values
  }

  static func samples(_ questions: [TaskQuestion], _ texts: [String], _ values: [Double]) -> [TaskResult.Sample] {
    texts.indices.map { TaskResult.Sample(prompt: questions[$0].prompts[0], answer: texts[$0], expected: questions[$0].references.first ?? "", value: values[$0]) }
  }

  /// What always giving the commonest answer scores; nil where answers are judged by overlap.
  private static func commonest(_ questions: [TaskQuestion], _ metric: TaskMetric) -> Double? {
    guard metric == .exact || metric == .numeric else { return nil }
    var counts: [String: Int] = [:]
    for question in questions { counts[question.references[0], default: 0] += 1 }
    return Double(counts.values.max() ?? 0) / Double(max(1, questions.count))
  }
}

extension ChoiceScores {
  /// The right option's share of the options' likelihood, exp of their scores.
  func rightShares(_ normalization: LengthNormalization) -> [Double] {
    zip(options, correct).map { options, correct in
      let scores = options.map { $0.score(normalization) }, top = scores.max() ?? 0
      return exp(scores[correct] - top) / scores.reduce(0) { $0 + exp($1 - top) }
    }
  }
}
