internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// Writes the adapter that trained in PEFT's form and reads it back before anybody relies on it.
struct AdapterExport {
  let recipe: Recipe
  let steps: Int

  /// `masters` of what moved, in the type they are kept in; the rest of the adapter stands as it started.
  func write(_ adapter: Adapter, masters: [String: Tensor], source: any WeightSource, model: ModelConfiguration, to path: String) throws {
    let beside = path + ".partial"
    try Files.remove(beside)
    try Files.makeFolder(beside)
    var tensors: [String: Tensor] = [:]
    for parameter in adapter.parameters {
      tensors[parameter.name] = try masters[parameter.name]?.to(.cpu) ?? source.start(of: parameter.facts)
    }
    try AdapterFolder.write(adapter.facts, tensors: tensors, model: model, baseModel: recipe.model, extra: budget(), to: beside)
    let back = try AdapterFolder(beside).weights
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) where try !back.tensor(name).hasSameBits(as: tensor) {
      throw FileError(path: beside, doing: "read back", code: 0, reason: "\(name) has other bits than were written")
    }
    try IntegrityManifest.seal(beside)
    try Files.remove(path)
    try Files.rename(beside, to: path)
  }

  /// AdaLoRA's schedule, without which PEFT does not read its configuration.
  private func budget() -> JSONObject {
    guard let budget = recipe.adapter?.budget else { return JSONObject() }
    return [
      "target_r": .integer(budget.targetRank), "tinit": .integer(budget.warmup), "tfinal": .integer(budget.final),
      "deltaT": .integer(budget.every), "beta1": .number(budget.beta1), "beta2": .number(budget.beta2),
      "orth_reg_weight": .number(budget.orthogonality), "total_step": .integer(steps), "rank_pattern": nil,
    ]
  }
}
