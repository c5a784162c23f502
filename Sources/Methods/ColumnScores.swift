internal import HoldfastBasics
internal import HoldfastDatasets
internal import HoldfastEngine
internal import HoldfastModels
internal import HoldfastTraining

/// How much each input feature of every linear layer matters for given text: S_j = Σ_i |W_ij| · ‖X_j‖₂, X the layer's inputs over all
/// tokens (Wanda, Sun et al. 2023, arXiv 2306.11695, summed over outputs as in SSU). Forward passes only.
enum ColumnScores {
  static let name = "columns"

  static func preparation(_ data: PreparationData, over model: ModelFacts) -> Preparation {
    let columns = model.parameters.reduce(0) { $0 + (place(of: $1) == nil ? 0 : $1.shape[1]) }
    return Preparation(name: name, data: data, forwardPasses: 1, backwardPasses: 0, bytes: 4 * columns) { pass in
      var sums: [String: Tensor] = [:]
      let device = pass.model.device
      for parameter in pass.model.parameters.map(\.facts) {
        guard let place = place(of: parameter) else { continue }
        sums["\(place).\(parameter.layer!)"] = try Tensor.zeros([parameter.shape[1]], device: device)
      }
      try pass.fold(into: &sums) { host, _, sums in
        let inside = host.segments.flatMap { s in (0..<s.length).map { s.row * host.length + s.start + $0 } }
        guard !inside.isEmpty else { return }
        let index = try Tensor(inside, device: device), batch = try pass.batch(host)
        var seen: [String: Tensor] = [:]
        try Torch.withoutGradients { () throws(EngineError) in
          _ = try pass.model.forward(batch, taps: Taps { place, layer, x throws(EngineError) in
            guard place != .up && place != .down else { return x }
            let rows = try x.selecting(index, axis: 0).cast(.float32)
            seen["\(place).\(layer)"] = try (rows * rows).sum(axis: 0)
            return x
          })
        }
        for (key, squares) in seen { try sums[key]!.add(squares) }
      }
      var scores: [String: Tensor] = [:]
      for parameter in pass.model.parameters {
        guard let place = place(of: parameter.facts) else { continue }
        let norms = try sums["\(place).\(parameter.facts.layer!)"]!.squareRoot()
        scores[parameter.name] = try parameter.value.detached().cast(.float32).abs().sum(axis: 0) * norms
      }
      return scores
    }
  }

  /// What a parameter reads; nil for those that are no linear layer of a block.
  static func place(of parameter: ParameterFacts) -> Taps.Place? {
    guard parameter.layer != nil, parameter.shape.count == 2 else { return nil }
    switch parameter.module {
    case "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj": return .attentionInput
    case "self_attn.o_proj": return .context
    case "mlp.gate_proj", "mlp.up_proj": return .mlpInput
    case "mlp.down_proj": return .product
    default: return nil
    }
  }
}
