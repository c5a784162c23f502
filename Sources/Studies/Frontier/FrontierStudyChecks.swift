internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastTraining

/// What can be wrong with a study whose keys could be read; every complaint is said.
extension FrontierStudy {
  /// Keys that make runs of different methods incomparable.
  private static let common = ["model", "initialize", "objective", "sequence_length", "packing"]

  func check(_ read: Keys, _ problems: inout Problems) {
    checkNames(&problems)
    checkMeasures(&problems)
    var missing: [String] = []
    for method in methods {
      let place = "methods: \(method.name)"
      for key in Self.common where method.keys[key] != nil { problems.add("\(place): \(key) is the recipe's, or the methods cannot be compared") }
      for (key, words) in Self.refusals where method.keys[key] != nil { problems.add("\(place): \(key): \(words)") }
      if let emulated = method.emulated {
        check(method, emulated: emulated, place, &missing, &problems)
      } else if let after = method.after {
        check(method, after: after, place, &problems)
      } else {
        check(trained: method, allowsFewRates: read.allowsFewRates, place, &problems)
      }
    }
    if !read.allowsUnequalTrials { checkTrials(&problems) }
    checkFiles(&missing, &problems)
    checkRecipes(&missing, &problems)
    for path in missing { problems.add("\(path): no such file") }
  }

  private func checkNames(_ problems: inout Problems) {
    if methods.isEmpty { problems.add("methods: is required: at least one") }
    for (index, method) in methods.enumerated() where methods[..<index].contains(where: { $0.name == method.name }) {
      problems.add("methods: \(method.name) stands twice")
    }
    let referenceMethod = methods.first { $0.name == reference }
    if referenceMethod == nil, !methods.isEmpty { problems.add("reference: there is no method \(reference)" + nearest(to: reference)) }
    if referenceMethod?.isAfterTraining == true { problems.add("reference: \(reference) trains nothing itself; name a method that does") }
    if suite == nil, !tasks.contains(where: \.isNew) { problems.add("new: is required, or a suite: what tuning teaches") }
    if suite == nil, !tasks.contains(where: { !$0.isNew }) { problems.add("old: is required, or a suite: what the base could do before") }
    for (index, task) in tasks.enumerated() where tasks[..<index].contains(where: { $0.name == task.name }) {
      problems.add("new, old: \(task.name) stands twice")
    }
    if Set(seeds).count != seeds.count { problems.add("seeds: one stands twice") }
  }

  private func nearest(to name: String) -> String {
    nearestName(to: name, among: methods.map(\.name)).map { "; did you mean \($0)?" } ?? ""
  }

  private func checkMeasures(_ problems: inout Problems) {
    if suite != nil, !scoreTasks.isEmpty {
      problems.add("suite: stands beside losses of new and old; it has their scores: \(scoreTasks.map(\.name).joined(separator: ", ")) measures one itself")
    }
    for (kind, list) in [("loss", lossTasks), ("score", suite == nil ? scoreTasks : [])] where !list.isEmpty && Set(list.map(\.isNew)).count == 1 {
      problems.add("new, old: every \(kind) stands on one side, \(list.map(\.name).joined(separator: ", ")); it needs a task of the other to be compared with")
    }
    if otherSeeds == .chosen, lossTasks.isEmpty { problems.add("other_seeds: chosen is by losses, along the run, and no task measures one") }
    if otherSeeds == .chosen, !scoreTasks.isEmpty || suite != nil {
      problems.add("other_seeds: chosen leaves scores with one seed, since they are read over all rates; take all")
    }
  }

  private func check(_ method: Method, emulated: Emulated, _ place: String, _ missing: inout [String], _ problems: inout Problems) {
    if method.strengths.isEmpty { problems.add("\(place): strengths: is required: values of β, how strongly the experts act") }
    if method.strengths.contains(where: { !($0 > 0 && $0.isFinite) }) { problems.add("\(place): strengths: lie above 0, which is the base and there already") }
    if emulated.experts.isEmpty { problems.add("\(place): emulate.experts: is required: at least one") }
    if !emulated.weights.isEmpty, emulated.weights.count != emulated.experts.count {
      problems.add("\(place): emulate.weights: there are \(emulated.weights.count) for \(emulated.experts.count) experts")
    }
    if method.after != nil || method.knob != nil { problems.add("\(place): emulate stands alone: after, blend and knob are of trained methods") }
    refuseKeys(of: method, place, "nothing is trained here", &problems)
    for of in seeds.map(emulated.at) {
      for path in of.experts + [of.antiExpert] where !path.isEmpty && !Files.exists(path) && !missing.contains(path) { missing.append(path) }
    }
  }

  private func check(_ method: Method, after: String, _ place: String, _ problems: inout Problems) {
    guard let parent = methods.first(where: { $0.name == after }) else {
      problems.add("\(place): after: there is no method \(after)" + nearest(to: after))
      return
    }
    if parent.isAfterTraining { problems.add("\(place): after: \(after) is not trained itself") }
    if parent.keys["adapter"] != nil || shared.object["adapter"] != nil { problems.add("\(place): after: \(after) trains an adapter; blends are of whole models") }
    if method.strengths.isEmpty { problems.add("\(place): strengths: is required: how far from the base (0) to the tuned model (1)") }
    if method.strengths.contains(where: { $0 <= 0 || $0 >= 1 }) {
      problems.add("\(place): strengths: lie between 0, the base, and 1, the tuned model, which are there already")
    }
    if method.knob != nil { problems.add("\(place): knob: is of trained methods; strengths are of the blend") }
    refuseKeys(of: method, place, "nothing is trained after training", &problems)
  }

  private func refuseKeys(of method: Method, _ place: String, _ why: String, _ problems: inout Problems) {
    let unread = method.keys.keys + (method.added.isEmpty ? [] : ["add_data"])
    if !unread.isEmpty { problems.add("\(place): \(unread.joined(separator: ", ")): \(why)") }
  }

  private func check(trained method: Method, allowsFewRates: Bool, _ place: String, _ problems: inout Problems) {
    if method.rates.isEmpty {
      problems.add("\(place): rates: is required, here or for all: the learning rates to try")
    } else if Set(method.rates).count < 3, !allowsFewRates {
      problems.add("\(place): rates: \(method.rates.count == 1 ? "one" : "two") of at least three; a method is as good as its best rate, and one is easily hit or missed (few_rates: true says that it is meant so)")
    }
    if method.strengths.isEmpty == (method.knob != nil) { problems.add("\(place): knob and strengths stand together: which knob takes these values") }
  }

  private func checkTrials(_ problems: inout Problems) {
    let trained = methods.filter { !$0.isAfterTraining }, counts = trained.map { FrontierTrial.grid(strengths: $0.strengths, rates: $0.rates).count }
    if Set(counts).count < 2 { return }
    let words = zip(trained, counts).map { "\($0.name) \($1)" }.joined(separator: ", ")
    problems.add("methods: unequal trials (\(words)); who tries more often finds better (unequal_trials: true says that it is meant so)")
  }

  private func checkFiles(_ missing: inout [String], _ problems: inout Problems) {
    for task in tasks {
      if task.validation == task.test, !task.test.isEmpty { problems.add("\(task.name): validation and test are one file, \(task.test); what chooses cannot judge") }
      for path in [task.validation, task.test] where !path.isEmpty && !missing.contains(path) {
        if !Files.exists(path) { missing.append(path) } else if task.measures.contains(.loss), Self.isEmpty(path) { problems.add("\(task.name): \(path) has no rows") }
      }
    }
  }

  private static func isEmpty(_ path: String) -> Bool {
    var rows = Rows([path])
    return (try? rows.next()) == nil
  }

  /// What is wrong with several methods alike is said once.
  private func checkRecipes(_ missing: inout [String], _ problems: inout Problems) {
    var said: Set<String> = []
    for method in methods where !method.isAfterTraining && !method.rates.isEmpty {
      do throws(Problems) {
        let recipe = try recipe(method, method.firstTrial, seed: seeds.first ?? 0)
        for path in FrontierIdentity.paths(recipe.resolved) where !Files.exists(path) && !path.contains("*") && !missing.contains(path) { missing.append(path) }
        if recipe.objective == .dpo, !lossTasks.isEmpty, said.insert("dpo").inserted {
          problems.add("recipe: under dpo the loss of new and old is that of pairs, which begins anew with each model; measure scores")
        }
      } catch {
        for words in error.complaints where said.insert(words).inserted { problems.add("methods: \(method.name): \(words)") }
      }
    }
  }
}
