public import HoldfastBasics

/// TensorBoard's event files: records framed as TFRecords, each an `Event` message of TensorFlow's event.proto.
///
/// Only scalars are written. The clock is the caller's.
public enum EventFile {
  /// The first record of a file.
  public static func header(wallTime: Double) -> [UInt8] {
    var event = Protobuf()
    event.double(1, wallTime)
    event.text(3, "brain.Event:2")
    return record(event.bytes)
  }

  /// One record with the values of a step.
  public static func scalars(_ values: [(tag: String, value: Double)], step: Int, wallTime: Double) -> [UInt8] {
    var summary = Protobuf()
    for (tag, value) in values {
      var entry = Protobuf()
      entry.text(1, tag)
      entry.float(2, Float(value))
      summary.message(1, entry)
    }
    var event = Protobuf()
    event.double(1, wallTime)
    event.integer(2, UInt64(bitPattern: Int64(step)))
    event.message(5, summary)
    return record(event.bytes)
  }

  /// Length, its checksum, the data, its checksum; all little-endian.
  package static func record(_ data: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    append(UInt64(data.count), to: &length)
    var out = length
    append(maskedChecksum(length), to: &out)
    out += data
    append(maskedChecksum(data), to: &out)
    return out
  }

  /// CRC-32C, rotated and shifted as TFRecord wants it.
  static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
    let crc = checksum(bytes)
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }

  /// CRC-32C (Castagnoli).
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes { crc = table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ crc >> 8 }
    return ~crc
  }

  private static let table: [UInt32] = (0..<256).map { start in
    (0..<8).reduce(UInt32(start)) { crc, _ in crc & 1 == 1 ? 0x82F6_3B78 ^ crc >> 1 : crc >> 1 }
  }

  static func append(_ value: some FixedWidthInteger, to out: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
  }
}

/// The few parts of protocol buffers that an event needs.
private struct Protobuf {
  var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func key(_ field: UInt64, _ wire: UInt64) { varint(field << 3 | wire) }

  mutating func integer(_ field: UInt64, _ value: UInt64) {
    key(field, 0)
    varint(value)
  }
  mutating func double(_ field: UInt64, _ value: Double) {
    key(field, 1)
    EventFile.append(value.bitPattern, to: &bytes)
  }
  mutating func float(_ field: UInt64, _ value: Float) {
    key(field, 5)
    EventFile.append(value.bitPattern, to: &bytes)
  }
  mutating func text(_ field: UInt64, _ value: String) { data(field, Array(value.utf8)) }
  mutating func message(_ field: UInt64, _ value: Protobuf) { data(field, value.bytes) }
  private mutating func data(_ field: UInt64, _ value: [UInt8]) {
    key(field, 2)
    varint(UInt64(value.count))
    bytes += value
  }
}

/// Writes an event file as a run goes on.
public struct EventWriter: ~Copyable {
  private let writer: FileWriter

  /// Goes on at the end of an existing file, or begins a new one.
  public init(path: String, wallTime: Double) throws(FileError) {
    let length = Files.exists(path) ? try Files.size(path) : 0
    let opened = try FileWriter(appendingTo: path, at: length)
    if length == 0 { try Self.write(EventFile.header(wallTime: wallTime), to: opened) }
    writer = opened
  }

  /// Appends the values of a step. `wallTime`: seconds since 1970.
  public func scalars(_ values: [(tag: String, value: Double)], step: Int, wallTime: Double) throws(FileError) {
    try Self.write(EventFile.scalars(values, step: step, wallTime: wallTime), to: writer)
  }

  private static func write(_ bytes: [UInt8], to writer: borrowing FileWriter) throws(FileError) {
    let result: Result<Void, FileError> = bytes.withUnsafeBytes { buffer in
      do throws(FileError) { return .success(try writer.write(buffer)) } catch { return .failure(error) }
    }
    try result.get()
  }
}
