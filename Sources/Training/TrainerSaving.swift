internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastRecords

/// What a run leaves: checkpoints, the result, what methods recorded.
extension Trainer {
  func save() throws {
    let checkpoint = try checkpoints.save(step: state.step, keepingBest: bestStep) { folder in
      try state.write(to: folder, optimizer: optimizer, order: model.parameters, stack: stack)
    }
    _ = try observer.observe(.saved(path: checkpoint.path, step: checkpoint.step))
  }

  func restore() throws {
    guard let checkpoint = try checkpoints.newest().checkpoint else { return }
    state = try read(checkpoint)
  }

  func read(_ checkpoint: CheckpointStore.Checkpoint) throws -> RunState {
    try RunState(
      from: checkpoint.path, model: model, optimizer: optimizer, stack: stack, start: { try self.source.start(of: $0.facts) })
  }

  /// Lets the methods say the last word on the weights: averages, resets. Nothing of it is in a checkpoint.
  func finish() throws {
    let masters = NamedTensors(model.parameters.compactMap { p in optimizer.slots[p.name].map { (p.name, $0.master) } })
    try Torch.withoutGradients {
      for method in stack.methods { try method.finish(masters) }
      try optimizer.refreshImages()
    }
  }

  func passOnWarnings() throws {
    for (name, text) in stack.warnings() { _ = try observer.observe(.warned(method: name, text: text)) }
  }

  /// What methods leave for a next stage, with the weights it is about.
  func record() throws {
    let ends = try IntegrityManifest(in: folder.final).files.filter { $0.path.hasSuffix(".safetensors") }.map(\.sha256)
    for (name, method) in zip(stack.names, stack.methods) {
      guard let record = try method.record() else { continue }
      try Files.makeFolder(folder.record)
      try Artifact.write(
        to: folder.record + "/" + name, tensors: record.tensors, facts: record.facts,
        about: [
          "format": 1, "method": .string(name), "model": .string(run.recipe.model), "starts": .array(run.weightHashes(manifest.model).map { .string($0) }),
          "ends": .array(ends.map { .string($0) }),
        ], replacing: true)
    }
  }

  /// The result as a model folder, or as PEFT's files of the adapter, read back and compared with the trained weights on the first rows of the data.
  func export(step: Int) throws {
    let moved = optimizer.slots.mapValues(\.master), back: Decoder
    let writer = Export(folder: run.folder, tokenizerFiles: run.tokenizerFiles)
    if let adapter = model.adapters.last {
      try AdapterExport(recipe: run.recipe, steps: run.steps)
        .write(adapter, masters: moved, source: source, model: model.configuration, to: folder.final)
      back = try Decoder(model.configuration, weights: source, subject: run.recipe.model, dtype: model.dtype, device: model.device)
      try run.recipe.attach(to: back, weights: AdapterFolder(folder.final).weights)
    } else if run.recipe.export == .delta, let base = source as? FileWeights {
      try writer.writeDelta(to: folder.final, moved: moved, base: base)
      back = try Decoder(
        model.configuration, weights: DeltaWeights(folder: folder.final, base: base), subject: folder.final, dtype: model.dtype, device: model.device)
    } else {
      try writer.write(to: folder.final, parameters: model.parameters.map(\.facts), moved: moved, source: source)
      back = try ModelFolder(folder.final).load(dtype: model.dtype, device: model.device)
    }
    let difference = try Torch.withoutGradients {
      guard let microbatch = run.data.step(0).microbatches.first else { return 0.0 }
      let batch = try Batch(microbatch, device: model.device)
      let places = try Tensor(Array(0..<min(64, batch.rows * batch.length)), device: model.device)
      let ours = try model.logits(model.forward(batch).hidden.selecting(places, axis: 0))
      let theirs = try back.logits(back.forward(batch).hidden.selecting(places, axis: 0))
      return try ours.largestDifference(to: theirs)
    }
    _ = try observer.observe(.exported(path: folder.final, step: step, largestDifference: difference))
  }
}
