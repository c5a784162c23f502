internal import HoldfastBasics
public import HoldfastDatasets

/// The examples that a run watches.
public struct WatchedSlices: Sendable {
  public let general: DataPlan
  public let domain: DataPlan

  /// - Parameters:
  ///   - read: reads sources as the run reads them.
  ///   - plan: lays examples into rows as the run does.
  ///   - training: what is trained on; an example of it is no measure of anything.
  /// - Throws: `Problems` with everything that is wrong with either.
  init(_ recipe: WatchRecipe, training: Dataset, read: ([DataSource]) throws -> Dataset, plan: (Dataset) throws -> DataPlan) throws {
    var problems = Problems("watch"), plans: [DataPlan] = []
    for (name, sources) in [("general", recipe.general), ("domain", recipe.domain)] {
      do {
        let all = try read(sources), (slice, numbers) = all.slice(of: recipe.items), trained = slice.examples(alsoIn: training)
        if !trained.isEmpty {
          let some = trained.prefix(3).map { all.location(of: numbers[$0]) }.joined(separator: ", ")
          problems.add(
            "\(name): \(trained.count) of its \(numbers.count) items \(trained.count == 1 ? "is" : "are") trained on (\(some)\(trained.count > 3 ? ", …" : "")); what was learnt by heart is no measure: take them out of one of the two")
        }
        plans.append(try plan(slice))
      } catch let error as Problems {
        for words in error.complaints { problems.add("\(name): \(words)") }
      } catch { problems.add("\(name): \(error)") }
    }
    try problems.check()
    (general, domain) = (plans[0], plans[1])
  }
}
