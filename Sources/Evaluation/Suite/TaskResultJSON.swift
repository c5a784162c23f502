public import HoldfastBasics
internal import HoldfastRecords

extension TaskResult {
  /// Everything, as the cache keeps it.
  public var json: JSON {
    var object: JSONObject = [
      "name": .string(name), "kind": .string(kind.rawValue), "role": .string(role.rawValue), "metric": .string(metric.rawValue),
      "unit": .string(unit), "higher_is_better": .bool(higherIsBetter), "weight": .number(weight), "what": .string(what),
      "value": .number(estimate.value), "count": .integer(perItem.count), "task_hash": .string(taskHash),
    ]
    if let error = estimate.standardError { object["standard_error"] = .number(error) }
    if let interval = interval() { object["interval"] = [.number(interval.low), .number(interval.high)] }
    if let chance { object["chance"] = .number(chance) }
    if !forms.isEmpty { object["forms"] = .array(forms.map { ["value": .number($0.value), "standard_error": $0.standardError.map(JSON.number) ?? .null, "count": .integer($0.count)] }) }
    object["per_item"] = .array(perItem.map(JSON.number))
    if let itemWeights { object["item_weights"] = .array(itemWeights.map(JSON.number)) }
    if !others.isEmpty { object["others"] = .array(others.map(\.json)) }
    if !samples.isEmpty {
      object["samples"] = .array(samples.map { ["prompt": .string($0.prompt), "answer": .string($0.answer), "expected": .string($0.expected), "value": .number($0.value)] })
    }
    return .object(object)
  }

  /// Reads it back; nil where something is missing or of another kind. What follows from the values is counted anew.
  public init?(_ json: JSON) {
    guard let name = json["name"]?.string, let kind = json["kind"]?.string.flatMap(EvaluationTask.Kind.init(rawValue:)),
      let role = json["role"]?.string.flatMap(EvaluationTask.Role.init(rawValue:)), let metric = json["metric"]?.string.flatMap(TaskMetric.init(rawValue:)),
      let weight = json["weight"]?.double, let what = json["what"]?.string, let hash = json["task_hash"]?.string, let values = json["per_item"]?.array
    else { return nil }
    self.init(
      name: name, kind: kind, role: role, metric: metric, weight: weight, what: what, chance: json["chance"]?.double,
      perItem: values.map { $0.double ?? .nan }, itemWeights: json["item_weights"]?.array?.compactMap(\.double),
      forms: (json["forms"]?.array ?? []).map { Estimate(value: $0["value"]?.double ?? .nan, standardError: $0["standard_error"]?.double, count: $0["count"]?.int ?? 0) },
      others: (json["others"]?.array ?? []).compactMap { try? ScoreRecord($0) },
      samples: (json["samples"]?.array ?? []).map {
        Sample(prompt: $0["prompt"]?.string ?? "", answer: $0["answer"]?.string ?? "", expected: $0["expected"]?.string ?? "", value: $0["value"]?.double ?? .nan)
      },
      taskHash: hash)
    guard itemWeights.map({ $0.count == perItem.count }) ?? true else { return nil }
  }

  /// The same values under another name, role and weight: a cache knows values only.
  func belonging(to task: EvaluationTask) -> TaskResult {
    TaskResult(
      name: task.name, kind: kind, role: task.role, metric: metric, weight: task.weight, what: task.what, chance: chance, perItem: perItem,
      itemWeights: itemWeights, forms: forms, others: others.map { $0.renamed(from: name, to: task.name) }, samples: samples, taskHash: taskHash)
  }
}

extension ScoreRecord {
  fileprivate func renamed(from old: String, to new: String) -> ScoreRecord {
    guard name.hasPrefix(old + ".") else { return self }
    return ScoreRecord(
      name: new + name.dropFirst(old.count), value: value, standardError: standardError, count: count, unit: unit, what: what, step: step)
  }
}

extension SuiteResult {
  public var json: JSON {
    ["suite": .string(name), "suite_hash": .string(hash), "model_hash": .string(modelHash), "tasks": .array(tasks.map(\.json))]
  }

  /// Reads it back; nil where something is missing or of another kind.
  public init?(_ json: JSON) {
    guard let name = json["suite"]?.string, let hash = json["suite_hash"]?.string, let model = json["model_hash"]?.string, let listed = json["tasks"]?.array
    else { return nil }
    let tasks = listed.compactMap(TaskResult.init)
    guard tasks.count == listed.count else { return nil }
    self.init(name: name, hash: hash, modelHash: model, tasks: tasks)
  }
}
