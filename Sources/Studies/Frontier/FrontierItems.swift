internal import HoldfastBasics
internal import HoldfastEvaluation
internal import HoldfastRecords

/// Items of a task that are scored at a run's end, read once.
struct FrontierItems {
  let name: String
  let isNew: Bool
  let measure: FrontierStudy.Measuring
  let validation: [EvaluationItem]
  let test: [EvaluationItem]
  let answerTokens: Int

  /// Everything that a study scores; every file that cannot be read or has fewer than two items is in `problems`.
  static func read(_ study: FrontierStudy, _ problems: inout Problems) -> [FrontierItems] {
    study.scoreTasks.flatMap { task in
      let measures = task.measures.filter { $0 != .loss }
      return measures.compactMap { measure -> FrontierItems? in
        func items(_ path: String) -> [EvaluationItem]? {
          // A missing file is said by the study itself.
          guard Files.exists(path) else { return nil }
          do {
            let items = try ItemFile.read(path, needsOptions: measure == .choice)
            if items.count < 2 { problems.add("\(path) has one item, and one says nothing of its error") }
            return Array(items.prefix(study.items ?? items.count))
          } catch {
            problems.add("\(error)")
            return nil
          }
        }
        guard let validation = items(task.validation), let test = items(task.test) else { return nil }
        return FrontierItems(
          name: measures.count == 1 ? task.name : "\(task.name) \(measure.rawValue)", isNew: task.isNew, measure: measure, validation: validation,
          test: test, answerTokens: study.answerTokens)
      }
    }
  }

  func score(_ evaluator: Evaluator, _ items: [EvaluationItem]) throws -> TaskScore {
    let values: [Double] =
      switch measure {
      case .exactMatch: try evaluator.exactMatch(items, maximumTokens: answerTokens).isMatch.map { $0 ? 1 : 0 }
      case .choice: try evaluator.choices(items).hits(.byte)
      case .likelihood, .loss: try evaluator.answerLikelihoods(items)
      }
    let mean = Estimate.mean(values)
    return TaskScore(mean.value, standardError: mean.standardError, count: mean.count)
  }
}
