internal import HoldfastBasics
package import HoldfastEngine
package import HoldfastModels
internal import HoldfastRecords

/// Writes a model folder in Hugging Face's form and reads it back before anybody relies on it.
package struct Export {
  /// What the new weights belong to: configuration and tokenizer are copied from it, and parameters that did not move.
  package let folder: ModelFolder
  package let tokenizerFiles: [String]

  package init(folder: ModelFolder, tokenizerFiles: [String]) {
    self.folder = folder
    self.tokenizerFiles = tokenizerFiles
  }

  /// `moved`: masters of the weights that moved. `source`: where the others come from. Weights are kept in the type the
  /// folder names. Returns once the folder stands whole in its place and every tensor read back has the bits written.
  package func write(to path: String, parameters: [ParameterFacts], moved: [String: Tensor], source: any WeightSource) throws {
    let beside = path + ".partial"
    try Files.remove(beside)
    try Files.makeFolder(beside)
    let stored = folder.storedType
    var written: [String: Tensor] = [:]
    for parameter in parameters {
      let value = try moved[parameter.name]?.to(.cpu) ?? source.start(of: parameter)
      let isForeign = moved[parameter.name] == nil && source.names != nil
      written[parameter.name] = try isForeign ? value : value.cast(stored)
    }
    try Tensor.save(written, to: beside + "/" + WeightFiles.single, metadata: ["format": "pt"])
    try Files.writeAtomically(folder.configurationJSON.text(.pretty) + "\n", to: beside + "/config.json")
    for file in tokenizerFiles + extras() { try copy(file, to: beside + "/" + Files.name(of: file)) }

    let back = try FileWeights(folder: beside)
    for (name, tensor) in written.sorted(by: { $0.key < $1.key }) where try !back.tensor(name).hasSameBits(as: tensor) {
      throw FileError(path: beside, doing: "read back", code: 0, reason: "\(name) has other bits than were written")
    }
    try IntegrityManifest.seal(beside)
    try Files.remove(path)
    try Files.rename(beside, to: path)
  }

  /// The tensors that moved alone, over a base that they name; otherwise as `write`.
  package func writeDelta(to path: String, moved: [String: Tensor], base: FileWeights) throws {
    let beside = path + ".partial"
    try Files.remove(beside)
    try Files.makeFolder(beside)
    let written = try moved.mapValues { try $0.to(.cpu).cast(folder.storedType) }
    try DeltaWeights.write(written, base: base, to: beside)
    try Files.writeAtomically(folder.configurationJSON.text(.pretty) + "\n", to: beside + "/config.json")
    for file in tokenizerFiles + extras() { try copy(file, to: beside + "/" + Files.name(of: file)) }

    let back = try DeltaWeights(folder: beside, base: base)
    for (name, tensor) in written.sorted(by: { $0.key < $1.key }) where try !back.tensor(name).hasSameBits(as: tensor) {
      throw FileError(path: beside, doing: "read back", code: 0, reason: "\(name) has other bits than were written")
    }
    try IntegrityManifest.seal(beside)
    try Files.remove(path)
    try Files.rename(beside, to: path)
  }

  /// Small files that users expect to travel along.
  private func extras() -> [String] {
    let taken = Set(tokenizerFiles.map(Files.name(of:)))
    return ["generation_config.json", "special_tokens_map.json", "chat_template.jinja"].filter { !taken.contains($0) }
      .map { folder.path + "/" + $0 }.filter(Files.exists)
  }

  private func copy(_ from: String, to: String) throws {
    let file = try MappedFile(path: from)
    defer { withExtendedLifetime(file) {} }
    let writer = try FileWriter(path: to, replacing: true)
    try writer.write(file.bytes)
    try writer.sync()
  }
}

extension WeightSource {
  /// A parameter's first value on the CPU, in the type it is kept in.
  package func start(of parameter: ParameterFacts) throws -> Tensor {
    try tensor(parameter.name, shape: parameter.shape)
  }
}
