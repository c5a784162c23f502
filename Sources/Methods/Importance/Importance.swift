internal import HoldfastBasics
package import HoldfastEngine
internal import HoldfastModels
package import HoldfastTraining

/// How much each weight matters, by parameter: f32, in the parameter's shape.
package struct Importance {
  package private(set) var tensors: [String: Tensor]

  package init(_ tensors: [String: Tensor]) { self.tensors = tensors }

  /// The tensors of an artifact that stand for parameters of the model.
  package init(_ artifact: Artifact, model: ModelFacts, names: Set<String>? = nil, prefix: String = "") throws(EngineError) {
    tensors = [:]
    for parameter in model.parameters where names?.contains(parameter.name) ?? true {
      guard let shape = artifact.shape(of: prefix + parameter.name) else { continue }
      guard shape == parameter.shape else {
        throw EngineError("\(artifact.path): \(parameter.name) has the shape \(shape), the model \(parameter.shape): importance of another model")
      }
      tensors[parameter.name] = try artifact.tensor(prefix + parameter.name)
    }
  }

  package subscript(name: String) -> Tensor? { tensors[name] }
  package var names: [String] { tensors.keys.sorted() }

  /// Over all elements of all parameters.
  package func mean() throws(EngineError) -> Double {
    var sum = 0.0, count = 0
    for name in names {
      sum += try tensors[name]!.sum().item()
      count += try tensors[name]!.count
    }
    return sum / Double(Swift.max(1, count))
  }

  /// Scaled in place so that the mean over all elements is 1, which makes strengths comparable.
  package func normalizeMean() throws {
    let mean = try mean()
    guard mean > 0, mean.isFinite else {
      throw EngineError("the importance is \(mean) on average: nothing in it says which weights matter")
    }
    for tensor in tensors.values { try tensor.scale(by: 1 / mean) }
  }

  /// What takes the place of measured importance, to see whether it matters at all.
  package enum Control: String, KeyChoice {
    case none
    /// The same values in another order within each tensor.
    case shuffled
    /// The mean over all elements everywhere: L2 of equal mass.
    case uniform
    /// The mean of its tensor everywhere.
    case tensorMean = "tensor_mean"
  }

  package mutating func replace(by control: Control, seed: UInt64) throws(EngineError) {
    let whole = control == .uniform ? try mean() : 0
    for name in names {
      let tensor = tensors[name]!, shape = try tensor.shape
      switch control {
      case .none: return
      case .shuffled:
        var generator = CounterGenerator(seed: seed, "shuffled importance", name)
        let order = try Tensor(generator.permutation(try tensor.count), device: tensor.device)
        tensors[name] = try tensor.reshaped([tensor.count]).selecting(order, axis: 0).reshaped(shape)
      case .uniform: tensors[name] = try Tensor.full(shape, whole, device: tensor.device)
      case .tensorMean:
        tensors[name] = try Tensor.full(shape, tensor.sum().item() / Double(Swift.max(1, tensor.count)), device: tensor.device)
      }
    }
  }
}
