package import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Which files a source's paths mean.
package enum SourceFiles {
  /// What a file's name may end in before `.gz`, `.zst` or `.zstd`.
  static let endings = [".jsonl", ".ndjson", ".json", ".csv", ".parquet"]

  /// A file stands for itself, a folder for the data files in it by name, and a pattern (`*`, `?`, `[a-z]`) for what it fits, by name.
  package static func expand(_ paths: [String]) throws(Problems) -> [String] {
    var files: [String] = [], problems = Problems("data")
    for path in paths {
      if Files.isFolder(path) {
        let names = ((try? Files.list(path)) ?? []).filter { name in !name.hasPrefix(".") && endings.contains(where: unpacked(name).hasSuffix) }
        if names.isEmpty { problems.add("\(path): no file in this folder ends in \(endings.joined(separator: ", ")), or these with .gz or .zst") }
        files += names.map { path + "/" + $0 }
      } else if !Files.exists(path), path.contains(where: { "*?[".contains($0) }) {
        let found = matches(path).filter { !Files.isFolder($0) }
        if found.isEmpty { problems.add("\(path): no file fits this pattern") }
        files += found
      } else {
        if !Files.exists(path) { problems.add("\(path): there is no such file") }
        files.append(path)
      }
    }
    try problems.check()
    return files
  }

  /// A name without the ending of a compression.
  static func unpacked(_ name: String) -> String {
    for ending in [".gz", ".zst", ".zstd"] where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
    return name
  }

  private static func matches(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.sorted()
  }

  /// How a file's rows stand in it, judged by its name and then by its first bytes.
  static func layout(_ path: String, begins bytes: some Collection<UInt8>) throws(FileError) -> RowLayout {
    let name = unpacked(path)
    if name.hasSuffix(".parquet") || bytes.starts(with: Array("PAR1".utf8)) {
      let stem = name.hasSuffix(".parquet") ? String(name.dropLast(8)) : name
      throw FileError(
        path: path, doing: "read", code: 0,
        reason: "Parquet is not read here; this makes JSONL of it: python3 -c \"import pandas; pandas.read_parquet('\(path)').to_json('\(stem).jsonl', orient='records', lines=True, force_ascii=False)\"")
    }
    if name.hasSuffix(".csv") { return .csv }
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") { return .lines }
    switch bytes.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) {
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "{"), nil: return .lines
    default:
      throw FileError(
        path: path, doing: "read", code: 0,
        reason: "neither its name nor its contents tell JSONL, a JSON array or CSV; let the name end in .jsonl, .json or .csv")
    }
  }
}
