internal import HoldfastBasics
internal import HoldfastEngine
package import HoldfastModels

/// The model as the stage found it, frozen, which answers beside the one that trains.
///
/// Where an adapter alone trains it is the same model without it, adapters that stay frozen under it left on; else a second copy of the weights,
/// read when it is first asked.
public final class ReferenceModel {
  private let model: Decoder
  private let load: () throws -> Decoder
  private var copy: Decoder?

  package init(beside model: Decoder, load: @escaping () throws -> Decoder) {
    self.model = model
    self.load = load
  }

  /// Hidden states of the tokens that have a label, [labels, hidden], and the head that reads them, [vocabulary, hidden].
  func answers(_ batch: Batch) throws(EngineError) -> (hidden: Tensor, head: Tensor) {
    let isAdapted = !model.adapters.isEmpty
    let frozen: Decoder
    if isAdapted { frozen = model } else if let copy { frozen = copy } else { frozen = try read() }
    return try Torch.withoutGradients { () throws(EngineError) -> (hidden: Tensor, head: Tensor) in
      (try frozen.forward(batch, adapters: isAdapted ? .below : .on).labelledHidden, frozen.head.value)
    }
  }

  private func read() throws(EngineError) -> Decoder {
    do {
      let model = try load()
      copy = model
      return model
    } catch let error as EngineError {
      throw error
    } catch {
      throw EngineError("cannot read the reference model: \(error)")
    }
  }
}
