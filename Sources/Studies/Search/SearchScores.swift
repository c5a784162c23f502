internal import HoldfastBasics
internal import HoldfastDatasets
public import HoldfastEvaluation
internal import HoldfastRecords
internal import HoldfastTraining

/// What every item of the suites scored on one model.
public struct SearchScores: Sendable, Hashable {
  /// One file of items.
  public struct File: Sendable, Hashable {
    public let name: String
    /// Between 0 and 1, in the order of the items.
    public let values: [Double]

    public init(name: String, values: [Double]) {
      self.name = name
      self.values = values
    }
  }

  public let speciality: [File]
  public let versatility: [File]

  public init(speciality: [File], versatility: [File]) {
    self.speciality = speciality
    self.versatility = versatility
  }

  /// The mean over files, each weighing the same; its error follows from the items.
  public static func mean(_ files: [File]) -> Estimate { combine(files.map { .mean($0.values) }) }

  /// How much more versatile this model is than another one, item by item.
  public func versatilityGain(over other: SearchScores) -> Estimate {
    Self.combine(zip(other.versatility, versatility).map { .pairedDifference($0.values, $1.values) })
  }

  private static func combine(_ parts: [Estimate]) -> Estimate {
    let count = Double(parts.count)
    let square = parts.reduce(0) { $0 + ($1.standardError ?? 0) * ($1.standardError ?? 0) }
    return Estimate(
      value: parts.reduce(0) { $0 + $1.value } / count, standardError: square.squareRoot() / count,
      count: parts.reduce(0) { $0 + $1.count })
  }
}

extension SearchScores {
  var json: JSON {
    func list(_ files: [File]) -> JSON {
      .array(files.map { ["name": .string($0.name), "values": .array($0.values.map { .number($0) })] })
    }
    return ["speciality": list(speciality), "versatility": list(versatility)]
  }

  init?(_ json: JSON?) {
    func list(_ key: String) -> [File]? {
      guard let entries = json?[key]?.array else { return nil }
      let files = entries.compactMap { entry -> File? in
        guard let name = entry["name"]?.string, let values = entry["values"]?.array else { return nil }
        return File(name: name, values: values.compactMap(\.double))
      }
      return files.count == entries.count ? files : nil
    }
    guard let speciality = list("speciality"), let versatility = list("versatility") else { return nil }
    self.init(speciality: speciality, versatility: versatility)
  }
}

/// The items of a search, read once.
struct SearchItems {
  struct Suite {
    let name: String
    let measure: SearchRecipe.Measure
    let items: [EvaluationItem]
  }

  let speciality: [Suite]
  let versatility: [Suite]
  let answerTokens: Int

  /// - Throws: every file that cannot be read or has fewer than two items, at once.
  init(_ recipe: SearchRecipe) throws {
    var problems = Problems("search")
    func read(_ suites: [SearchRecipe.Suite]) -> [Suite] {
      suites.compactMap { suite in
        do {
          let items = try ItemFile.read(suite.path, needsOptions: suite.measure == .choice)
          if items.count < 2 { problems.add("\(suite.path) has one item, and one says nothing of its error") }
          return Suite(name: suite.name ?? Self.name(suite.path), measure: suite.measure, items: Array(items.prefix(recipe.items ?? items.count)))
        } catch {
          problems.add("\(error)")
          return nil
        }
      }
    }
    speciality = read(recipe.speciality)
    versatility = read(recipe.versatility)
    answerTokens = recipe.answerTokens
    try problems.check()
  }

  func scores(of evaluator: Evaluator) throws -> SearchScores {
    func score(_ suite: Suite) throws -> SearchScores.File {
      let values: [Double] =
        switch suite.measure {
        case .exactMatch: try evaluator.exactMatch(suite.items, maximumTokens: answerTokens).isMatch.map { $0 ? 1 : 0 }
        case .choice: try evaluator.choices(suite.items).hits(.byte)
        case .likelihood: try evaluator.answerLikelihoods(suite.items)
        }
      return SearchScores.File(name: suite.name, values: values)
    }
    return SearchScores(speciality: try speciality.map(score), versatility: try versatility.map(score))
  }

  /// A file's name without folder and ending.
  private static func name(_ path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }
}
