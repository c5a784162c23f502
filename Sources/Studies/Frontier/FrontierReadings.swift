internal import HoldfastBasics
internal import HoldfastMethods
public import HoldfastRecords
public import HoldfastTraining

/// What the report shows beside the summary.
extension Frontier {
  /// The points of a method's trial, by seed.
  private func points(_ method: String, trial: String) -> [(seed: Int, point: FrontierPoint)] {
    guard let knob = study.methods.first(where: { $0.name == method }) else { return [] }
    return plan.points.compactMap { entry in
      guard entry.method == method, entry.trial.label(knob: knob.knob) == trial, let point = points[entry.key] else { return nil }
      return (entry.seed, point)
    }
  }

  private func chosen(_ measure: FrontierSummary.Measure) -> [(method: String, trial: String)] {
    measure.arms.compactMap { arm in
      // Where the first target is not reached, the trial that learned most.
      let trial = arm.targets.compactMap(\.trial).first ?? arm.ends.max { $0.new < $1.new }?.trial
      return trial.map { (arm.name, $0) }
    }
  }

  /// The courses of losses over the steps of each method's chosen trial, means over seeds; empty where no losses were measured.
  public func courses(_ summary: FrontierSummary) -> [(method: String, steps: [Double], new: [Double], old: [Double])] {
    guard let measure = summary.measures.first(where: { $0.kind == .loss }) else { return [] }
    return chosen(measure).compactMap { method, trial in
      guard study.methods.first(where: { $0.name == method })?.isAfterTraining == false else { return nil }
      let found = points(method, trial: trial).map(\.point)
      guard let first = found.first else { return nil }
      let count = found.map(\.stations.count).min() ?? 0
      func mean(_ names: [String], _ station: Int) -> Double {
        let values = found.flatMap { point in names.compactMap { point.stations[station].losses.test[$0]?.value } }
        return -values.reduce(0, +) / Double(max(1, values.count))
      }
      return (
        method, first.stations.prefix(count).map(\.at), (0..<count).map { mean(measure.newTasks, $0) }, (0..<count).map { mean(measure.oldTasks, $0) }
      )
    }
  }

  /// Each task's change from the base where a method reaches the first target, mean over seeds; the order is that of the study.
  public func abilities(_ summary: FrontierSummary) -> [(task: String, change: [(method: String, mean: Double, half: Double?)])] {
    guard let measure = summary.measures.first, let base = points[plan.base]?.stations.first, measure.kind == .loss else { return [] }
    func loss(_ station: FrontierStation, _ task: String) -> Double? { station.losses.test[task].map { -$0.value } }
    func mean(_ station: FrontierStation) -> Double? {
      let values = measure.newTasks.compactMap { loss(station, $0) }
      return values.count == measure.newTasks.count ? values.reduce(0, +) / Double(values.count) : nil
    }
    // Of one new task all have learned the same here.
    return (measure.oldTasks + (measure.newTasks.count > 1 ? measure.newTasks : [])).map { task in
      let change = measure.arms.compactMap { arm -> (method: String, mean: Double, half: Double?)? in
        guard let target = arm.targets.first, target.kept != nil, let trial = target.trial else { return nil }
        let values = points(arm.name, trial: trial).compactMap { _, point -> Double? in
          guard let start = loss(base, task) else { return nil }
          var before: FrontierStation?
          for station in point.stations {
            guard let new = mean(station), let here = loss(station, task) else { return nil }
            if new >= target.target {
              guard let before, let old = mean(before), let there = loss(before, task) else { return here - start }
              return there + (target.target - old) / (new - old) * (here - there) - start
            }
            before = station
          }
          return nil
        }
        guard !values.isEmpty else { return nil }
        let spread = Seeds.spread(values)
        return (arm.name, spread.mean, spread.half)
      }
      return (task, change)
    }
  }

  /// Answers of the base and of each method's chosen trial at the first seed, prompt by prompt.
  public func sampled(_ summary: FrontierSummary) throws -> [(task: String, prompt: String, expected: String, answers: [(model: String, text: String)])] {
    guard let measure = summary.measures.first, let base = try samples(of: "base") else { return [] }
    var found = [("base", base)]
    for (method, trial) in chosen(measure) {
      guard let key = points(method, trial: trial).first(where: { $0.seed == study.seeds[0] })?.point.key, let samples = try samples(of: key) else { continue }
      found.append((method, samples))
    }
    return base.map { asked in
      let answers = found.compactMap { model, samples in samples.first { $0.task == asked.task && $0.prompt == asked.prompt }.map { (model, $0.answer) } }
      return (asked.task, asked.prompt, asked.expected, answers)
    }
  }

  /// Who trains under a method's middle trial, from names and shapes alone; nil for what comes after training.
  public func trainingPlan(_ method: String) throws -> TrainingPlan? {
    guard let entry = study.methods.first(where: { $0.name == method }), !entry.isAfterTraining else { return nil }
    let recipe = try study.recipe(entry, FrontierTrial.grid(strengths: entry.strengths, rates: entry.rates)[0], seed: study.seeds[0])
    return try TrainingPlan(recipe, methods: tuningMethods)
  }

  /// The recipe to run for what is recommended, as YAML: that of the trial at the first seed, of a blend the recipe of what it is made of,
  /// of an emulated model the file of a server. nil where nothing is recommended.
  public func recommendedRecipe(_ summary: FrontierSummary) throws -> String? {
    guard let advice = summary.recommendation, var method = study.methods.first(where: { $0.name == advice.method }) else { return nil }
    var head = "# \(advice.method)\(advice.trial.isEmpty ? "" : ", " + advice.trial): \(advice.reason).\n"
    let words = advice.trial
    if let of = method.emulated?.at(seed: study.seeds[0]) {
      var file: JSONObject = [
        "model": .string(model), "expert": .array(of.experts.map { .string($0) }), "anti_expert": .string(of.antiExpert), "beta": .number((advice.at * 1000).rounded() / 1000),
      ]
      if !of.weights.isEmpty { file["expert_weight"] = .array(of.weights.map { .number($0) }) }
      if study.shared.object["precision"]?.string == "bf16" { file["precision"] = "bf16" }
      return head + "# To be read by holdfast serve; the strengths of the study lie around this β.\n" + YAML.text(.object(file))
    }
    if method.isAfterTraining, let parent = study.methods.first(where: { $0.name == method.after }) {
      head += "# Then: holdfast blend, \(method.blend?.rawValue ?? ""), \(FrontierTrial.text((advice.at * 100).rounded() / 100)) of the way from the base to this run's model.\n"
      method = parent
    }
    guard let trial = FrontierTrial.grid(strengths: method.strengths, rates: method.rates).first(where: { $0.label(knob: method.knob) == words || words.isEmpty }) else { return nil }
    var object = try study.recipe(method, trial, seed: study.seeds[0]).resolved
    for key in ["evaluate", "output", "artifacts"] { object[key] = nil }
    if summary.measures.first?.kind == .loss, study.methods.first(where: { $0.name == advice.method })?.isAfterTraining == false {
      let step = max(1, Int(advice.at.rounded()))
      head += "# The new score is reached after about \(step) steps: take the checkpoint of that step (checkpoints/step-…), which the schedule has not ended yet.\n"
      object["checkpoint"] = ["every": .integer(step), "keep": 1000]
    }
    return head + (try Recipe(object, methods: tuningMethods.map { $0.keys }).yaml)
  }
}
