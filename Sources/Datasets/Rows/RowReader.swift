package import HoldfastBasics

/// A file that was read: where, how much, and what was in it.
public struct SourceFile: Sendable, Hashable, Codable {
  public var path: String
  /// Of the file as it stands, compressed or not.
  public var bytes: Int
  /// SHA-256 of these.
  public var contentHash: String

  public init(path: String, bytes: Int, contentHash: String) {
    self.path = path
    self.bytes = bytes
    self.contentHash = contentHash
  }
}

/// Reads files one behind another and cuts them into chunks of rows.
struct RowReader {
  /// Bytes and rows of a chunk: enough to be worth handing to another thread, few enough that every thread gets some.
  static let chunkBytes = 1 << 17, chunkRows = 512

  private let paths: [String]
  private let limits: RowLimits
  private var file = -1
  private var stream: ByteStream?
  private var cutter: RowCutter
  private var layout = RowLayout.lines
  private var ready: [RowChunk] = []
  /// The files that were read to their end.
  private(set) var files: [SourceFile] = []

  init(_ paths: [String], limits: RowLimits) {
    self.paths = paths
    self.limits = limits
    cutter = RowCutter(.lines, limits: limits)
  }

  /// The next rows, at least one; nil at the end of the last file.
  mutating func next() throws(FileError) -> RowChunk? {
    while true {
      if let chunk = ready.popLast() { return chunk }
      if stream == nil {
        file += 1
        guard file < paths.count else { return nil }
        try open(paths[file])
      } else {
        try cut(stream!.next())
      }
    }
  }

  private mutating func open(_ path: String) throws(FileError) {
    let stream = try ByteStream(path: path)
    self.stream = stream
    var first = try stream.next() ?? []
    // Some editors put a byte order mark before the first row.
    if first.starts(with: [0xEF, 0xBB, 0xBF]) { first.removeFirst(3) }
    layout = try SourceFiles.layout(path, begins: first)
    cutter = RowCutter(layout, limits: limits)
    try cut(first)
  }

  /// Cuts a block, or what is left at the file's end.
  private mutating func cut(_ block: [UInt8]?) throws(FileError) {
    guard let stream else { return }
    var chunks: [RowChunk] = []
    do throws(RowError) {
      var rest = (block ?? [])[...]
      repeat {
        var chunk = RowChunk(path: stream.path, file: file, layout: layout, columns: cutter.columns)
        let part = rest.prefix(Self.chunkBytes)
        rest = rest.dropFirst(part.count)
        try part.withUnsafeBufferPointer { bytes throws(RowError) in try cutter.cut(bytes, into: &chunk) }
        if block == nil { try cutter.finish(into: &chunk) }
        chunks += chunk.split(rows: Self.chunkRows)
      } while !rest.isEmpty
    } catch {
      throw FileError(path: stream.path, doing: "read", code: 0, reason: error.reason)
    }
    ready = chunks.reversed()
    if block == nil {
      files.append(SourceFile(path: stream.path, bytes: stream.size, contentHash: stream.contentHash))
      self.stream = nil
    }
  }
}

extension RowChunk {
  fileprivate func split(rows most: Int) -> [RowChunk] {
    if rows.isEmpty { return [] }
    if rows.count <= most { return [self] }
    return stride(from: 0, to: rows.count, by: most).map { first in
      var part = RowChunk(path: path, file: file, layout: layout, columns: columns)
      let rows = rows[first..<min(first + most, rows.count)]
      let start = rows.first!.start
      part.bytes = Array(bytes[start..<rows.last!.end])
      part.rows = rows.map { .init(start: $0.start - start, end: $0.end - start, line: $0.line, excess: $0.excess) }
      return part
    }
  }

  /// Calls `body` with every row and its line, parsed, in order.
  func forEachRow(limits: RowLimits, _ body: (Int, Result<JSONObject, RowError>) -> Void) {
    bytes.withUnsafeBytes { bytes in
      for row in rows {
        if let size = row.excess {
          body(row.line, .failure(RowError("\(size) bytes, but a row may have \(limits.lineBytes)")))
          continue
        }
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[row.start..<row.end])
        do throws(RowError) {
          body(row.line, .success(layout == .csv ? try record(bytes, limits) : try JSONObject(row: bytes, limits)))
        } catch {
          body(row.line, .failure(error))
        }
      }
    }
  }

  /// Members that hold no text, so that a CSV field for them holds JSON.
  private static let lists: Set = ["messages", "conversations", "tools", "documents", "choices", "options", "history"]
  /// Members that may be a text or a conversation.
  private static let turns: Set = ["prompt", "completion", "chosen", "rejected"]

  private func record(_ bytes: UnsafeRawBufferPointer, _ limits: RowLimits) throws(RowError) -> JSONObject {
    let fields = try csvFields(bytes)
    guard fields.count == columns.count else {
      throw RowError("\(fields.count) fields, but the header names \(columns.count)")
    }
    var row = JSONObject()
    for (name, field) in zip(columns, fields) {
      if Self.lists.contains(name) || Self.turns.contains(name), field.utf8.first == UInt8(ascii: "["),
        let value = try? JSON(text: field, limits: JSON.Limits(depth: limits.depth)),
        Self.lists.contains(name) || value.array?.allSatisfy({ $0["role"] != nil || $0["from"] != nil }) == true
      {
        row[name] = value
      } else {
        row[name] = .string(field)
      }
    }
    return row
  }
}

extension JSONObject {
  /// A row of JSON.
  init(row bytes: UnsafeRawBufferPointer, _ limits: RowLimits) throws(RowError) {
    let value: JSON
    do throws(JSONError) {
      value = try JSON(bytes.bindMemory(to: UInt8.self), limits: JSON.Limits(depth: limits.depth))
    } catch {
      throw RowError("not valid JSON at byte \(error.offset): \(error.reason)")
    }
    guard let row = value.object else { throw RowError("not an object like {\"text\": …}") }
    self = row
  }
}

/// The rows of a source's files, one by one, for those who need no threads.
package struct Rows {
  private var reader: RowReader
  private let limits: RowLimits
  private var pending: [(path: String, line: Int, row: Result<JSONObject, RowError>)] = []

  package init(_ paths: [String], limits: RowLimits = RowLimits()) {
    reader = RowReader(paths, limits: limits)
    self.limits = limits
  }

  /// The next row with its file and line; nil at the end.
  package mutating func next() throws(FileError) -> (path: String, line: Int, row: Result<JSONObject, RowError>)? {
    if pending.isEmpty, let chunk = try reader.next() {
      chunk.forEachRow(limits: limits) { pending.append((chunk.path, $0, $1)) }
      pending.reverse()
    }
    return pending.popLast()
  }
}
