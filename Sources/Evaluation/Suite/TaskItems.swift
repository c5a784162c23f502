package import HoldfastBasics

/// What a task asks.
package enum TaskItems: Sendable {
  case texts([String])
  case questions([TaskQuestion])
  /// Nothing: it looks at the weights.
  case none

  package var count: Int {
    switch self {
    case .texts(let texts): texts.count
    case .questions(let questions): questions.count
    case .none: 0
    }
  }
}

/// A question of a task, in every form in which it is asked.
package struct TaskQuestion: Sendable {
  /// What stands before the answer, one text a form.
  package var prompts: [String]
  /// The right answer behind the prompt, with its space; empty where a program judges.
  package var completion: String
  /// All answers that count as right, without white space around them.
  package var references: [String]
  /// To choose from, each with its space.
  package var options: [String] = []
  /// Which option is right.
  package var correct: Int?
  /// Instructions to be checked, and what is known about each.
  package var instructions: [(id: String, arguments: JSONObject)] = []
  /// The program to be run, with the answer's place in it.
  package var program: (before: String, after: String)?
  /// Of the file, from 1.
  package var line: Int
  /// Question and answer without template and shots, as training data would hold them.
  package var plain: [String] = []

  func item(_ form: Int = 0) -> EvaluationItem {
    if let correct { return EvaluationItem(prompt: prompts[form], options: options, correct: correct) }
    return EvaluationItem(prompt: prompts[form], completion: completion)
  }
}
