internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastTraining

/// What an earlier stage or run recorded, found by the stage or by a knob.
enum Recorded {
  static func knob(_ reader: KeyReader, of method: String) -> String? {
    reader.optional(
      "importance", otherwise: "the stage before",
      doc: "Folder of the run, or of its `record/\(method)`, that recorded the importance.")
  }

  /// The artifact; nil where nothing is named and no stage came before.
  static func artifact(_ folder: String?, of method: String, _ stage: StageFacts) throws -> Artifact? {
    guard let folder else { return stage.record(of: method) }
    let inside = folder + "/record/" + method
    let path = Files.exists(inside) ? inside : folder
    guard Files.exists(path + "/artifact.json") else {
      throw FileError(path: folder, doing: "read recorded importance from", code: 0, reason: "it holds no record/\(method); `method: \(method)` records one")
    }
    return try Artifact(path, device: stage.device)
  }
}
