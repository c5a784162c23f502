public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// A new LoRA adapter reads other directions of its inputs than the ones before it, which stay as they are.
///
/// Source: Wang et al. 2023, "Orthogonal Subspace Learning for Language Model Continual Learning" (O-LoRA), arXiv 2310.14152:
/// R = λ · Σ |A_old · Aᵀ| + μ · Σ (‖A‖ + ‖B‖), the first sum over the entries for every earlier adapter of a layer. Only the
/// A's are made orthogonal. To A flow λ · Σ sign(A_old · Aᵀ)ᵀ · A_old and μ · A / ‖A‖.
public struct OrthogonalLoRA: TuningMethod {
  public static let name = "olora"
  public static let summary = "A new LoRA adapter is kept orthogonal to earlier ones, which stay frozen under it (O-LoRA)."

  public let lambda: Double
  public let size: Double

  public init(_ reader: KeyReader) {
    lambda = reader.value("lambda", default: 0.5, in: 0..., doc: "Strength of the pull toward orthogonal A's.")
    size = reader.value("size", default: 0.0, in: 0..., doc: "Strength of the pull on the norms of the new A's and B's.")
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    var problems = Problems(Self.name)
    guard let adapter = stage.model.adapter else {
      throw Problems(Self.name, ["it is about adapters: `adapter: {lora: {over: [DIR]}}` names the earlier ones and makes a new one"])
    }
    if adapter.configuration.kind != .lora { problems.add("it is defined for lora; the recipe has \(adapter.configuration.kind.rawValue)") }
    // A later stage gets those of the stages before it when it begins.
    if stage.model.adaptersBelow.isEmpty, !(stage.isPlan && stage.stage > 0) {
      problems.add("there is no earlier adapter to keep clear of: name them under adapter.lora.over, or leave the method out for the first task")
    }
    if !stage.model.trainable.contains(where: { $0.adapterPart == "lora_A" }) { problems.add("A is frozen (freeze_a), so it cannot be kept orthogonal") }
    try problems.check()
    return Active(self, adapter, stage.model.adaptersBelow)
  }

  private final class Active: ActiveMethod {
    private let method: OrthogonalLoRA
    private let linears: [AdapterFacts.Linear]
    private let folders: [String]
    /// The earlier A's of each layer, one above the other, once they are read.
    private var before: [String: Tensor]?

    init(_ method: OrthogonalLoRA, _ adapter: AdapterFacts, _ folders: [String]) {
      self.method = method
      linears = adapter.linears
      self.folders = folders
    }

    func pull(_ gradients: NamedTensors, _ parameters: NamedTensors, at step: Step) throws(EngineError) -> Double? {
      if before == nil { before = try read(like: parameters) }
      var overlap = 0.0, norms = 0.0
      for linear in linears {
        if let earlier = before?[linear.a], let gradient = gradients[linear.a], let a = try parameters[linear.a]?.detached() {
          let product = try earlier.matmul(a.transposed(0, 1))
          overlap += try product.abs().sum().item()
          try gradient.add(product.sign().transposed(0, 1).matmul(earlier), scale: method.lambda)
        }
        guard method.size > 0 else { continue }
        for name in [linear.a, linear.b] {
          guard let gradient = gradients[name], let factor = try parameters[name]?.detached() else { continue }
          let norm = try Tensor.squaredNorm(of: [factor]).squareRoot()
          norms += norm
          if norm > 0 { try gradient.add(factor, scale: method.size / norm) }
        }
      }
      return method.lambda * overlap + method.size * norms
    }

    private func read(like parameters: NamedTensors) throws(EngineError) -> [String: Tensor] {
      do {
        let sources = try folders.map { try AdapterFolder($0).weights }
        var result: [String: Tensor] = [:]
        for linear in linears {
          guard let a = parameters[linear.a] else { continue }
          // AdaLoRA's Q has no ending.
          let names = [linear.a, String(linear.a.dropLast(".weight".count))]
          let found = try sources.flatMap { source in
            try names.filter { source.shape(of: $0) != nil }.map { try source.tensor($0).cast(a.dtype).to(a.device) }
          }
          if !found.isEmpty { result[linear.a] = try Tensor.concatenated(found, axis: 0) }
        }
        return result
      } catch let error as EngineError {
        throw error
      } catch {
        throw EngineError("cannot read an earlier adapter: \(error)")
      }
    }
  }
}
