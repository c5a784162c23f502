import HoldfastBasics

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A folder of a test's own.
struct ScratchFolder {
  let path: String

  @discardableResult
  func write(_ text: String, _ name: String) throws -> String { try write(Array(text.utf8), name) }

  @discardableResult
  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Files.makeFolder(Files.folder(of: path + "/" + name))
    let writer = try FileWriter(path: path + "/" + name, replacing: true)
    try bytes.withUnsafeBytes { try writer.write($0) }
    return path + "/" + name
  }
}

/// Runs `body` with a folder that goes away afterwards.
func withScratch<T>(_ body: (ScratchFolder) throws -> T) throws -> T {
  let folder = ScratchFolder(path: FileManager.default.temporaryDirectory.path + "/holdfast-\(UUID().uuidString)")
  try Files.makeFolder(folder.path)
  defer { try? Files.remove(folder.path) }
  return try body(folder)
}
