import ArgumentParser
import HoldfastBasics
import HoldfastModels
import HoldfastRecords

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check the hashes of a run, a checkpoint or an export.",
    discussion: """
      A run is checked with all its checkpoints and its export. Every file that is missing, changed or unexpected is \
      named. Exits 0 when all is as it was written, 2 when not, 1 when there is nothing to check.
      """)

  @Argument(help: "Folder of a run, a checkpoint or an export.") var folder: String
  @Option(help: "Of a delta, the model that it must belong to.") var base: String?
  @Flag(help: "Of a run, hash the data and the model's files too, which lie elsewhere.") var strict = false

  func run() throws {
    guard Files.isFolder(folder) else {
      throw FileError(path: folder, doing: "verify", code: 0, reason: Files.exists(folder) ? "not a folder" : "no such folder")
    }
    let sealed = try sealedFolders(folder)
    guard !sealed.isEmpty else {
      throw Problems(folder, ["neither a run with checkpoints or an export, nor a folder with \(IntegrityManifest.name)"])
    }
    var wrong = 0
    for path in sealed {
      do {
        try IntegrityManifest.verify(path)
        let files = try IntegrityManifest(in: path).files
        print("whole    \(path): \(files.count) files, \(files.reduce(0) { $0 + $1.bytes }) bytes")
      } catch let problems as Problems {
        wrong += 1
        print("damaged  \(path)")
        for complaint in problems.complaints { print("         \(complaint)") }
      }
    }
    if let base {
      let delta = DeltaWeights.isDelta(folder) ? folder : RunFolder(folder).final
      guard DeltaWeights.isDelta(delta) else { throw Problems(folder, ["holds no \(DeltaWeights.file)"]) }
      do {
        _ = try DeltaWeights(folder: delta, base: FileWeights(folder: modelFolder(base)))
        print("fits     \(base)")
      } catch let problems as Problems {
        wrong += 1
        print("wrong base")
        for complaint in problems.complaints { print("         \(complaint)") }
      }
    }
    let manifest = RunFolder(folder).manifest
    var count = sealed.count
    if strict, Files.exists(manifest) {
      let run = try Manifest(file: manifest)
      for file in run.data + run.model {
        count += 1
        let found = try? ContentHash.of(file: file.path)
        if found != file.sha256 { wrong += 1 }
        print(found == file.sha256 ? "whole    \(file.path)" : "\(found == nil ? "missing" : "changed")  \(file.path)")
      }
    }
    if wrong > 0 {
      print("\(wrong) of \(count) not as written")
      throw ExitCode(2)
    }
  }

  /// What carries a manifest, or should: the folder itself, or the checkpoints, the records and the export of a run, or all runs of a
  /// sequence of stages with the artifacts beside them.
  private func sealedFolders(_ folder: String) throws -> [String] {
    if IntegrityManifest.exists(in: folder) { return [folder] }
    let run = RunFolder(folder)
    var found: [String] = []
    if TuneStages.isSequence(folder) {
      for name in try Files.list(folder) where name.hasPrefix("stage-") || name == "artifacts" {
        let inside = folder + "/" + name
        found += try name == "artifacts" ? Self.whole(inside) : sealedFolders(inside)
      }
      return found
    }
    if Files.isFolder(run.record) { found += try Self.whole(run.record) }
    if Files.isFolder(run.checkpoints) {
      // What a killed save left unfinished was never complete and says nothing about the rest.
      found += try Files.list(run.checkpoints).filter { !$0.hasSuffix(".partial") }.map { run.checkpoints + "/" + $0 }
    }
    if Files.exists(run.final) { found.append(run.final) }
    return found
  }

  /// Folders that were completed: what a kill left half done says nothing about the rest.
  private static func whole(_ folder: String) throws -> [String] {
    try Files.list(folder).filter { !$0.hasSuffix(".partial") && !$0.hasSuffix(".folds") }.map { folder + "/" + $0 }
  }
}
