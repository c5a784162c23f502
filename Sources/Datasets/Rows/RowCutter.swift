internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How rows stand in a file.
enum RowLayout: Sendable, Hashable {
  /// JSONL: an object a line.
  case lines
  /// One JSON array of objects.
  case array
  /// CSV with a header row.
  case csv
}

/// Rows of one file as bytes, on their way to whoever parses them.
struct RowChunk: Sendable {
  struct Row: Sendable {
    var start: Int
    var end: Int
    /// From 1; of an array the element's number.
    var line: Int
    /// Bytes of a row that has too many; its contents are not kept.
    var excess: Int?
  }

  let path: String
  /// Which of the source's files.
  let file: Int
  let layout: RowLayout
  /// The header of a CSV file.
  var columns: [String] = []
  var bytes: [UInt8] = []
  var rows: [Row] = []
}

/// Cuts a file's blocks into rows without parsing them. A row may begin in one block and end in another; no more than a row is kept.
struct RowCutter {
  private let layout: RowLayout
  private let limits: RowLimits
  /// The row so far.
  private var open: [UInt8] = []
  /// Its bytes, where these are too many to keep.
  private var openSize = 0
  private var line = 1
  private var openLine = 1
  private(set) var columns: [String] = []
  private var needsHeader: Bool

  // JSON arrays
  private enum Place { case beforeArray, betweenElements, inElement, behindArray }
  private var place = Place.beforeArray
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  private var element = 0

  // CSV
  private enum Cell { case start, plain, quoted, quote }
  private var cell = Cell.start

  init(_ layout: RowLayout, limits: RowLimits) {
    self.layout = layout
    self.limits = limits
    needsHeader = layout == .csv
  }

  mutating func cut(_ block: UnsafeBufferPointer<UInt8>, into chunk: inout RowChunk) throws(RowError) {
    switch layout {
    case .lines: cutLines(block, &chunk)
    case .array: try cutArray(block, &chunk)
    case .csv: try cutRecords(block, &chunk)
    }
  }

  /// The file is at its end.
  mutating func finish(into chunk: inout RowChunk) throws(RowError) {
    switch layout {
    case .lines: end(&chunk)
    case .array:
      if place == .inElement || place == .betweenElements { throw RowError("its array is not closed; was the copy cut off?") }
    case .csv:
      if cell == .quoted { throw RowError("a quotation mark of the row that begins at line \(openLine) is never closed") }
      try endRecord(&chunk)
    }
  }

  // MARK: - A row

  private mutating func take(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: Int) {
    openSize += to - from
    if openSize <= limits.lineBytes { open.append(contentsOf: bytes[from..<to]) } else { open.removeAll() }
  }

  private mutating func end(_ chunk: inout RowChunk) {
    defer {
      open.removeAll(keepingCapacity: true)
      openSize = 0
    }
    if openSize == open.count, open.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
    let start = chunk.bytes.count
    chunk.bytes.append(contentsOf: open)
    chunk.rows.append(
      .init(start: start, end: chunk.bytes.count, line: openLine, excess: openSize > limits.lineBytes ? openSize : nil))
  }

  // MARK: - Lines

  private mutating func cutLines(_ block: UnsafeBufferPointer<UInt8>, _ chunk: inout RowChunk) {
    guard let base = block.baseAddress else { return }
    var at = 0
    while at < block.count {
      let found = memchr(base + at, 0x0A, block.count - at)
      let stop = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? block.count
      take(block, at, stop)
      at = stop
      if found != nil {
        end(&chunk)
        at += 1
        line += 1
        openLine = line
      }
    }
  }

  // MARK: - A JSON array

  private mutating func cutArray(_ block: UnsafeBufferPointer<UInt8>, _ chunk: inout RowChunk) throws(RowError) {
    var from = 0, at = 0
    while at < block.count {
      let byte = block[at]
      switch place {
      case .inElement:
        if isInString {
          if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else if byte == UInt8(ascii: "\"") { isInString = false }
        } else {
          switch byte {
          case UInt8(ascii: "\""): isInString = true
          case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
          case UInt8(ascii: "}"): depth = max(0, depth - 1)  // one too many is for the parser to find
          case UInt8(ascii: "]") where depth > 0: depth -= 1
          case UInt8(ascii: ","), UInt8(ascii: "]"):
            if depth > 0 { break }
            take(block, from, at)
            end(&chunk)
            place = byte == UInt8(ascii: ",") ? .betweenElements : .behindArray
          default: break
          }
        }
      case _ where byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09: break
      case .beforeArray: place = .betweenElements
      case .betweenElements:
        if byte == UInt8(ascii: "]") {
          place = .behindArray
        } else {
          place = .inElement
          element += 1
          openLine = element
          from = at
          continue  // the byte is the element's first
        }
      case .behindArray: throw RowError("something follows its array")
      }
      at += 1
    }
    if place == .inElement { take(block, from, block.count) }
  }

  // MARK: - CSV

  private mutating func cutRecords(_ block: UnsafeBufferPointer<UInt8>, _ chunk: inout RowChunk) throws(RowError) {
    var from = 0
    for at in block.indices {
      let byte = block[at]
      if byte == 0x0A { line += 1 }
      switch (cell, byte) {
      case (.quoted, UInt8(ascii: "\"")): cell = .quote
      case (.quoted, _): break
      case (.quote, UInt8(ascii: "\"")): cell = .quoted
      case (.start, UInt8(ascii: "\"")): cell = .quoted
      case (_, UInt8(ascii: ",")): cell = .start
      case (_, 0x0A):
        take(block, from, at)
        from = at + 1
        try endRecord(&chunk)
      default: cell = .plain
      }
    }
    take(block, from, block.count)
  }

  private mutating func endRecord(_ chunk: inout RowChunk) throws(RowError) {
    cell = .start
    defer { openLine = line }
    guard needsHeader else { return end(&chunk) }
    let isBlank = open.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    if !isBlank {
      columns = try open.withUnsafeBufferPointer { bytes throws(RowError) in try csvFields(UnsafeRawBufferPointer(bytes)) }
      for (i, name) in columns.enumerated() where columns[..<i].contains(name) { throw RowError("its header names \(name) twice") }
      chunk.columns = columns
      needsHeader = false
    }
    open.removeAll(keepingCapacity: true)
    openSize = 0
  }
}

/// The fields of a CSV record (RFC 4180).
func csvFields(_ bytes: UnsafeRawBufferPointer) throws(RowError) -> [String] {
  var fields: [String] = [], field: [UInt8] = []
  var at = 0, end = bytes.count
  if end > 0, bytes[end - 1] == 0x0D { end -= 1 }
  while true {
    field.removeAll(keepingCapacity: true)
    if at < end, bytes[at] == UInt8(ascii: "\"") {
      at += 1
      while true {
        guard at < end else { throw RowError("a quotation mark is not closed") }
        if bytes[at] == UInt8(ascii: "\"") {
          at += 1
          guard at < end, bytes[at] == UInt8(ascii: "\"") else { break }
        }
        field.append(bytes[at])
        at += 1
      }
      if at < end, bytes[at] != UInt8(ascii: ",") { throw RowError("something follows the closing quotation mark of field \(fields.count + 1)") }
    } else {
      while at < end, bytes[at] != UInt8(ascii: ",") {
        field.append(bytes[at])
        at += 1
      }
    }
    guard let text = String(validating: field, as: UTF8.self) else { throw RowError("field \(fields.count + 1) is not UTF-8") }
    fields.append(text)
    if at >= end { return fields }
    at += 1
  }
}
