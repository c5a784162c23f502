import HoldfastBasics
import HoldfastEngine
import HoldfastModels
import HoldfastTokenizers

/// What is wrong with a model folder: configuration, weights, numbers, tokenizer, and whether these fit together.
enum ModelExamination {
  /// - Parameter canCompute: whether libtorch is there, which the check of numbers needs.
  static func findings(_ folder: String, canCompute: Bool) -> [Finding] {
    var findings: [Finding] = []
    var configuration: ModelConfiguration?
    do {
      let read = try ModelFolder(folder)
      configuration = read.configuration
      let c = read.configuration
      findings.append(.fine("config", "\(c.family), \(c.layerCount) layers of width \(c.hiddenSize), vocabulary \(c.vocabularySize), context \(c.contextLength)"))
    } catch {
      findings.append(.wrong("config", "\(error)"))
      if !Files.isFolder(folder) { return findings }
    }
    findings += weights(folder, configuration, canCompute: canCompute)
    findings += tokenizer(folder, configuration)
    return findings
  }

  private static func weights(_ folder: String, _ configuration: ModelConfiguration?, canCompute: Bool) -> [Finding] {
    do {
      let files = try WeightFiles(folder: folder)
      let count = files.names.reduce(0) { $0 + (files.entry($1)?.count ?? 0) }
      var findings: [Finding] = [.fine("weights", "\(files.names.count) tensors, \(count) numbers in \(files.files.count) file\(files.files.count == 1 ? "" : "s")")]
      guard canCompute else { return findings }
      if let configuration {
        do {
          _ = try Decoder(configuration, weights: FileWeights(folder: folder), subject: folder)
          findings.append(.fine("fit", "every tensor the configuration asks for, and no other"))
        } catch {
          findings.append(.wrong("fit", "\(error)"))
        }
      }
      let broken = try files.names.filter { try !isFinite(files, $0) }
      findings.append(
        broken.isEmpty
          ? .fine("numbers", "no NaN and no infinity")
          : .wrong("numbers", "NaN or infinity in \(broken.prefix(10).joined(separator: ", "))" + (broken.count > 10 ? " and \(broken.count - 10) more" : ""),
              cure: "the training that made them diverged, or the file is damaged: take an earlier checkpoint or fetch it again"))
      return findings
    } catch {
      return [.wrong("weights", "\(error)")]
    }
  }

  /// A sum of squares in f64 is finite exactly when every number is, since no square of an f32 overflows it.
  private static func isFinite(_ files: WeightFiles, _ name: String) throws -> Bool {
    guard let entry = files.entry(name), entry.dtype.isFloating, entry.count > 0 else { return true }
    let tensor = try Tensor(bytes: files.bytes(name), shape: entry.shape, dtype: entry.dtype)
    return try Tensor.squaredNorm(of: [tensor]).isFinite
  }

  private static func tokenizer(_ folder: String, _ configuration: ModelConfiguration?) -> [Finding] {
    let tokenizer: Tokenizer
    do { tokenizer = try Tokenizer(folder: folder) } catch { return [.wrong("tokenizer", "\(error)")] }
    var findings: [Finding] = [.fine("tokenizer", "\(tokenizer.vocabularySize) ids" + (tokenizer.chatTemplate == nil ? "" : ", with a chat template"))]
    guard let c = configuration else { return findings }
    if tokenizer.vocabularySize > c.vocabularySize {
      findings.append(
        .wrong("vocabulary", "the tokenizer has ids up to \(tokenizer.vocabularySize - 1), the model only \(c.vocabularySize) entries",
          cure: "tokenizer and weights do not belong together, or the embedding must grow"))
    }
    if let end = tokenizer.endID, !c.endIDs.isEmpty, !c.endIDs.contains(end) {
      findings.append(
        .remark("end token", "the tokenizer ends a text with \(end), config.json with \(c.endIDs.map(String.init).joined(separator: ", "))",
          cure: "Holdfast stops at any of them; a chat model often has both"))
    }
    if tokenizer.endID == nil && c.endIDs.isEmpty {
      findings.append(.remark("end token", "neither the tokenizer nor config.json names one", cure: "set eos_token: without it a model does not learn to stop"))
    }
    return findings
  }
}
