public import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels
public import HoldfastTraining

/// A rule that makes one model out of a base and one or more models tuned from it, without training.
public protocol MergeRule: Sendable {
  /// What is wrong with the rule for so many tuned models of this kind, before anything is read.
  func check(_ model: ModelFacts, tunedCount: Int) throws(Problems)
  /// One tensor of the result. base and tuned are in f32 and of one shape; none of them may be changed.
  func merge(_ parameter: ParameterFacts, base: Tensor, tuned: [Tensor]) throws -> Tensor
}

extension MergeRule {
  /// Writes the merged model in the first tuned folder's form and type, as a new folder.
  ///
  /// A tensor that no tuned model moved keeps its bits whatever the rule.
  /// - Throws: `Problems` with every tensor in which the models differ by name or shape.
  public func write(base: ModelFolder, tuned: [ModelFolder], tokenizerFiles: [String], to path: String) throws {
    precondition(!tuned.isEmpty)
    let facts = ModelFacts(configuration: base.configuration, parameters: try base.configuration.parameters())
    try check(facts, tunedCount: tuned.count)
    let from = try FileWeights(folder: base.path), others = try tuned.map { tuned -> any WeightSource in
      DeltaWeights.isDelta(tuned.path) ? try DeltaWeights(folder: tuned.path, base: from) : try FileWeights(folder: tuned.path)
    }
    var parameters: [ParameterFacts] = []
    for (folder, other) in zip(tuned, others) {
      parameters = try WeightInterpolation.common(from, other, subject: "\(base.path) and \(folder.path)")
    }
    var moved: [String: Tensor] = [:]
    for parameter in parameters {
      let start = try from.tensor(parameter.name), ends = try others.map { try $0.tensor(parameter.name) }
      if try ends.allSatisfy({ try start.hasSameBits(as: $0) }) {
        moved[parameter.name] = start
      } else {
        moved[parameter.name] = try merge(parameter, base: start.cast(.float32), tuned: ends.map { try $0.cast(.float32) })
      }
    }
    try Export(folder: tuned[0], tokenizerFiles: tokenizerFiles).write(to: path, parameters: parameters, moved: moved, source: others[0])
  }

  public func check(_ model: ModelFacts, tunedCount: Int) throws(Problems) {}
}
