internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEvaluation
internal import HoldfastRecords

/// What is scored at a run's end: the study's own items, or those of two suites.
struct FrontierScorer {
  /// A task with where it stands.
  struct Entry: Hashable {
    let name: String
    let isNew: Bool
    let weight: Double
    /// Less is better of some metrics; they are turned round.
    let higherIsBetter: Bool
    let isShare: Bool
    let unit: String
    /// Of its test.
    let count: Int
  }

  /// A prompt with what a model answered.
  struct Sample: Hashable {
    var task: String
    var prompt: String
    var expected: String
    var answer: String
  }

  let items: [FrontierItems]
  let suites: (validation: EvaluationSuite, test: EvaluationSuite)?
  let entries: [Entry]
  private let samples: Int
  private let answerTokens: Int

  var isEmpty: Bool { entries.isEmpty }

  /// Reads everything; what is wrong is in `problems`.
  init(_ study: FrontierStudy, _ problems: inout Problems) {
    samples = study.samples
    answerTokens = study.answerTokens
    items = FrontierItems.read(study, &problems)
    var found: [Entry] = items.map {
      Entry(
        name: $0.name, isNew: $0.isNew, weight: 1, higherIsBetter: true, isShare: true, unit: $0.measure == .likelihood ? "probability a label" : "share of items",
        count: $0.test.count)
    }
    var suites: (validation: EvaluationSuite, test: EvaluationSuite)?
    if let given = study.suite {
      func read(_ path: String) -> EvaluationSuite? {
        do {
          let suite = try EvaluationSuite(file: path, data: given.data)
          for role in [EvaluationTask.Role.domain, .general] { try suite.checkMean(role) }
          return suite
        } catch let error as Problems {
          for words in error.complaints { problems.add("\(error.subject): \(words)") }
        } catch { problems.add("\(error)") }
        return nil
      }
      if let validation = read(given.validation), let test = read(given.test) {
        suites = (validation, test)
        let names = Set(test.tasks.map(\.name)), other = Set(validation.tasks.map(\.name))
        for name in names.symmetricDifference(other).sorted() { problems.add("suite: \(name) stands in one of validation and test only") }
        for task in test.tasks where validation.tasks.contains(where: { $0.name == task.name && $0.hash == task.hash }) {
          problems.add("suite: \(task.name) has the same items in validation and test; what chooses cannot judge")
        }
        found += test.tasks.filter { $0.weight > 0 }.map {
          Entry(
            name: $0.name, isNew: $0.role == .domain, weight: $0.weight, higherIsBetter: $0.metric.higherIsBetter, isShare: $0.metric.isShare,
            unit: $0.metric.unit, count: $0.count)
        }
      }
    }
    self.suites = suites
    entries = found
    for isNew in [true, false] {
      let units = Set(found.filter { $0.isNew == isNew }.map(\.unit))
      if units.count > 1 { problems.add("\(isNew ? "new" : "old"): scores of several units (\(units.sorted().joined(separator: ", "))) have no mean; measure one kind") }
    }
  }

  /// What stands in the training files of a suite's items.
  func overlaps(training: [String]) throws -> [String] {
    guard let suites else { return [] }
    var seen = TrainedOn()
    for path in training { try seen.remember(file: path) }
    var found: [String] = []
    for suite in [suites.validation, suites.test] {
      do throws(Problems) { try seen.check(suite) } catch { found += error.complaints.map { "\(error.subject): \($0) (trained_items: true says that it is meant so)" } }
    }
    return found
  }

  /// Scores of both splits, and answers to show. `evaluator` is made only where something must be asked.
  func score(_ model: SuiteModel, base: SuiteModel, cache: String, _ evaluator: () throws -> Evaluator) throws -> (scores: SplitScores, samples: [Sample]) {
    var scores = SplitScores(), shown: [Sample] = []
    if !items.isEmpty {
      let evaluator = try evaluator()
      for item in items {
        scores.validation[item.name] = try item.score(evaluator, item.validation)
        scores.test[item.name] = try item.score(evaluator, item.test)
      }
      let asked = prompts
      let answers = asked.isEmpty ? [] : try evaluator.answers(to: asked.map(\.prompt), maximumTokens: answerTokens)
      for (sample, answer) in zip(asked, answers) {
        var sample = sample
        sample.answer = answer
        shown.append(sample)
      }
    }
    if let suites {
      for (suite, isTest) in [(suites.validation, false), (suites.test, true)] {
        for task in try SuiteRunner(suite, cache: cache).run(model, base: base).tasks {
          let mean = task.estimate, score = TaskScore(mean.value, standardError: mean.standardError, count: mean.count)
          if isTest { scores.test[task.name] = score } else { scores.validation[task.name] = score }
          if isTest { shown += task.samples.map { Sample(task: task.name, prompt: $0.prompt, expected: $0.expected, answer: $0.answer) } }
        }
      }
    }
    return (scores, Array(shown.prefix(samples)))
  }

  /// Of each generated task in turn, from its test items.
  private var prompts: [Sample] {
    let generated = items.filter { $0.measure == .exactMatch }
    guard !generated.isEmpty else { return [] }
    return (0..<samples).compactMap { number in
      let item = generated[number % generated.count], index = number / generated.count
      guard item.test.indices.contains(index) else { return nil }
      return Sample(task: item.name, prompt: item.test[index].prompt, expected: item.test[index].answer, answer: "")
    }
  }
}

extension FrontierScorer.Sample {
  var json: JSON { ["task": .string(task), "prompt": .string(prompt), "expected": .string(expected), "answer": .string(answer)] }

  init?(_ json: JSON) {
    guard let task = json["task"]?.string, let prompt = json["prompt"]?.string, let answer = json["answer"]?.string else { return nil }
    self.init(task: task, prompt: prompt, expected: json["expected"]?.string ?? "", answer: answer)
  }
}
