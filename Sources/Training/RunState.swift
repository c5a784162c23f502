internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// What a resume needs beside the recipe: how far the run is, and the weights that moved with their moments. Parameters
/// that never trained are not in it: they are what the model folder holds, whose hash the manifest keeps.
struct RunState {
  /// Steps that are done.
  var step = 0
  /// Length of metrics.jsonl when the state was taken.
  var metricsBytes = 0
  var stopping = StoppingState()
  /// nil where nothing is watched.
  var watch: WatchState?

  static let facts = "state.json"
  static let tensors = "state.safetensors"

  func write(to folder: String, optimizer: AdamW, order: [Parameter], stack: MethodStack) throws {
    let slots = order.compactMap { optimizer.slots[$0.name] }
    var facts: JSONObject = [
      "format": 1, "step": .integer(step), "metrics_bytes": .integer(metricsBytes), "stopping": stopping.json,
      "steps": .object(JSONObject(slots.map { ($0.parameter.name, .integer($0.steps)) })), "methods": .object(stack.facts),
    ]
    if let watch { facts["watch"] = watch.json }
    try Files.writeAtomically(JSON.object(facts).text(.pretty) + "\n", to: folder + "/" + Self.facts)
    var tensors: [String: Tensor] = [:]
    for slot in slots {
      tensors["master." + slot.parameter.name] = slot.master
      if let first = slot.first { tensors["first." + slot.parameter.name] = first }
      if let second = slot.second { tensors["second." + slot.parameter.name] = second }
    }
    for (name, tensor) in stack.state { tensors["method." + name] = tensor }
    try Tensor.save(tensors, to: folder + "/" + Self.tensors)
  }

  /// Reads a checkpoint back into model and optimizer; what trained only after it starts anew.
  init(
    from folder: String, model: Decoder, optimizer: AdamW, stack: MethodStack, start: (Parameter) throws -> Tensor?
  ) throws {
    let path = folder + "/" + Self.facts
    let json = try MappedFile(path: path).json()
    var problems = Problems(path)
    guard let step = json["step"]?.int, let bytes = json["metrics_bytes"]?.int, let steps = json["steps"]?.object,
      let stopping = json["stopping"].flatMap(StoppingState.init)
    else { throw Problems(path, ["is no state of this version of Holdfast"]) }
    self.step = step
    metricsBytes = bytes
    self.stopping = stopping
    watch = json["watch"].flatMap(WatchState.init)
    let before = json["methods"] ?? .object(JSONObject())
    if before != .object(stack.facts) { problems.add(Self.difference(before, .object(stack.facts), at: "methods")) }
    for name in optimizer.slots.keys where steps[name] == nil { try optimizer.forget(name, start: start) }
    let file = try SafetensorsFile(path: folder + "/" + Self.tensors)
    for (name, count) in steps.members {
      guard let parameter = model.parameter(name) else {
        problems.add("holds state for \(name), which the model does not have")
        continue
      }
      let slot = try optimizer.slot(for: parameter) { try start(parameter) }
      slot.steps = count.int ?? 0
      var kept = [("master.", slot.master)]
      if slot.steps > 0 {
        let moments = try slot.moments()
        kept += [("first.", moments.first), ("second.", moments.second)]
      }
      for (kind, tensor) in kept {
        guard let entry = file.entry(kind + name) else {
          problems.add("lacks \(kind)\(name)")
          continue
        }
        if entry.shape != parameter.shape {
          problems.add("\(kind)\(name) has the shape \(entry.shape), the model \(parameter.shape)")
        } else {
          try tensor.assign(Tensor(bytes: file.bytes(kind + name), shape: entry.shape, dtype: entry.dtype))
        }
      }
      if let image = slot.image { try image.assign(slot.master) }
    }
    try problems.check()
    var own: [String: Tensor] = [:]
    for (name, entry) in file.entries where name.hasPrefix("method.") {
      own[String(name.dropFirst(7))] = try Tensor(bytes: file.bytes(name), shape: entry.shape, dtype: entry.dtype).to(model.device)
    }
    try stack.restore(own)
  }

  init() {}

  /// The first field in which two facts differ, with both values.
  private static func difference(_ before: JSON, _ now: JSON, at path: String) -> String {
    if let a = before.object, let b = now.object {
      for key in a.keys + b.keys where a[key] != b[key] { return difference(a[key] ?? .null, b[key] ?? .null, at: "\(path).\(key)") }
    }
    return "\(path) was \(before.text().prefix(200)) when the checkpoint was saved and is \(now.text().prefix(200)) now"
  }
}

/// How early stopping stands.
struct StoppingState: Hashable {
  /// Lowest held-out loss so far, nats a label.
  var best = Double.infinity
  /// Steps that were done when it was measured.
  var bestStep = 0
  /// Evaluations since then.
  var waited = 0

  init() {}

  /// Takes a new loss; true when it is an improvement.
  mutating func take(_ loss: Double, step: Int, minimumImprovement: Double) -> Bool {
    if loss < best - minimumImprovement || best == .infinity && loss.isFinite {
      (best, bestStep, waited) = (loss, step, 0)
      return true
    }
    waited += 1
    return false
  }

  var json: JSON {
    ["best": best.isFinite ? .number(best) : .null, "best_step": .integer(bestStep), "waited": .integer(waited)]
  }

  init?(_ json: JSON) {
    guard let step = json["best_step"]?.int, let waited = json["waited"]?.int else { return nil }
    best = json["best"]?.double ?? .infinity
    bestStep = step
    self.waited = waited
  }
}
